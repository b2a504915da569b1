"""The outbox in PostgreSQL, shared by all replicas."""

from collections.abc import Sequence

import msgspec

from sakimori_common.context import Postgres
from sakimori_common.contracts import Finding
from sakimori_common.postgres import CONNECTION_ERRORS, unavailable
from sakimori_notifier.ports import Delivery, Notice

_CLAIM = """
INSERT INTO notifier.suppressions AS held (key, until, suppressed)
SELECT key, now() + make_interval(secs => $2), 0 FROM unnest($1::text[]) AS key
ON CONFLICT (key) DO UPDATE SET until = excluded.until, suppressed = 0 WHERE held.until <= now()
RETURNING key
"""
_COUNT = """
UPDATE notifier.suppressions AS held SET suppressed = held.suppressed + told.times
FROM (SELECT key, count(*) AS times FROM unnest($1::text[]) AS key GROUP BY key) AS told WHERE held.key = told.key
"""
_QUEUE = """
INSERT INTO notifier.deliveries (finding_id, channel, reminder, status, suppression_key, payload)
SELECT notice.finding_id, notice.channel, coalesce(earlier.last + 1, 0), notice.status, notice.key,
  notice.payload::jsonb
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
  AS notice (finding_id, channel, status, key, payload)
LEFT JOIN LATERAL (
  SELECT max(reminder) AS last FROM notifier.deliveries AS told
  WHERE told.finding_id = notice.finding_id AND told.channel = notice.channel
) AS earlier ON true
WHERE notice.status = 'pending' OR earlier.last IS NULL
ON CONFLICT DO NOTHING
"""
_DUE = """
UPDATE notifier.deliveries SET attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => $2)
WHERE id IN (
  SELECT id FROM notifier.deliveries WHERE status = 'pending' AND next_attempt_at <= now()
  ORDER BY next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
RETURNING id, channel, attempts, payload
"""
_SENT = "UPDATE notifier.deliveries SET status = 'sent', delivered_at = now(), last_error = NULL WHERE id = $1"
_POSTPONE = """
UPDATE notifier.deliveries SET last_error = $2, next_attempt_at = now() + make_interval(secs => $3) WHERE id = $1
"""
_DEAD = "UPDATE notifier.deliveries SET status = 'dead', last_error = $2 WHERE id = $1"


class PostgresOutbox:
    """Implements `ports.Outbox`: a claim on the suppression key and the delivery are one transaction."""

    def __init__(self, pool: Postgres) -> None:
        self._pool = pool
        self._decoder = msgspec.json.Decoder(Finding)

    async def add(self, notices: Sequence[Notice], suppress_seconds: int) -> tuple[int, int]:
        """See `ports.Outbox.add`."""
        keys = sorted({notice.suppression_key for notice in notices if notice.suppression_key is not None})
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                free = {row["key"] for row in await connection.fetch(_CLAIM, keys, float(suppress_seconds))}
                told, quiet = _split(notices, free)
                await connection.execute(_COUNT, [notice.suppression_key for notice in quiet])
                rows = [(notice, "pending") for notice in told] + [(notice, "suppressed") for notice in quiet]
                await connection.execute(_QUEUE, *_columns(rows))
        except CONNECTION_ERRORS as error:
            raise unavailable(error) from error
        return len(told), len(quiet)

    async def due(self, limit: int, lease_seconds: float) -> list[Delivery]:
        """See `ports.Outbox.due`."""
        try:
            rows = await self._pool.fetch(_DUE, limit, lease_seconds)
        except CONNECTION_ERRORS as error:
            raise unavailable(error) from error
        return [
            Delivery(row["id"], self._decoder.decode(row["payload"]), row["channel"], row["attempts"]) for row in rows
        ]

    async def delivered(self, delivery: Delivery) -> None:
        """See `ports.Outbox.delivered`."""
        await self._execute(_SENT, delivery.id)

    async def postpone(self, delivery: Delivery, reason: str, seconds: float) -> None:
        """See `ports.Outbox.postpone`."""
        await self._execute(_POSTPONE, delivery.id, reason, seconds)

    async def give_up(self, delivery: Delivery, reason: str) -> None:
        """See `ports.Outbox.give_up`."""
        await self._execute(_DEAD, delivery.id, reason)

    async def _execute(self, sql: str, *arguments: object) -> None:
        try:
            await self._pool.execute(sql, *arguments)
        except CONNECTION_ERRORS as error:
            raise unavailable(error) from error


def _split(notices: Sequence[Notice], free: set[str]) -> tuple[list[Notice], list[Notice]]:
    told, quiet = [], []
    for notice in notices:
        if notice.suppression_key is None:
            told.append(notice)
        elif notice.suppression_key in free:
            free.discard(notice.suppression_key)
            told.append(notice)
        else:
            quiet.append(notice)
    return told, quiet


def _columns(rows: Sequence[tuple[Notice, str]]) -> tuple[list[object], ...]:
    encode = msgspec.json.encode
    return (
        [notice.finding.id for notice, _ in rows],
        [notice.channel for notice, _ in rows],
        [status for _, status in rows],
        [notice.suppression_key or "" for notice, _ in rows],
        [encode(notice.finding).decode() for notice, _ in rows],
    )

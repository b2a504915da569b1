"""Bots as rows: the statements, and what is made of their answers."""

from datetime import datetime
from typing import Any, Final

import structlog

from sakimori_chat.bots.adapters.sealing import Sealer, Unreadable
from sakimori_chat.bots.domain.device import MAX_SECRETS, Bot, BotSecret, BotStatus

READ: Final = """
    SELECT b.id, b.name, b.status, b.rooms, b.contact, b.registered_at, b.last_ping_at, b.blocked_reason, b.blocked_at,
        array(SELECT ROW(s.sealed, s.expires_at) FROM chat.bot_secrets s WHERE s.bot_id = b.id
            ORDER BY s.created_at DESC) AS secrets
    FROM chat.bots b ORDER BY (b.status <> 'pending'), b.registered_at, b.id"""
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('chat.bots'))"
"""Who changes bots takes turns: so few do that nothing finer is worth its races."""
EXPIRE_PENDING: Final = """
    DELETE FROM chat.bots WHERE status = 'pending' AND registered_at < now() - make_interval(secs => $1)"""
COUNT_PENDING: Final = "SELECT count(*) FROM chat.bots WHERE status = 'pending'"
REGISTER: Final = "INSERT INTO chat.bots (id, name, look, rooms, contact) VALUES ($1, $2, $3, $4, $5)"
ADD_KEY: Final = "INSERT INTO chat.bot_secrets (bot_id, secret_sha256, sealed) VALUES ($1, $2, $3)"
DROP_KEYS: Final = "DELETE FROM chat.bot_secrets WHERE bot_id = $1 AND secret_sha256 <> $2"
LIMIT_KEY: Final = """
    UPDATE chat.bot_secrets SET expires_at = to_timestamp($3) WHERE bot_id = $1 AND secret_sha256 = $2"""
EXPIRE_KEYS: Final = "DELETE FROM chat.bot_secrets WHERE expires_at < now()"
STATUS: Final = "SELECT status FROM chat.bots WHERE id = $1 FOR UPDATE"
SET_STATUS: Final = """
    UPDATE chat.bots SET status = $2,
        blocked_reason = CASE WHEN $2 = 'blocked' THEN $3 END, blocked_at = CASE WHEN $2 = 'blocked' THEN now() END
    WHERE id = $1"""
SET_ROOMS: Final = "UPDATE chat.bots SET rooms = $2 WHERE id = $1 RETURNING id"
NOTE_CHANGE: Final = "INSERT INTO chat.bot_changes (bot_id, status, changed_by, reason) VALUES ($1, $2, $3, $4)"
RECORD: Final = """
    SELECT status, changed_by, reason, changed_at FROM chat.bot_changes WHERE bot_id = $1 ORDER BY changed_at"""
RESEAL: Final = "UPDATE chat.bot_secrets SET sealed = $3 WHERE bot_id = $1 AND secret_sha256 = $2"
NOTE_SEEN: Final = """
    UPDATE chat.bots b SET last_ping_at = to_timestamp(seen.at)
    FROM unnest($1::text[], $2::double precision[]) AS seen (id, at)
    WHERE b.id = seen.id AND (b.last_ping_at IS NULL OR b.last_ping_at < to_timestamp(seen.at))"""


class BotRows:
    """Reads rows; a secret that was opened once is not opened again while it stays."""

    def __init__(self, sealer: Sealer, log: structlog.stdlib.BoundLogger) -> None:
        self._sealer = sealer
        self._log = log
        self._opened: dict[bytes, bytes | None] = {}
        self.aged: list[tuple[str, bytes]] = []
        """Bots and secrets that a previous CHAT_SECRET_KEY sealed, to be sealed anew."""

    def bots(self, rows: list[Any]) -> dict[str, Bot]:
        """Make bots of the rows of READ, by id."""
        opened, self._opened = self._opened, {}
        return {row["id"]: self._bot(row, opened) for row in rows}

    def _bot(self, row: Any, opened: dict[bytes, bytes | None]) -> Bot:
        secrets = [
            BotSecret(key, _seconds(expires_at))
            for sealed, expires_at in row["secrets"]
            if (key := self._key(bytes(sealed), row["id"], opened)) is not None
        ]
        return Bot(
            id=row["id"],
            name=row["name"],
            status=BotStatus(row["status"]),
            rooms=frozenset(row["rooms"]),
            secrets=tuple(secrets[:MAX_SECRETS]),
            blocked_reason=row["blocked_reason"] or "",
            contact=row["contact"],
            registered_at=_seconds(row["registered_at"]) or 0.0,
            last_ping_at=_seconds(row["last_ping_at"]),
            blocked_at=_seconds(row["blocked_at"]),
        )

    def _key(self, sealed: bytes, bot_id: str, opened: dict[bytes, bytes | None]) -> bytes | None:
        if sealed in opened:
            key = opened[sealed]
        else:
            try:
                key, is_current = self._sealer.unseal(sealed, bot_id)
                if not is_current:
                    self.aged.append((bot_id, key))
            except Unreadable as error:
                key = None
                self._log.error("bot_secret_not_read", bot=bot_id, reason=str(error), advice="give it a new secret")
        self._opened[sealed] = key
        return key


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()

"""Sessions on PostgreSQL: flows among the events, through the view public.sessions."""

from collections.abc import Iterator
from typing import Any

from sakimori_api_gateway.adapters.postgres import connection, instant
from sakimori_api_gateway.domain.network import Session, SessionQuery, SessionStats, Talker
from sakimori_common.context import Postgres
from sakimori_common.instants import format_instant, to_datetime

_SUSPECTS = """
    WITH accusing AS (
        SELECT entity_type, entity, first_seen_at, last_seen_at, evidence FROM public.triaged_findings
        WHERE last_seen_at >= $1 AND status <> 'false_positive'
    )"""
_IS_SUSPICIOUS = """(
        id::text IN (
            SELECT jsonb_array_elements_text(evidence -> 'event_ids') FROM accusing
            WHERE jsonb_typeof(evidence -> 'event_ids') = 'array'
        )
        OR EXISTS (
            SELECT FROM accusing
            WHERE entity_type = 'source.ip' AND entity = host(source_ip)
                AND first_seen_at <= ended_at AND last_seen_at >= started_at
        )
    )"""
_COLUMNS = f"""
    id::text AS id, started_at, ended_at, duration_seconds::float8 AS duration_seconds, host(source_ip) AS source_ip,
    source_mac, source_port, destination_ip, destination_mac, destination_port, transport, protocol, state, sent_bytes,
    received_bytes, sent_packets, received_packets, is_encrypted, community_id, observer,
    {_IS_SUSPICIOUS} AS is_suspicious"""
_WITHIN = "FROM public.sessions WHERE started_at >= $1 AND started_at < $2"
_SUMS = f"""{_SUSPECTS}
    SELECT count(*) AS sessions,
        count(*) FILTER (WHERE is_encrypted) AS encrypted,
        count(*) FILTER (WHERE {_IS_SUSPICIOUS}) AS suspicious,
        coalesce(sum(sent_bytes + received_bytes), 0) AS bytes,
        coalesce(sum(sent_packets + received_packets), 0) AS packets
    {_WITHIN}"""
_TALKERS = """
    SELECT ip, count(*) AS sessions, sum(sent)::bigint AS sent_bytes, sum(received)::bigint AS received_bytes
    FROM public.session_ends WHERE started_at >= $1 AND started_at < $2
    GROUP BY ip ORDER BY sum(sent + received) DESC, ip LIMIT 10"""


class PostgresSessionStore:
    """Sessions that began in a span of time."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def page(self, query: SessionQuery) -> list[Session]:
        """List up to `query.limit` sessions, the latest first."""
        condition, values = _where(query)
        sql = (
            f"{_SUSPECTS} SELECT {_COLUMNS} FROM public.sessions WHERE {condition}"
            f" ORDER BY started_at DESC, sessions.id DESC LIMIT {int(query.limit)}"
        )
        async with connection(self._postgres) as borrowed:
            return [_session(row) for row in await borrowed.fetch(sql, *values)]

    async def stats(self, since: int, until: int) -> SessionStats:
        """Add up the sessions that began in the span, in microseconds."""
        span = (to_datetime(since), to_datetime(until))
        async with connection(self._postgres) as borrowed:
            sums = await borrowed.fetchrow(_SUMS, *span)
            protocols = await borrowed.fetch(_counted("coalesce(protocol, transport, 'unknown')"), *span)
            transports = await borrowed.fetch(_counted("coalesce(transport, 'unknown')"), *span)
            talkers = await borrowed.fetch(_TALKERS, *span)
        return SessionStats(
            since=format_instant(since),
            until=format_instant(until),
            sessions=sums["sessions"],
            by_protocol={row["name"]: row["n"] for row in protocols},
            by_transport={row["name"]: row["n"] for row in transports},
            encrypted=sums["encrypted"],
            suspicious=sums["suspicious"],
            total_bytes=int(sums["bytes"]),
            total_packets=int(sums["packets"]),
            top_talkers=[Talker(**dict(row)) for row in talkers],
        )


def _counted(name: str) -> str:
    return f"SELECT {name} AS name, count(*) AS n {_WITHIN} GROUP BY 1 ORDER BY 2 DESC, 1"


def _where(query: SessionQuery) -> tuple[str, list[Any]]:
    """Write the condition of a query and its parameters; the first is `since`, as _SUSPECTS wants it."""
    conditions, values = list[str](), list[Any]()
    for template, parameters in _filters(query):
        first = len(values) + 1
        conditions.append(template.format(*(f"${first + place}" for place in range(len(parameters)))))
        values.extend(parameters)
    return " AND ".join(conditions), values


def _filters(query: SessionQuery) -> Iterator[tuple[str, list[Any]]]:
    yield "started_at >= {}", [to_datetime(query.since)]
    yield "started_at < {}", [to_datetime(query.until)]
    if query.ip is not None:
        yield "(source_ip = {0}::text::inet OR destination_ip = {0}::text)", [query.ip]
    if query.mac is not None:
        yield "{}::text IN (source_mac, destination_mac)", [query.mac]
    if query.port is not None:
        yield "{}::bigint IN (source_port, destination_port)", [query.port]
    for column in ("transport", "protocol", "state", "is_encrypted"):
        if (wanted := getattr(query, column)) is not None:
            yield column + " = {}", [wanted]
    if query.is_suspicious is not None:
        yield _IS_SUSPICIOUS if query.is_suspicious else f"NOT {_IS_SUSPICIOUS}", []
    if query.after is not None:
        yield "(started_at, id) < ({}, {}::text::uuid)", [to_datetime(query.after[0]), query.after[1]]


def _session(row: Any) -> Session:
    return Session(**{**dict(row), "started_at": instant(row["started_at"]), "ended_at": instant(row["ended_at"])})

"""What the stores on PostgreSQL share: a connection that says when the server is away, and the audit entry."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec

from sakimori_api_gateway.domain.records import AuditEntry
from sakimori_common.context import Postgres
from sakimori_common.instants import format_instant, parse_instant, to_datetime, to_microseconds
from sakimori_common.postgres import CONNECTION_ERRORS, unavailable

ANSWER_SECONDS = 5.0
"""How long a person is kept waiting for the database before hearing 503."""


@asynccontextmanager
async def connection(postgres: Postgres) -> AsyncIterator[Any]:
    """Borrow a connection for up to ANSWER_SECONDS. Raises Unavailable when the server does not answer."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS), postgres.acquire() as borrowed:
            yield borrowed
    except CONNECTION_ERRORS as error:
        raise unavailable(error) from error


@asynccontextmanager
async def transaction(postgres: Postgres) -> AsyncIterator[Any]:
    """Borrow a connection with a transaction open on it. Raises Unavailable when the server does not answer."""
    async with connection(postgres) as borrowed, borrowed.transaction():
        yield borrowed


async def write_entry(borrowed: Any, entry: AuditEntry) -> None:
    """Write an audit entry on a connection, so that it stands or falls with the change it is about."""
    await borrowed.execute(
        "INSERT INTO gateway.audit (at, actor, action, target, old, new, address) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        moment(entry.at),
        entry.actor,
        entry.action,
        entry.target,
        None if entry.old is None else msgspec.json.encode(entry.old).decode(),
        None if entry.new is None else msgspec.json.encode(entry.new).decode(),
        entry.address,
    )


def moment(instant: str) -> datetime:
    """Turn RFC 3339 into what the driver wants."""
    return to_datetime(parse_instant(instant))


def instant(value: datetime) -> str:
    """Turn what the driver gave into RFC 3339."""
    return format_instant(to_microseconds(value))


def optional_instant(value: datetime | None) -> str | None:
    """Turn what the driver gave into RFC 3339, or None."""
    return None if value is None else instant(value)

"""Operators on PostgreSQL."""

from typing import Any

import asyncpg
import msgspec

from sakimori_api_gateway.adapters.postgres import (
    connection,
    instant,
    moment,
    optional_instant,
    transaction,
    write_entry,
)
from sakimori_api_gateway.domain.records import AuditEntry, User, UserChange
from sakimori_api_gateway.domain.roles import Role
from sakimori_api_gateway.ports import Conflict, NotFound
from sakimori_common.context import Postgres

_COLUMNS = "name, role, created_at, disabled_at, password_changed_at"
_INSERT = """
    INSERT INTO gateway.users (name, password_hash, role, created_at, password_changed_at)
    VALUES ($1, $2, $3, $4, $4)"""
_UPDATE = """
    UPDATE gateway.users SET
        role = coalesce($2, role),
        disabled_at = CASE $3::boolean
            WHEN true THEN coalesce(disabled_at, $5) WHEN false THEN NULL ELSE disabled_at END,
        password_hash = coalesce($4, password_hash),
        password_changed_at = CASE WHEN $4::text IS NULL THEN password_changed_at ELSE $5 END
    WHERE name = $1"""


class PostgresUserStore:
    """Operators in gateway.users."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def find(self, name: str) -> tuple[User, str] | None:
        """Look up an operator and the hash of the password."""
        async with connection(self._postgres) as borrowed:
            row = await borrowed.fetchrow(f"SELECT {_COLUMNS}, password_hash FROM gateway.users WHERE name = $1", name)
        return None if row is None else (_user(row), row["password_hash"])

    async def all(self) -> list[User]:
        """List operators by name."""
        async with connection(self._postgres) as borrowed:
            return [_user(row) for row in await borrowed.fetch(f"SELECT {_COLUMNS} FROM gateway.users ORDER BY name")]

    async def add(self, user: User, password_hash: str, entry: AuditEntry) -> None:
        """Add an operator. Raises Conflict when the name is taken."""
        async with transaction(self._postgres) as borrowed:
            try:
                await borrowed.execute(_INSERT, user.name, password_hash, user.role, moment(user.created_at))
            except asyncpg.UniqueViolationError:
                raise Conflict(f"there is a user {user.name} already") from None
            await write_entry(borrowed, entry)

    async def add_first(self, user: User, password_hash: str, entry: AuditEntry) -> bool:
        """Add an operator if there is none at all; tells whether it did. Replicas that start at once add one."""
        async with transaction(self._postgres) as borrowed:
            await borrowed.execute("LOCK TABLE gateway.users IN SHARE ROW EXCLUSIVE MODE")
            if await borrowed.fetchval("SELECT EXISTS (SELECT FROM gateway.users)"):
                return False
            await borrowed.execute(_INSERT, user.name, password_hash, user.role, moment(user.created_at))
            await write_entry(borrowed, entry)
            return True

    async def change(self, name: str, change: UserChange, entry: AuditEntry) -> User:
        """Change an operator; `old` of the entry is filled in. Raises NotFound; Conflict for the last active admin."""
        async with transaction(self._postgres) as borrowed:
            # One change at a time: two admins who disable one another at once would leave none.
            await borrowed.execute("LOCK TABLE gateway.users IN SHARE ROW EXCLUSIVE MODE")
            row = await borrowed.fetchrow(f"SELECT {_COLUMNS} FROM gateway.users WHERE name = $1", name)
            if row is None:
                raise NotFound(f"there is no user {name}")
            old = {"role": row["role"], "disabled": row["disabled_at"] is not None}
            updated = await borrowed.fetchrow(
                f"{_UPDATE} RETURNING {_COLUMNS}",
                name,
                change.role,
                change.disabled,
                change.password_hash,
                moment(entry.at),
            )
            if not await _has_active_admin(borrowed):
                raise Conflict("there must be an active admin")
            await write_entry(borrowed, msgspec.structs.replace(entry, old=old))
            return _user(updated)


async def _has_active_admin(borrowed: Any) -> bool:
    return bool(
        await borrowed.fetchval(
            "SELECT EXISTS (SELECT FROM gateway.users WHERE role = 'admin' AND disabled_at IS NULL)"
        )
    )


def _user(row: Any) -> User:
    return User(
        name=row["name"],
        role=Role(row["role"]),
        created_at=instant(row["created_at"]),
        disabled_at=optional_instant(row["disabled_at"]),
        password_changed_at=instant(row["password_changed_at"]),
    )

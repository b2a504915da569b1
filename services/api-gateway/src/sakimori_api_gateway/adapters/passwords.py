"""Passwords hashed by Argon2id."""

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import Type

TIME_COST = 3
MEMORY_KIB = 65_536
LANES = 4
"""RFC 9106, section 4, second recommended option: 3 passes over 64 MiB, 4 lanes, 128-bit salt, 256-bit tag."""

_AT_ONCE = 4
"""Hashes computed at the same time: bounds the memory that logins can take to 256 MiB."""


class Argon2Passwords:
    """Hash and verify in threads; 30-100 ms each. Only tests have a reason to lower the costs."""

    def __init__(self, *, time_cost: int = TIME_COST, memory_kib: int = MEMORY_KIB, lanes: int = LANES) -> None:
        self._hasher = PasswordHasher(time_cost, memory_kib, lanes, hash_len=32, salt_len=16, type=Type.ID)
        self._nobody = self._hasher.hash(secrets.token_urlsafe(32))
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> str:
        """Hash a password with a fresh salt."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Compare; None (no such user) costs the same work and is False."""
        async with self._slots:
            matches = await asyncio.to_thread(self._matches, password, password_hash or self._nobody)
        return matches and password_hash is not None

    def _matches(self, password: str, password_hash: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (Argon2Error, InvalidHashError):
            return False

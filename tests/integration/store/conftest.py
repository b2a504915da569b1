"""The store on plain PostgreSQL."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

pytest.register_assert_rewrite("store_suite")


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Any]:
    """A connection to a migrated database with nothing in it."""
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()

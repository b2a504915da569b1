"""A gateway for each test that asks for one."""

from collections.abc import AsyncIterator

import pytest

from gateway.stage import Stage, staged
from sakimori_common.context import Valkey


@pytest.fixture
async def stage(postgres_url: str, valkey: Valkey) -> AsyncIterator[Stage]:
    """A running gateway with default settings but for limits that would hold up tests."""
    async with staged(postgres_url, valkey) as running:
        yield running

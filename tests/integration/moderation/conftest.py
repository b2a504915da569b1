"""Gateway and chat for each test that asks for them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.pair import Pair, together
from sakimori_common.context import Postgres, Valkey


@pytest.fixture
async def pair(postgres_url: str, postgres: Postgres, valkey: Valkey, tmp_path: Path) -> AsyncIterator[Pair]:
    """The real chat behind the real gateway."""
    async with together(postgres_url, postgres, valkey, tmp_path / "spool") as running:
        yield running

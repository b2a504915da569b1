"""Both states of the detector, for the suites that they pass."""

from collections.abc import AsyncIterator

import pytest

from sakimori_common.valkey import open_valkey
from sakimori_detector.adapters.memory import MemoryState
from sakimori_detector.adapters.valkey import ValkeyState
from sakimori_detector.ports import DetectionState
from servers.patience import PATIENT_SECONDS


@pytest.fixture(params=["memory", "valkey"])
async def state(request: pytest.FixtureRequest) -> AsyncIterator[DetectionState]:
    if request.param == "memory":
        yield MemoryState()
        return
    client = open_valkey(request.getfixturevalue("valkey_server").url, timeout_seconds=PATIENT_SECONDS)
    await client.flushall()
    yield ValkeyState(client)
    await client.aclose()

"""The compiled part is made aside, and a capture waits for it."""

import asyncio
import subprocess

import pytest
import structlog

from sakimori_packet_sensor.adapters.preparation import COMMAND, Preparation
from sakimori_packet_sensor.ports import NotPrepared


@pytest.mark.parametrize("command", ["/bin/true", "/bin/false"])
async def test_who_waits_goes_on_when_it_is_over_however_it_ended(command: str) -> None:
    prepared = Preparation(structlog.get_logger(), [command], patience_seconds=60)
    await asyncio.gather(prepared.wait(), prepared.run())


async def test_who_waits_too_long_is_told_to_come_again() -> None:
    with pytest.raises(NotPrepared):
        await Preparation(structlog.get_logger(), ["/bin/true"], patience_seconds=0.01).wait()


async def test_it_ends_with_the_service() -> None:
    running = asyncio.create_task(Preparation(structlog.get_logger(), ["tail", "-f", "/dev/null"]).run())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.timeout(600)
def test_what_is_prepared_is_what_reading_needs() -> None:
    assert subprocess.run(COMMAND, check=False).returncode == 0

import asyncio

import pytest

from sakimori_chat.api.queueing import Queueing
from servers.eventually import eventually

HOME, OFFICE = "192.0.2.1", "192.0.2.2"


class Stage:
    """Requests that work until they are told to end."""

    def __init__(self) -> None:
        self.queueing = Queueing()
        self.working: list[str] = []
        self.ends = asyncio.Event()

    async def request(self, name: str, network: str) -> None:
        """Be one."""
        async with self.queueing.turn(network):
            self.working.append(name)
            await self.ends.wait()


async def test_a_burst_of_one_network_leaves_the_door_open_to_another() -> None:
    stage = Stage()
    burst = [asyncio.create_task(stage.request(name, HOME)) for name in "abcde"]
    honest = asyncio.create_task(stage.request("honest", OFFICE))
    await asyncio.sleep(0)
    assert stage.working == ["a", "b", "honest"]
    stage.ends.set()
    await asyncio.gather(*burst, honest)
    assert stage.working == ["a", "b", "honest", "c", "d", "e"]


async def test_who_waits_for_something_else_does_not_hold_the_others_up() -> None:
    stage = Stage()
    requests = [asyncio.create_task(stage.request(name, HOME)) for name in "abcde"]
    await eventually(lambda: stage.working == ["a", "b", "c", "d", "e"])
    assert not stage.ends.is_set()
    stage.ends.set()
    await asyncio.gather(*requests)


async def test_turns_are_not_lost_to_those_who_leave_or_fail() -> None:
    stage = Stage()
    requests = [asyncio.create_task(stage.request(name, HOME)) for name in "abcdef"]
    await asyncio.sleep(0)
    for number in (0, 2, 1):  # one at work, one that waits, and the other one at work
        requests[number].cancel()
    with pytest.raises(asyncio.CancelledError):
        await requests[1]
    await asyncio.sleep(0)
    assert stage.working == ["a", "b", "d", "e"]
    requests[3].cancel()
    requests[5].cancel()  # it is handed its turn and leaves in the same moment
    stage.ends.set()
    await asyncio.gather(*requests, return_exceptions=True)
    stage.working.clear()
    await asyncio.gather(*[stage.request(name, HOME) for name in "xyz"])
    assert stage.working == ["x", "y", "z"]
    assert not stage.queueing._turns._sources

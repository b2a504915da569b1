import asyncio
from collections.abc import Callable

from sakimori_chat.bots.sessions.workload import Job, Owner, Workload
from servers.eventually import eventually


class Work:
    """Jobs that run until they are let go, and what happened."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}

    def job(self, name: str) -> Job:
        gate = self.gates.setdefault(name, asyncio.Event())

        async def run() -> None:
            self.begun.append(name)
            await gate.wait()

        return run

    def let_go(self, *names: str) -> None:
        for name in names:
            self.gates[name].set()


async def _submit(workload: Workload, owner: Owner, work: Work, room: str, *names: str) -> None:
    for name in names:
        assert await workload.submit(owner, room, work.job(name))


def _has_begun(work: Work, *names: str) -> Callable[[], bool]:
    return lambda: work.begun == list(names)


async def test_jobs_of_one_bot_in_a_room_are_done_one_after_the_other() -> None:
    workload, work = Workload(), Work()
    await _submit(workload, workload.owner(), work, "lobby", "first", "second")
    await eventually(_has_begun(work, "first"))
    work.let_go("first")
    await eventually(_has_begun(work, "first", "second"))
    work.let_go("second")
    await workload.idle()


async def test_three_bots_at_once_are_served_in_a_room_and_the_fourth_waits() -> None:
    workload, work = Workload(per_room=3), Work()
    for name in ("a", "b", "c", "d"):
        await _submit(workload, workload.owner(), work, "lobby", name)
    await eventually(_has_begun(work, "a", "b", "c"))
    work.let_go("b")
    await eventually(_has_begun(work, "a", "b", "c", "d"))
    work.let_go("a", "c", "d")
    await workload.idle()


async def test_a_room_that_hangs_does_not_hold_up_another_not_even_for_the_same_bot() -> None:
    workload, work = Workload(per_room=1), Work()
    owner = workload.owner()
    await _submit(workload, owner, work, "slow", "stuck", "waits")
    await _submit(workload, owner, work, "quick", "goes")
    await _submit(workload, workload.owner(), work, "quick", "goes too")
    work.let_go("goes", "goes too")
    await eventually(_has_begun(work, "stuck", "goes", "goes too"))
    assert workload.held == 2
    work.let_go("stuck", "waits")
    await workload.idle()


async def test_bots_take_turns_in_a_room_however_much_one_of_them_asks() -> None:
    workload, work = Workload(per_room=1), Work()
    await _submit(workload, workload.owner(), work, "lobby", "a1", "a2", "a3")
    await _submit(workload, workload.owner(), work, "lobby", "b1")
    work.let_go("a1", "a2", "a3", "b1")
    await workload.idle()
    assert work.begun == ["a1", "b1", "a2", "a3"]


async def test_a_bot_with_thirty_jobs_waits_until_one_is_done_and_others_do_not() -> None:
    workload, work = Workload(), Work()
    owner = workload.owner()
    names = [f"job {number}" for number in range(30)]
    await _submit(workload, owner, work, "lobby", *names)
    further = asyncio.create_task(workload.submit(owner, "lobby", work.job("31st")))
    await _submit(workload, workload.owner(), work, "lobby", "of another")
    await eventually(_has_begun(work, "job 0", "of another"))
    assert not further.done()
    assert workload.held == 31
    work.let_go("job 0")
    assert await further
    work.let_go(*names, "31st", "of another")
    await workload.idle()


async def test_what_is_too_much_in_all_is_refused_and_the_place_is_free_again() -> None:
    workload, work = Workload(per_bot=30, in_all=40), Work()
    one, another = workload.owner(), workload.owner()
    await _submit(workload, one, work, "a", *(f"a{number}" for number in range(30)))
    await _submit(workload, another, work, "b", *(f"b{number}" for number in range(10)))
    assert not await workload.submit(another, "b", work.job("one too many"))
    assert workload.held == 40
    work.let_go(*work.gates)
    await workload.idle()
    assert "one too many" not in work.begun
    assert workload.held == 0
    assert await workload.submit(another, "b", work.job("again"))
    work.let_go("again")
    await workload.idle()


async def test_rooms_that_are_done_leave_nothing_behind() -> None:
    workload, work = Workload(), Work()
    owner = workload.owner()
    for number in range(200):
        work.job("any")
        work.let_go("any")
        assert await workload.submit(owner, f"room {number}", work.job("any"))
    await workload.idle()
    assert workload.rooms == 0

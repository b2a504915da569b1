import asyncio

from sakimori_common.tasks import end_tasks


async def test_a_task_that_loses_its_first_cancellation_ends_all_the_same() -> None:
    lost = 0

    async def stubborn() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost:
                    raise
                lost += 1

    async def failing() -> None:
        raise ValueError("its own trouble")

    tasks = [asyncio.create_task(stubborn()), asyncio.create_task(failing())]
    await asyncio.sleep(0)
    await end_tasks(*tasks)
    assert lost == 1
    assert [task.done() for task in tasks] == [True, True]
    assert isinstance(tasks[1].exception(), ValueError)

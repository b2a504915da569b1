"""Readiness: every check at once, each within its time, and nothing that tells an address."""

import asyncio

from sakimori_common.health import Health


async def test_all_is_well() -> None:
    health = Health()

    async def fine() -> int:
        return 1

    health.add("bus", fine)
    health.add("postgres", fine)
    assert await health.report() == {"bus": "ok", "postgres": "ok"}


async def test_what_goes_wrong_is_named_by_its_kind_only() -> None:
    health = Health()

    async def broken() -> None:
        raise ConnectionRefusedError("10.0.0.7:5432 refused password=hush")

    health.add("postgres", broken)
    assert await health.report() == {"postgres": "ConnectionRefusedError"}


async def test_a_check_that_does_not_answer_does_not_hold_up_the_report() -> None:
    health = Health(timeout_seconds=0.01)

    async def silent() -> None:
        await asyncio.Event().wait()

    health.add("valkey", silent)
    assert await health.report() == {"valkey": "no answer within 0.01 s"}


async def test_a_service_without_dependencies_is_ready() -> None:
    assert await Health().report() == {}

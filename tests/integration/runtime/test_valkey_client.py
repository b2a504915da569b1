import asyncio

from sakimori_common.context import Valkey


async def test_a_burst_of_calls_waits_for_a_connection_and_loses_none(valkey: Valkey) -> None:
    answers = await asyncio.gather(*[valkey.incr("calls") for _ in range(300)])
    assert sorted(answers) == list(range(1, 301))

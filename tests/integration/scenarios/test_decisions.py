"""From a decision to the door: within a second, by HTTP, on a connection that is open, and on every replica."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from integration.chat.conftest import ADDRESS, Visitor, chat_running
from integration.chat.live import listening
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually

from .conftest import SPAM, Scene, scene

A_SECOND = 1.0


@pytest.mark.parametrize(
    ("entity_type", "refusal"),
    [
        ("user.id", (429, "blocked")),
        ("client.fingerprint", (403, "blocked_by_decision")),
        ("source.ip", (403, "blocked_by_decision")),
    ],
)
async def test_a_decision_that_is_published_is_enforced_within_a_second_and_lifted_as_fast(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, entity_type: str, refusal: tuple[int, str]
) -> None:
    async with scene(valkey, postgres, tmp_path, post_limit=1000, fingerprint_post_limit=1000) as stage:
        somebody, other = await stage.chat.visitor(), await stage.chat.visitor("198.51.100.8", "Safari")
        assert await _answer(somebody) == (200, None)
        (event,) = await eventually(lambda: stage.events)
        entity = ADDRESS if entity_type == "source.ip" else str(event.fields[entity_type])
        published = asyncio.create_task(stage.chat.decide(entity_type, entity, 60))
        await eventually(lambda: _is(refusal, somebody), A_SECOND)
        assert await _answer(other) == (200, None)
        await published
        lifted = asyncio.create_task(stage.chat.decide(entity_type, entity, -1, origin="operator"))
        await eventually(lambda: _is((200, None), somebody), A_SECOND)
        await lifted


async def test_a_decision_reaches_an_open_connection_of_another_replica_within_a_second(
    stage: Scene, valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "other", takes_events=False) as replica:
        somebody = await replica.visitor()
        async with listening(somebody) as live:
            await live.until("room")
            published = asyncio.create_task(stage.chat.decide("user.id", somebody.anon_id, 60))
            async with asyncio.timeout(A_SECOND):
                blocked = await live.until("blocked")
            assert 0 < blocked["block_sec"] <= 60
            await live.post(SPAM[0], ref="1")
            refused = await live.until("refused")
            assert (refused["ref"], refused["code"]) == ("1", "blocked")
            await published


async def _is(expected: tuple[int, str | None], visitor: Visitor) -> bool:
    return await _answer(visitor) == expected


async def _answer(visitor: Visitor) -> tuple[int, str | None]:
    response = await visitor.post(f"{uuid4()}")
    return response.status_code, response.json().get("code")

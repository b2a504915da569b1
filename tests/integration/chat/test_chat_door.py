"""What the chat refuses before it has looked at anything."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from integration.chat.conftest import OpenChat, Visitor, chat_running
from integration.chat.live import listening
from sakimori_common.context import Postgres, Valkey
from sakimori_common.contracts import Event
from servers.eventually import eventually
from servers.own_logs import lines_of


@pytest.fixture
async def strict_chat(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> AsyncIterator[OpenChat]:
    """A chat that sheds what is over one post a second."""
    async with chat_running(valkey, postgres, tmp_path / "spool", posts_per_second=1) as opened:
        yield opened


async def test_a_flood_is_refused_at_the_door_and_told_of_in_one_event_a_second(
    log_folder: Path, strict_chat: OpenChat
) -> None:
    chat = strict_chat
    abuser = await chat.visitor("203.0.113.66")
    started = time.monotonic()
    answers = await asyncio.gather(*[abuser.post(f"post {number}") for number in range(300)])
    refused = [answer for answer in answers if answer.json().get("code") == "too_many_requests"]
    assert len(refused) > 200
    assert {answer.status_code for answer in refused} == {429}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    await eventually(lambda: sum(int(str(event.fields["chat.attempts"])) for event in _shed(chat)) == len(refused))
    assert len(_shed(chat)) <= time.monotonic() - started + 2
    assert "client.fingerprint" not in _shed(chat)[0].fields
    assert len({str(event.fields["client.ip_hash"]) for event in _shed(chat)}) == 1
    assert "203.0.113.66" not in str(chat.events)
    lines = [line for line in lines_of(log_folder / "security.log") if line["action"] == "security.requests_shed"]
    assert {line["ip"] for line in lines} == {"203.0.113.66"}
    assert chat.metric("sakimori_chat_requests_shed_total") == len(refused)


async def test_others_are_served_while_one_floods(strict_chat: OpenChat) -> None:
    chat = strict_chat
    abuser, honest = await chat.visitor("203.0.113.66"), await chat.visitor("203.0.113.8")
    flood = asyncio.gather(*[abuser.post(f"post {number}") for number in range(300)])
    assert (await honest.post("hello")).status_code == 200
    await flood
    assert (await honest.open()).status_code == 200


async def test_nobody_waits_behind_a_burst_of_another_network(chat: OpenChat) -> None:
    busy, honest = await chat.visitor("203.0.113.66"), await chat.visitor("203.0.113.8")
    answered: list[str] = []

    async def open_page(name: str, visitor: Visitor) -> None:
        assert (await visitor.open()).status_code == 200
        answered.append(name)

    await asyncio.gather(*[open_page("busy", busy) for _ in range(30)], open_page("honest", honest))
    assert answered.index("honest") < 15


async def test_posts_by_websocket_pass_the_same_door(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", posts_per_second=0.01) as chat:
        abuser, honest = await chat.visitor("203.0.113.66"), await chat.visitor("203.0.113.8")
        async with listening(abuser) as one, listening(abuser) as two:
            await one.post("one", ref="1")
            assert (await one.until("posted"))["ref"] == "1"
            await two.post("two", ref="2")
            refused = await two.until("refused")
        assert (refused["ref"], refused["code"], refused["block_sec"]) == ("2", "too_many_requests", 0)
        assert (await abuser.post("by HTTP")).json()["code"] == "too_many_requests"
        assert (await honest.post("hello")).status_code == 200
        await eventually(lambda: sum(int(str(event.fields["chat.attempts"])) for event in _shed(chat)) == 2)


async def test_a_network_of_ipv6_counts_as_one(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", requests_per_second=3) as chat:
        first = await chat.visitor("2001:db8::1")
        second = await chat.visitor("2001:db8::2", opens=False)
        assert (await second.open()).status_code == 200
        assert (await first.open()).status_code == 200
        answers = await asyncio.gather(*[visitor.open() for visitor in [first, second] * 20])
        assert 429 in {answer.status_code for answer in answers}


async def test_a_request_that_trickles_in_is_refused_and_reported(chat: OpenChat, log_folder: Path) -> None:
    host, port = chat.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /chat/post HTTP/1.1\r\nhost: chat\r\n")
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    await eventually(lambda: len(chat.of("security.request_timed_out")) == 1)
    (event,) = chat.of("security.request_timed_out")
    assert event.fields["chat.reason"] == "head"
    assert "trace.id" not in event.fields


def _shed(chat: OpenChat) -> list[Event]:
    return chat.of("security.requests_shed")

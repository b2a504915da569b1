"""The client that the documentation gives to authors of bots, against the real chat."""

import asyncio
import importlib.util
import json
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from integration.chat.bots import TestBot, approved_bot, decide
from integration.chat.conftest import SECRET_KEY, OpenChat, chat_running
from sakimori_common.context import Postgres, Valkey
from servers.chat_process import ChatProcess
from servers.eventually import eventually
from servers.ports import free_ports

_FILE = Path(__file__).resolve().parents[3] / "deploy" / "bots" / "session.py"


@pytest.fixture(scope="module")
def client() -> ModuleType:
    spec = importlib.util.spec_from_file_location("session_client", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def process(tmp_path: Path, postgres_url: str, valkey_url: str) -> Iterator[ChatProcess]:
    """The chat as a process of its own; it is not started yet."""
    chat = ChatProcess(tmp_path, postgres_url, valkey_url, SECRET_KEY)
    yield chat
    chat.kill()


class Pauses:
    """Pauses that are noted, and are short."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0.05)


@asynccontextmanager
async def _running(session: Any) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(session.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


@pytest.mark.parametrize("scheme", ["ws", "tcp"])
async def test_it_posts_and_hears(
    client: ModuleType, valkey: Valkey, postgres: Postgres, tmp_path: Path, scheme: str
) -> None:
    (port,) = free_ports(1)
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_ports=(port,)) as chat:
        bot = await approved_bot(chat)
        url = f"tcp://127.0.0.1:{port}" if scheme == "tcp" else chat.url.replace("http", "ws") + "/bots/ws"
        heard: list[str] = []
        session = client.BotSession(url, bot.id, bot.secret, heard=lambda _, message: heard.append(message["text"]))
        async with _running(session):
            await session.is_open.wait()
            assert await session.post("lobby", "from the client") == 1
            visitor = await chat.visitor()
            await visitor.post("from somebody")
            await eventually(lambda: heard == ["from the client", "from somebody"])
            assert [message["text"] for message in await session.read("lobby")] == heard
            with pytest.raises(client.Refused, match="may not use that room"):
                await session.post("attic", "not mine")


async def test_it_gives_up_when_it_is_blocked(client: ModuleType, chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    session = client.BotSession(chat.url.replace("http", "ws") + "/bots/ws", bot.id, bot.secret)
    async with _running(session) as running:
        await session.is_open.wait()
        await decide(chat, bot, "blocked")
        with pytest.raises(client.Refused) as refusal:
            await asyncio.wait_for(running, 10)
        assert refusal.value.code == "bot_blocked"


async def test_it_comes_back_after_the_chat_was_killed_and_after_it_was_restarted(
    client: ModuleType, valkey: Valkey, postgres: Postgres, process: ChatProcess, tmp_path: Path
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "first") as chat:
        bot = await approved_bot(chat)
    process.start()
    heard: list[str] = []
    pauses = Pauses()
    session = client.BotSession(
        f"tcp://127.0.0.1:{process.bot_port}",
        bot.id,
        bot.secret,
        heard=lambda _, message: heard.append(message["text"]),
        pause=pauses,
    )
    async with _running(session):
        await asyncio.wait_for(session.is_open.wait(), 10)
        await session.post("lobby", "before")
        await eventually(lambda: heard == ["before"])
        for end in (process.kill, process.stop):
            await asyncio.to_thread(end)
            await eventually(lambda: not session.is_open.is_set())
            with pytest.raises(client.Disconnected):
                await session.post("lobby", "lost")
            await asyncio.to_thread(process.start)
            await _say_by_http(process.port, bot, "meanwhile")
            await asyncio.wait_for(session.is_open.wait(), 30)
        await eventually(lambda: heard.count("meanwhile") == 2)
        await session.post("lobby", "after")
        await eventually(lambda: heard == ["before", "meanwhile", "meanwhile", "after"])
    assert "Traceback" not in process.output()


async def _say_by_http(port: int, bot: TestBot, text: str) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        speaker = TestBot(http, bot.id, bot.secret)
        assert (await speaker.post(text)).status_code in {200, 201}


async def test_while_nobody_answers_it_waits_longer_each_time_and_then_leaves_the_server_alone(
    client: ModuleType,
) -> None:
    (port,) = free_ports(1)
    pauses = Pauses()
    session = client.BotSession(f"tcp://127.0.0.1:{port}", "bot-0123456789abcdef", "sbk_none", pause=pauses)
    async with _running(session):
        await eventually(lambda: len(pauses.seconds) >= 6)
    first = pauses.seconds[:4]
    assert all(abs(seconds / expected - 1) <= 0.1 for seconds, expected in zip(first, (2, 4, 8, 16), strict=True))
    assert all(seconds >= 50 for seconds in pauses.seconds[4:6])  # the fifth failure within a minute


def test_it_never_waits_over_a_minute_but_for_the_jitter(client: ModuleType) -> None:
    waits = [client.back_off(tries, lambda low, high: high) for tries in (1, 2, 5, 6, 1000)]
    assert waits == pytest.approx([2.2, 4.4, 35.2, 66.0, 66.0])


def test_the_breaker_closes_after_five_failures_within_a_minute_and_opens_after_one(client: ModuleType) -> None:
    breaker = client.CircuitBreaker()
    for at in (0.0, 10.0, 20.0, 30.0):
        breaker.failed(at)
    assert breaker.seconds_closed(31.0) == 0
    breaker.failed(40.0)
    assert breaker.seconds_closed(40.0) == 60
    assert breaker.seconds_closed(100.0) == 0
    spread = client.CircuitBreaker()
    for at in (0.0, 20.0, 40.0, 60.0, 80.0):
        spread.failed(at)
    assert spread.seconds_closed(80.0) == 0


async def _command(url: str, bot_id: str, secret: str, given: int = asyncio.subprocess.PIPE) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(_FILE),
        url,
        bot_id,
        "lobby",
        env={"SAKIMORI_BOT_SECRET": secret},
        stdin=given,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_from_the_command_line_it_posts_its_input_and_prints_what_is_said_until_it_is_not_wanted(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_ports=(port,)) as chat:
        bot = await approved_bot(chat)
        process = await _command(f"tcp://127.0.0.1:{port}", bot.id, bot.secret)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"hello from a shell\n\n")
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        assert line.decode() == f"lobby 1 {bot.id}: hello from a shell\n"
        visitor = await chat.visitor()
        assert json.loads((await visitor.http.get("/chat/poll")).text)["messages"][0]["kind"] == "bot"
        assert process.stderr is not None
        error = await asyncio.wait_for(process.stderr.readline(), 20)
        assert error == b"not posted: empty: A message needs at least one visible character.\n"
        await decide(chat, bot, "blocked")
        error = await asyncio.wait_for(process.stderr.read(), 20)
        assert error == b"refused: bot_blocked: An operator blocked this bot.\n"
        assert await process.wait() == 1


async def test_from_the_command_line_it_reads_a_file_too(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    (tmp_path / "lines").write_text("one\ntwo\n")
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_ports=(port,)) as chat:
        bot = await approved_bot(chat)
        with (tmp_path / "lines").open() as lines:
            process = await _command(f"tcp://127.0.0.1:{port}", bot.id, bot.secret, lines.fileno())
        assert process.stdout is not None
        said = [(await asyncio.wait_for(process.stdout.readline(), 20)).decode() for _ in range(2)]
        assert said == [f"lobby 1 {bot.id}: one\n", f"lobby 2 {bot.id}: two\n"]
        process.kill()
        await process.wait()


@contextmanager
def _interruptible() -> Iterator[None]:
    """A background job of a shell ignores SIGINT, and what it starts does so, too; in a terminal nothing does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def test_from_the_command_line_it_says_why_it_is_not_connected_and_that_it_was_interrupted() -> None:
    (port,) = free_ports(1)
    with _interruptible():
        process = await _command(f"tcp://127.0.0.1:{port}", "bot-0123456789abcdef", "sbk_none")
    assert process.stderr is not None
    said = (await asyncio.wait_for(process.stderr.readline(), 20)).decode()
    assert said.startswith("not connected: [Errno 111] Connect call failed ")
    assert said.endswith("; the next try is in 2 s\n")
    process.send_signal(signal.SIGINT)
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, errors) == (130, b"interrupted: the connection is closed\n")

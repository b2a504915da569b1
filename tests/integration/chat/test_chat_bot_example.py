"""The documented example: README's own blocks and client.py, run as a stranger would, against a running chat."""

import asyncio
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from integration.chat.bots import TestBot, bot_at, decide
from integration.chat.conftest import OpenChat, chat_running
from sakimori_common.context import Postgres, Valkey

EXAMPLES = Path(__file__).resolve().parents[3] / "deploy" / "bots"
README = (EXAMPLES / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Take the README's blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@dataclass
class Stranger:
    """Somebody with a folder, a shell, and the address of a chat."""

    folder: Path
    url: str

    async def run(self, *command: str) -> tuple[int, str, str]:
        """Run a command; status, output, errors."""
        environment = {
            "PATH": os.environ["PATH"],
            "CHAT": self.url,
            "CHAT_URL": self.url,
            "LC_ALL": "C.UTF-8",
            "no_proxy": "127.0.0.1",
        }
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        return process.returncode or 0, output.decode(), errors.decode()

    async def client(self, *arguments: str) -> tuple[int, str, str]:
        """Run client.py."""
        return await self.run(sys.executable, "client.py", *arguments)

    def bot(self, chat: OpenChat) -> TestBot:
        """Make a bot of what lies in bot.json, for the operator to find."""
        kept = json.loads((self.folder / "bot.json").read_text())
        bot = bot_at(chat)
        bot.id, bot.secret = kept.get("bot", kept)["id"], kept["secret"]
        return bot


@pytest.fixture
async def chat(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> AsyncIterator[OpenChat]:
    async with chat_running(valkey, postgres, tmp_path / "spool") as opened:
        yield opened


@pytest.fixture
def stranger(chat: OpenChat, tmp_path: Path) -> Stranger:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shutil.copy(EXAMPLES / "client.py", folder)
    return Stranger(folder, chat.url)


async def test_the_readme_s_own_blocks_work(chat: OpenChat, stranger: Stranger) -> None:
    register, shell, one_line = blocks("sh")
    (python,) = blocks("python")
    assert await stranger.run("sh", "-euc", register) == (0, "", "")
    bot = stranger.bot(chat)
    await decide(chat, bot, "approved")

    status, output, errors = await stranger.run("sh", "-euc", shell)
    assert (status, errors) == (0, "")
    me, posted, page = (json.loads(line) for line in output.splitlines())
    assert me == {
        "id": bot.id,
        "name": "Weather",
        "status": "approved",
        "rooms": ["lobby"],
        "secret_expires_at": None,
    }
    assert [(message["id"], message["text"]) for message in page["messages"]] == [(posted["id"], "It will rain.")]
    renewed = json.loads((stranger.folder / "renewed.json").read_text())["secret"]
    assert (await bot.post("with the renewed secret", secret=renewed)).status_code == 201

    status, output, errors = await stranger.run("sh", "-euc", one_line)
    assert (status, errors) == (0, "")
    assert json.loads(output)["id"] == posted["id"] + 2
    assert await stranger.run(sys.executable, "-c", python) == (0, "Weather It stopped.\n", "")
    texts = [message["text"] for message in (await bot.read()).json()["messages"]]
    assert texts == ["It will rain.", "with the renewed secret", "Still raining.", "It stopped."]


async def test_the_client_registers_waits_posts_reads_and_rotates(chat: OpenChat, stranger: Stranger) -> None:
    status, output, _ = await stranger.client("register", "Trains", "lobby")
    kept = stranger.folder / "bot.json"
    first = json.loads(kept.read_text())
    assert status == 0
    assert output == f"{first['id']} waits for an operator; its secret is in bot.json\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    assert json.loads((await stranger.client("me"))[1])["status"] == "pending"
    status, output, errors = await stranger.client("post", "lobby", "may I?")
    assert (status, output) == (1, "")
    assert errors == "refused: 403 bot_pending: An operator has not approved this bot yet.\n"
    assert first["secret"] not in errors

    await decide(chat, stranger.bot(chat), "approved")
    assert await stranger.client("post", "lobby", "定刻です。") == (0, "1\n", "")
    assert await stranger.client("rotate") == (0, "the new secret is in bot.json\n", "")
    second = json.loads(kept.read_text())
    assert second["id"] == first["id"]
    assert second["secret"] != first["secret"]
    assert await stranger.client("post", "lobby", "Ten minutes late.") == (0, "2\n", "")
    page = json.loads((await stranger.client("read", "lobby", "1"))[1])
    assert [message["text"] for message in page["messages"]] == ["Ten minutes late."]
    status, _, errors = await stranger.client("post", "attic", "x")
    assert errors.startswith("refused: 403 room_not_approved: ")


async def test_the_client_without_a_chat_or_a_command_says_so(stranger: Stranger) -> None:
    assert (await stranger.client("post", "lobby"))[0] != 0
    status, _, errors = await stranger.client("dance")
    assert status == 2
    assert "register Weather lobby" in errors
    stranger.url = "http://127.0.0.1:1"
    status, _, errors = await stranger.client("register", "Trains", "lobby")
    assert status == 1
    assert errors.startswith("no answer: ")

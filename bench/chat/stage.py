"""A chat with its stores, started for a bench and ended after it."""

import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import psutil
import uvloop

from sakimori.embedded import PostgresServer, ValkeyServer
from sakimori_common.postgres import migrate

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from servers.ports import free_ports

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop, as the services do."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


@dataclass(frozen=True, slots=True)
class Stage:
    """An open chat."""

    port: int
    edge_token: str
    valkey_url: str
    process: psutil.Process

    def headers(self, address: str) -> dict[str, str]:
        """What the gateway says of a client at this address."""
        return {"x-sakimori-edge": self.edge_token, "x-forwarded-for": address, "user-agent": "Firefox"}

    def cpu_seconds(self) -> float:
        """What the chat has used so far, user and system."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def stage(rooms: Sequence[str] = (), **settings: object) -> Iterator[Stage]:
    """Start Valkey, PostgreSQL and the chat with these rooms beside the lobby; end them with the block."""
    with tempfile.TemporaryDirectory(prefix="sakimori-bench-") as name:
        home = Path(name)
        valkey, postgres = ValkeyServer(home), PostgresServer(home, throwaway=True)
        try:
            valkey.start()
            postgres.start()
            run(_prepared(postgres.url, rooms))
            with _chat(home, valkey.url, postgres.url, settings) as opened:
                yield opened
        finally:
            valkey.stop()
            postgres.stop()


@contextmanager
def _chat(home: Path, valkey_url: str, postgres_url: str, settings: dict[str, object]) -> Iterator[Stage]:
    ports, edge_token = free_ports(2), secrets.token_hex(16)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "BUS_URL": "memory://",
        "DATABASE_URL": postgres_url,
        "VALKEY_URL": valkey_url,
        "EDGE_TOKEN": edge_token,
        "CHAT_SECRET_KEY": secrets.token_hex(16),
        "CHAT_PORT": str(ports[0]),
        "CHAT_SIDE_PORT": str(ports[1]),
        "CHAT_SPOOL_DIR": str(home / "spool"),
        **{f"CHAT_{name.upper()}": str(value) for name, value in settings.items()},
    }
    command = [sys.executable, "-m", "bench.chat.server"]
    server = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if server.stdout is None or server.stdout.readline() != b"ready\n":
            raise SystemExit("the chat did not start")
        yield Stage(ports[0], edge_token, valkey_url, psutil.Process(server.pid))
    finally:
        server.terminate()
        server.wait(20)


async def _prepared(url: str, rooms: Sequence[str]) -> None:
    connection = await asyncpg.connect(url)
    await migrate(connection)
    for room in rooms:
        await connection.execute(
            "INSERT INTO chat.rooms (name, changed_by, changed_at) VALUES ($1, 'bench', now())", room
        )
    await connection.close()

"""What a WebSocket costs that goes through the gateway: `python -m bench.gateway.tunnels`.

A service that echoes, and sends a crowd what one says, in a process of its own; the gateway in another, over PostgreSQL
and Valkey of its own. Measured from a third: a round trip direct and through the gateway, one at a time; then a fan-out
to many listeners through it. The gateway's processor time per frame comes from the kernel, so other work on the machine
moves it little.
"""

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect

from sakimori.embedded import PostgresServer, ValkeyServer
from sakimori_api_gateway.settings import GatewaySettings
from sakimori_api_gateway.wiring import running
from sakimori_common.bus.memory import MemoryBus
from sakimori_common.context import ServiceContext
from sakimori_common.log import configure_logging
from sakimori_common.postgres import migrate, open_postgres
from sakimori_common.settings import load_settings
from sakimori_common.valkey import open_valkey
from sakimori_common.web import serving

ROUND_TRIPS: Final = 2000
LISTENERS: Final = 200
FRAMES: Final = 100
PAYLOAD: Final = "x" * 300
"""About a chat message."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_KEY: Final = "a secret of the benchmark, 32 characters or more"


async def serve_echo() -> None:
    """Be the service behind: print the port, echo `e...`, send `f...` to everybody `FRAMES` times."""
    crowd: set[WebSocket] = set()

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        crowd.add(websocket)
        try:
            while True:
                text = await websocket.receive_text()
                for _ in range(FRAMES if text.startswith("f") else 0):
                    for each in crowd:
                        await each.send_text(text)
                if text.startswith("e"):
                    await websocket.send_text(text)
        except WebSocketDisconnect:
            crowd.discard(websocket)

    async with serving(Starlette(routes=[WebSocketRoute("/chat/ws", talk)]), "127.0.0.1", 0) as port:
        print(port, flush=True)
        await asyncio.Event().wait()


async def serve_gateway(database: str, valkey: str, chat_port: int) -> None:
    """Be the gateway: print the port."""
    configure_logging("ERROR", service="api-gateway")
    port = _free_port()
    settings = load_settings(
        GatewaySettings,
        port=port,
        jwt_secret=_KEY,
        edge_token=_KEY,
        chat_url=f"http://127.0.0.1:{chat_port}",
        database_url=database,
        valkey_url=valkey,
    )
    pool = await open_postgres(database)
    async with pool.acquire() as connection:
        await migrate(connection)
    context = ServiceContext.of("api-gateway", MemoryBus(), pool, open_valkey(valkey))
    async with running(settings, context):
        print(port, flush=True)
        await asyncio.Event().wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _start(*arguments: str) -> tuple["subprocess.Popen[str]", int]:
    command = [sys.executable, "-m", "bench.gateway.tunnels", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _socket(port: int) -> connect:
    return connect(f"ws://127.0.0.1:{port}/chat/ws", proxy=None, compression=None)


async def round_trips(port: int) -> list[float]:
    """Time echoes, one after the other, in milliseconds."""
    times = []
    async with _socket(port) as socket:
        for _ in range(ROUND_TRIPS):
            started = time.perf_counter()
            await socket.send("e" + PAYLOAD)
            await socket.recv()
            times.append((time.perf_counter() - started) * 1000)
    return times


async def fan_out(port: int) -> float:
    """Have everybody hear `FRAMES` frames; the seconds it took."""
    sockets = [await _socket(port) for _ in range(LISTENERS)]

    async def hear(socket: ClientConnection) -> None:
        for _ in range(FRAMES):
            await socket.recv()

    started = time.perf_counter()
    await sockets[0].send("f" + PAYLOAD)
    await asyncio.gather(*map(hear, sockets))
    seconds = time.perf_counter() - started
    await asyncio.gather(*(socket.close() for socket in sockets))
    return seconds


def _told(name: str, times: Sequence[float]) -> None:
    cuts = statistics.quantiles(times, n=100)
    print(f"{name}: median {statistics.median(times):.2f} ms, p99 {cuts[98]:.2f} ms")


def main() -> None:
    """Measure and tell."""
    home = Path(tempfile.mkdtemp(prefix="bench-gateway-"))
    postgres, valkey = PostgresServer(home / "postgres", throwaway=True), ValkeyServer(home / "valkey")
    postgres.start()
    valkey.start()
    chat, chat_port = _start("echo")
    gateway, port = _start("gateway", postgres.url, valkey.url, str(chat_port))
    try:
        _told(f"{ROUND_TRIPS} round trips, direct", asyncio.run(round_trips(chat_port)))
        before = _cpu_seconds(gateway.pid)
        _told(f"{ROUND_TRIPS} round trips, through the gateway", asyncio.run(round_trips(port)))
        used = (_cpu_seconds(gateway.pid) - before) / (2 * ROUND_TRIPS)
        print(f"gateway's processor time: {used * 1e6:.0f} us a frame")
        direct = asyncio.run(fan_out(chat_port))
        before = _cpu_seconds(gateway.pid)
        through = asyncio.run(fan_out(port))
        frames = LISTENERS * FRAMES
        used = (_cpu_seconds(gateway.pid) - before) / frames
        print(f"{frames} frames to {LISTENERS} listeners: direct {direct:.2f} s, through {through:.2f} s")
        print(f"gateway's processor time: {used * 1e6:.0f} us a frame, handshakes and ends included")
    finally:
        for process in (gateway, chat):
            process.terminate()
            process.wait()
        valkey.stop()
        postgres.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["echo"]:
        asyncio.run(serve_echo())
    elif sys.argv[1:2] == ["gateway"]:
        asyncio.run(serve_gateway(sys.argv[2], sys.argv[3], int(sys.argv[4])))
    else:
        main()

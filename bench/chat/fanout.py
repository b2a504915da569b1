"""How late messages are when a crowd listens.

Messages are appended to the rooms as a replica does it, at a steady rate, by another process; the crowd hears them
over WebSockets of one chat. `bare` is the floor on the same machine: a loop that writes a ready frame of the same size
to as many sockets, as often, and does nothing else.
"""

import asyncio
import json
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Final, cast

import httpx
import msgspec

from bench.chat.listeners import Heard, Seat, seated
from bench.chat.stage import Stage, run
from sakimori_chat.adapters.rooms import KEPT_MESSAGES, channel_of, deleted_key, messages_key, next_id_key, recent_key
from sakimori_chat.adapters.scripting import script
from sakimori_chat.domain.messages import Draft
from sakimori_common.runtime import calm_garbage_collector
from sakimori_common.valkey import open_valkey

TIMEKEEPERS: Final = 50
_TEXT: Final = "at {at} a message of the usual length, some eighty characters in all"
_LINGER_SECONDS: Final = 3.0
_BREATH_SECONDS: Final = 0.005
_MOST_AT_ONCE: Final = 100
"""Messages in a pipeline; talkers that were held up catch up with as many at a time."""
_FLOOR: Final = b'{"type":"messages","messages":[{"id":%d,"text":"at %d"}],"next":%d}'
_AUTHOR: Final = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many listen, in how many rooms, and how much is said in all rooms together each second, for how long."""

    listeners: int
    rooms: int
    messages_per_second: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of it. Delays in seconds; `lost` is messages that somebody did not hear; CPU is the chat's share."""

    p50: float
    p99: float
    worst: float
    said_per_second: float
    delivered_per_second: float
    messages_per_frame: float
    lost: int
    cpu_share: float


def more_rooms(count: int) -> list[str]:
    """Name the rooms beside the lobby."""
    return [f"room-{number}" for number in range(1, count)]


async def measured(stage: Stage, crowd: Crowd) -> Delivery:
    """Seat the crowd, let messages be said, and see what was heard."""
    rooms = ["lobby", *more_rooms(crowd.rooms)]
    heard = Heard()
    seats = await _seats(stage, crowd, rooms)
    listeners = await seated(stage.port, seats, heard, TIMEKEEPERS)
    calm_garbage_collector()  # a pause of the crowd's is none of the chat's
    await asyncio.sleep(1)
    before, (said, cpu_share, lasted) = heard.messages, await _said(stage, crowd, rooms)
    expected = sum(said[seat.room] for seat in seats)
    until = time.monotonic() + _LINGER_SECONDS
    while heard.messages - before < expected and time.monotonic() < until:
        await asyncio.sleep(0.05)
    if heard.lost_connections or heard.disordered:
        raise SystemExit(f"{heard.lost_connections} connections were lost, {heard.disordered} frames out of order")
    for listener in listeners:
        listener.close()
    cuts = statistics.quantiles(heard.delays, n=100, method="inclusive")
    return Delivery(
        p50=cuts[49],
        p99=cuts[98],
        worst=max(heard.delays),
        said_per_second=sum(said.values()) / lasted,
        delivered_per_second=expected / lasted,
        messages_per_frame=heard.messages / heard.frames,
        lost=expected - (heard.messages - before),
        cpu_share=cpu_share,
    )


async def _seats(stage: Stage, crowd: Crowd, rooms: list[str]) -> list[Seat]:
    """Give everybody an identity, as the page does, and a room."""
    seats = []
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{stage.port}", timeout=30) as http:
        for number in range(crowd.listeners):
            headers = stage.headers(f"198.18.{number // 250}.{number % 250}")
            answer = await http.get("/chat", headers=headers)
            answer.raise_for_status()
            cookie = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
            http.cookies.clear()
            seats.append(Seat(rooms[number % len(rooms)], {**headers, "cookie": cookie}))
    return seats


async def _said(stage: Stage, crowd: Crowd, rooms: list[str]) -> tuple[dict[str, int], float, float]:
    """Let another process talk: what it said in each room, the chat's share of a core, how many seconds it took."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_talk, args=(stage.valkey_url, crowd, rooms, theirs), daemon=True
    )
    process.start()
    await _heard_of(ours, process)
    cpu, started = stage.cpu_seconds(), time.monotonic()
    said: dict[str, int] = json.loads(await _heard_of(ours, process))
    lasted = time.monotonic() - started
    share = (stage.cpu_seconds() - cpu) / lasted
    await asyncio.to_thread(process.join)  # the crowd still listens to the last words
    return said, share, lasted


async def _heard_of(pipe: "multiprocessing.connection.Connection", process: BaseProcess) -> str:
    while not pipe.poll():
        if not process.is_alive():
            raise SystemExit("the talkers died")
        await asyncio.sleep(0.02)
    return str(pipe.recv())


def _talk(valkey_url: str, crowd: Crowd, rooms: list[str], pipe: "multiprocessing.connection.Connection") -> None:
    pipe.send("ready")
    pipe.send(json.dumps(run(_talked(valkey_url, crowd, rooms))))


def _appending(room: str, at: int) -> tuple[list[str], list[str | bytes | int]]:
    """Make keys and arguments of the script by which a replica appends a message."""
    draft = Draft(_AUTHOR, "", _TEXT.format(at=at), "2026-01-16T02:00:00.000Z")
    keys = [messages_key(room), next_id_key(room), deleted_key(room), recent_key(room)]
    return keys, [KEPT_MESSAGES, channel_of(room), msgspec.json.encode(draft), draft.author_id, b"", 600_000]


async def _talked(valkey_url: str, crowd: Crowd, rooms: list[str]) -> dict[str, int]:
    """Say each message when it is due, by the script that replicas use; what is due at once shares a pipeline."""
    valkey = open_valkey(valkey_url)
    append, said = script(valkey, "store", "append"), dict.fromkeys(rooms, 0)
    count, started, spoken = int(crowd.messages_per_second * crowd.seconds), time.monotonic(), 0
    while spoken < count:
        await asyncio.sleep(_BREATH_SECONDS)
        due = min(count, int((time.monotonic() - started) * crowd.messages_per_second), spoken + _MOST_AT_ONCE)
        async with valkey.pipeline(transaction=False) as saying:
            for number in range(spoken, due):
                room = rooms[number % len(rooms)]
                keys, arguments = _appending(room, time.monotonic_ns())
                await append(keys, arguments, client=saying)
                said[room] += 1
            await saying.execute()
        spoken = due
    await valkey.aclose()
    return said


@contextmanager
def bare_frames(crowd: Crowd, frames_per_second: float, size: int) -> Iterator[int]:
    """Run the floor: one loop that writes ready frames to whoever connects; yields its port."""
    receiving, sending = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_write, args=(crowd, frames_per_second, size, sending), daemon=True
    )
    process.start()
    try:
        yield int(receiving.recv())
    finally:
        process.terminate()
        process.join()


def _write(crowd: Crowd, frames_per_second: float, size: int, sending: "multiprocessing.connection.Connection") -> None:
    run(_written(crowd, frames_per_second, size, sending))


async def _written(
    crowd: Crowd, frames_per_second: float, size: int, sending: "multiprocessing.connection.Connection"
) -> None:
    transports: list[asyncio.Transport] = []

    class Greeting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.Transport", transport)

        def data_received(self, data: bytes) -> None:
            self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
            transports.append(self.transport)

    server = await asyncio.get_running_loop().create_server(Greeting, "127.0.0.1", 0, backlog=512)
    sending.send(server.sockets[0].getsockname()[1])
    while len(transports) < crowd.listeners:
        await asyncio.sleep(0.05)
    started, number = time.monotonic(), 0
    while True:
        number += 1
        await asyncio.sleep(max(0.0, started + number / frames_per_second - time.monotonic()))
        payload = _FLOOR % (number, time.monotonic_ns(), number)
        payload += b" " * (size - len(payload))
        frame = b"\x81" + bytes([127]) + len(payload).to_bytes(8, "big") + payload
        for transport in transports:
            transport.write(frame)


async def floor(crowd: Crowd, frames_per_second: float, size: int) -> float:
    """Measure the p99 of the floor, in seconds."""
    with bare_frames(crowd, frames_per_second, size) as port:
        heard = Heard()
        seats = [Seat("lobby", {})] * crowd.listeners
        listeners = await seated(port, seats, heard, TIMEKEEPERS)
        await asyncio.sleep(crowd.seconds)
        for listener in listeners:
            listener.close()
    return statistics.quantiles(heard.delays, n=100, method="inclusive")[98]

"""`/recordings`: captures of an interface that operators start, bounded in time and size."""

import asyncio
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from sakimori_common.web import Problem
from sakimori_packet_sensor.api.packets import PCAP
from sakimori_packet_sensor.domain.recording import Recording
from sakimori_packet_sensor.recordings import Recordings, TooMany

MAX_SECONDS: Final = 3600.0
MAX_BYTES: Final = 256 << 20
_BODY_BYTES: Final = 4096
_PIECE_BYTES: Final = 256 << 10


class NewRecording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to capture; without a filter all packets of the interface."""

    interface: Annotated[str, msgspec.Meta(min_length=1, max_length=15, pattern=r"^[^/\s]+$")]
    filter: Annotated[str, msgspec.Meta(max_length=1000, pattern=r"^[^\x00-\x1f]*$")] = ""
    seconds: Annotated[float, msgspec.Meta(gt=0, le=MAX_SECONDS)] = 60.0
    max_bytes: Annotated[int, msgspec.Meta(ge=1024, le=MAX_BYTES)] = 16 << 20


class RecordingsApi:
    """Start, list, stop, and hand out the files. Only the sensor's own interfaces can be asked for."""

    def __init__(self, recordings: Recordings, interfaces: Collection[str]) -> None:
        self._recordings = recordings
        self._interfaces = interfaces

    def routes(self) -> list[Route]:
        """List the routes."""
        return [
            Route("/recordings", self._start, methods=["POST"]),
            Route("/recordings", self._list, methods=["GET"]),
            Route("/recordings/{identity}", self._show, methods=["GET"]),
            Route("/recordings/{identity}/stop", self._stop, methods=["PUT"]),
            Route("/recordings/{identity}/packets", self._packets, methods=["GET"]),
        ]

    async def _start(self, request: Request) -> Response:
        new = await _read(request)
        if new.interface not in self._interfaces:
            named = ", ".join(self._interfaces) or "none"
            raise Problem(422, "invalid_request", f"body.interface: one of NETWORK_INTERFACE ({named})")
        try:
            started = await self._recordings.start(
                new.interface, new.filter.strip() or None, new.seconds, new.max_bytes
            )
        except TooMany as error:
            raise Problem(409, "conflict", str(error)) from None
        except OSError as error:
            raise Problem(503, "capture_unavailable", f"No capture can be started: {error.strerror}.") from None
        return _answer(started, 201)

    async def _list(self, _: Request) -> Response:
        return _answer({"recordings": self._recordings.all()})

    async def _show(self, request: Request) -> Response:
        return _answer(self._find(request))

    async def _stop(self, request: Request) -> Response:
        return _answer(await self._recordings.stop(self._find(request).id))

    async def _packets(self, request: Request) -> Response:
        recording = self._find(request)
        path = self._recordings.file(recording.id)
        if not path.is_file():
            raise Problem(404, "not_found", "nothing was captured")
        size = path.stat().st_size
        name = quote(f"{recording.interface}-{recording.id[:8]}.pcap")
        headers = {"content-length": str(size), "content-disposition": f"attachment; filename*=utf-8''{name}"}
        return StreamingResponse(_beginning(path, size), media_type=PCAP, headers=headers)

    def _find(self, request: Request) -> Recording:
        identity = request.path_params["identity"]
        found = self._recordings.find(identity)
        if found is None:
            raise Problem(404, "not_found", f"there is no recording {identity}")
        return found


async def _beginning(path: Path, size: int) -> AsyncIterator[bytes]:
    """Read as much of a file as there was when it was asked for: a capture that goes on makes it longer."""
    at = 0
    while at < size and (piece := await asyncio.to_thread(_piece, path, at, min(size - at, _PIECE_BYTES))):
        at += len(piece)
        yield piece


def _piece(path: Path, at: int, size: int) -> bytes:
    """Read a piece of a file, opened for it alone: whoever goes away in between leaves nothing open."""
    with path.open("rb") as file:
        file.seek(at)
        return file.read(size)


async def _read(request: Request) -> NewRecording:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _BODY_BYTES:
            raise Problem(413, "body_too_large", f"The body may have {_BODY_BYTES} bytes.")
    try:
        return msgspec.json.decode(body, type=NewRecording)
    except msgspec.MsgspecError as error:
        raise Problem(422, "invalid_request", f"body: {error}") from None


def _answer(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")

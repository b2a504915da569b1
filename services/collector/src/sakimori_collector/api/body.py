"""Reading a request's body within its bounds."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from starlette.requests import Request

from sakimori_collector.domain.wire.inflating import CODINGS, Damaged, Inflater, TooLarge
from sakimori_common.web import Problem

SECONDS: Final = 30.0
"""How long a body may take to arrive."""
RETRY_AFTER_SECONDS: Final = 2


class _Held:
    """The bytes of one body, counted against the room for all."""

    def __init__(self, bodies: "Bodies") -> None:
        self._bodies = bodies
        self._bytes = 0

    def add(self, size: int) -> None:
        if size > self._bodies.room_bytes:
            detail = "Too many bodies are worked on at once; send the same again later."
            raise Problem(503, "busy", detail, {"retry-after": str(RETRY_AFTER_SECONDS)})
        self._bodies.room_bytes -= size
        self._bytes += size

    def release(self) -> None:
        self._bodies.room_bytes += self._bytes


class Bodies:
    """Read bodies, as many at once as there is room for: each takes room from its first byte until it is worked off."""

    def __init__(self, room_bytes: int, seconds: float = SECONDS) -> None:
        self.room_bytes = room_bytes
        self._seconds = seconds

    @asynccontextmanager
    async def read(self, request: Request, limit_bytes: int) -> AsyncIterator[bytes]:
        """Read a body, decompressed; `limit_bytes` bounds it before and after.

        Raises Problem: 408 when it took too long, 413 over the limit, 415 for a coding that is not known, 400 for what
        is not as the coding says, 503 when there is no room; and ClientDisconnect.
        """
        inflater = _inflater(request, limit_bytes)
        held = _Held(self)
        try:
            try:
                async with asyncio.timeout(self._seconds):
                    body = await _pieces(request, inflater, limit_bytes, held)
            except TimeoutError:
                raise Problem(408, "body_too_slow", f"The body did not arrive within {self._seconds:g} s.") from None
            except TooLarge:
                raise _too_large(limit_bytes) from None
            except Damaged as error:
                raise Problem(400, "body_damaged", f"The body is {error}.") from None
            yield body
        finally:
            held.release()


async def _pieces(request: Request, inflater: Inflater | None, limit_bytes: int, held: _Held) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit_bytes:
            raise TooLarge
        parts: Iterable[bytes] = (piece,) if inflater is None else inflater.feed(piece)
        for part in parts:
            held.add(len(part))
            pieces.append(part)
            if inflater is not None:
                await asyncio.sleep(0)  # a mebibyte at a time, and others in between
    if inflater is not None:
        inflater.end()
    return b"".join(pieces)


def _inflater(request: Request, limit_bytes: int) -> Inflater | None:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit_bytes:
        raise _too_large(limit_bytes)
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding == "identity":
        return None
    if coding not in CODINGS:
        accepted = ", ".join(CODINGS)
        raise Problem(
            415,
            "coding_unknown",
            f"Content-Encoding {coding[:32]!r} is not known; there are {accepted}.",
            {"accept-encoding": accepted},
        )
    return Inflater(coding, limit_bytes)


def _too_large(limit_bytes: int) -> Problem:
    return Problem(413, "body_too_large", f"A body may have up to {limit_bytes} bytes; send it in parts.")

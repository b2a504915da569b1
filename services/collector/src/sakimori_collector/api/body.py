"""Reading a request's body within its bounds."""

import asyncio

from starlette.requests import Request

from sakimori_common.web import Problem

_SECONDS = 30.0
"""How long a body may take to arrive."""


async def read_body(request: Request, limit_bytes: int) -> list[tuple[int, bytes]]:
    """Read the body and split it into lines: number from 1, and bytes. Empty lines are left out.

    Raises Problem: 413 over the limit, 408 when it took over 30 s.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit_bytes:
        raise _too_large(limit_bytes)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_SECONDS):
            async for piece in request.stream():
                size += len(piece)
                if size > limit_bytes:
                    raise _too_large(limit_bytes)
                pieces.append(piece)
    except TimeoutError:
        raise Problem(408, "body_too_slow", f"The body did not arrive within {_SECONDS:g} s.") from None
    return [(number, line) for number, line in enumerate(b"".join(pieces).split(b"\n"), start=1) if line.strip()]


def _too_large(limit_bytes: int) -> Problem:
    return Problem(413, "body_too_large", f"A body may have up to {limit_bytes} bytes; send it in parts.")

"""A plain HTTP/1.1 client on one connection: the generator shares the machine with what is measured."""

import asyncio
import json
from urllib.parse import urlsplit


class IntakeConnection:
    """Posts NDJSON bodies over one kept connection, one at a time."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/x-ndjson\r\nContent-Length: "
        ).encode()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, body: bytes) -> int:
        """Hand a body in until it is accepted; returns how many lines were."""
        while True:
            status, answer = await self._exchange(body)
            if status == 202:
                return int(json.loads(answer)["accepted"])
            if status != 503:
                raise SystemExit(f"the collector answered {status}: {answer[:300]!r}")
            await asyncio.sleep(0.2)

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()

    async def _exchange(self, body: bytes) -> tuple[int, bytes]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        self._writer.write(self._head + str(len(body)).encode() + b"\r\n\r\n" + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(head[9:12]), await self._reader.readexactly(length)

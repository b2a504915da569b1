"""A browser's WebSocket to the chat under test."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from integration.chat.conftest import OpenChat, Visitor


@dataclass
class Live:
    """One connection: what came by it, in order."""

    socket: ClientConnection
    token: str = ""
    frames: list[dict[str, Any]] = field(default_factory=list)

    async def next(self) -> dict[str, Any]:
        """Wait for a frame."""
        frame: dict[str, Any] = json.loads(await self.socket.recv())
        self.frames.append(frame)
        return frame

    async def until(self, kind: str) -> dict[str, Any]:
        """Wait for a frame of a type; what comes before it is kept."""
        while (frame := await self.next())["type"] != kind:
            pass
        return frame

    async def texts(self, count: int) -> list[str]:
        """Wait until so many messages were heard in all, by page and frames."""
        while len(self.heard()) < count:
            await self.next()
        return self.heard()

    def heard(self) -> list[str]:
        """List the texts of all messages, in the order in which they came."""
        return [message["text"] for message in self.messages()]

    def messages(self) -> list[dict[str, Any]]:
        """List all messages in the order in which they came."""
        return [message for frame in self.frames for message in frame.get("messages", [])]

    async def post(self, text: str, ref: str = "", **changes: str) -> None:
        """Say something."""
        frame = {"type": "post", "ref": ref, "text": text, "csrf_token": self.token, **changes}
        await self.socket.send(json.dumps(frame))

    async def closed(self) -> int:
        """Wait for the end and tell its code."""
        await self.socket.wait_closed()
        code = self.socket.close_code
        assert code is not None
        return code


def handshake(visitor: Visitor, **changes: str | None) -> dict[str, str]:
    """Make the headers of a browser's handshake; None takes one away."""
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.http.cookies.items())
    url = visitor.http.base_url
    headers: dict[str, str | None] = {
        **{name: visitor.http.headers[name] for name in ("x-sakimori-edge", "x-forwarded-for", "accept-language")},
        "user-agent": visitor.http.headers["user-agent"],
        "cookie": cookies,
        "origin": f"http://{url.host}:{url.port}",
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    return {name: value for name, value in headers.items() if value is not None}


def upgrade(visitor: Visitor, **changes: str | None) -> dict[str, str]:
    """Make all headers of a handshake, for clients that know nothing of WebSockets."""
    return {
        **handshake(visitor, **changes),
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }


@asynccontextmanager
async def listening(
    visitor: Visitor, query: str = "", headers: Mapping[str, str] | None = None, **options: Any
) -> AsyncIterator[Live]:
    """Connect a visitor that opened the page before."""
    given = dict(headers) if headers is not None else handshake(visitor)
    agent = given.pop("user-agent", None)
    url = str(visitor.http.base_url).replace("http:", "ws:").rstrip("/")
    async with connect(
        f"{url}/chat/ws{query}", additional_headers=given, user_agent_header=agent, compression=None, **options
    ) as socket:
        yield Live(socket, visitor.http.cookies.get("csrf_token") or "")


async def refusal(chat: OpenChat, visitor: Visitor, query: str = "", **changes: str | None) -> tuple[int, str]:
    """Be refused: status and code of the problem."""
    headers = upgrade(visitor, **changes)
    visitor.http.cookies.clear()
    response = await visitor.http.get(f"{chat.url}/chat/ws{query}", headers=headers)
    return response.status_code, response.json()["code"]

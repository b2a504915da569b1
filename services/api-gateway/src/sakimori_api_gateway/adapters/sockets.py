"""WebSockets to the services behind the gateway."""

from collections.abc import Sequence

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from sakimori_api_gateway.adapters.upstream import UpstreamAway
from sakimori_api_gateway.domain.headers import RawHeader

OPEN_SECONDS = 3.0
CLOSE_SECONDS = 2.0
MAX_MESSAGE_BYTES = 4 << 20
"""Of a service's messages: a first page of 100 long ones has up to 1 MB."""
WAITING_FRAMES = 16
"""Frames of a service that wait for a slow client; then reading stops, and the service sees it."""
PING_SECONDS = 30.0


class SocketRefused(Exception):
    """The service answered the handshake with an HTTP response instead."""

    def __init__(self, status: int, headers: list[RawHeader], body: bytes) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.headers = headers
        self.body = body


class SocketUpstream:
    """One service's WebSockets; each is a connection of its own, uncompressed."""

    def __init__(self, name: str, base_url: str) -> None:
        self.name = name
        self._base_url = base_url.rstrip("/").replace("http", "ws", 1)

    async def open(self, target: bytes, headers: Sequence[RawHeader], subprotocols: Sequence[str]) -> ClientConnection:
        """Shake hands. `target` is path and query. Raises SocketRefused, or UpstreamAway when there is no answer."""
        try:
            return await connect(
                self._base_url + target.decode("latin-1"),
                additional_headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers],
                subprotocols=[Subprotocol(offered) for offered in subprotocols] or None,
                user_agent_header=None,
                compression=None,
                proxy=None,
                open_timeout=OPEN_SECONDS,
                close_timeout=CLOSE_SECONDS,
                ping_interval=PING_SECONDS,
                ping_timeout=PING_SECONDS,
                max_size=MAX_MESSAGE_BYTES,
                max_queue=WAITING_FRAMES,
            )
        except InvalidStatus as refusal:
            answer = refusal.response
            raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.raw_items()]
            raise SocketRefused(answer.status_code, raw, bytes(answer.body or b"")) from None
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
            raise UpstreamAway(type(error).__name__) from error

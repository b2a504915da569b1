"""What carries a session: a WebSocket, or a TCP connection with a frame a line."""

from typing import Protocol

from sakimori_chat.bots.domain.session import Fault


class WireClosed(Exception):
    """The peer is gone; nothing can be sent any more."""


class Wire(Protocol):
    """One connection of a bot."""

    async def receive(self, max_bytes: int) -> bytes | Fault | None:
        """Wait for a frame; None when the peer is gone, a Fault where what came is no frame that can be read.

        At most `max_bytes` and a bit of a frame are held. May be cancelled, and not be called again afterwards.
        """

    async def send(self, frame: bytes) -> None:
        """Send a frame; returns when there is room for another. Raises WireClosed. One caller at a time."""

    async def close(self, code: str) -> None:
        """End the connection, after a last word where the transport has one: the reason's code. Never raises."""

"""WebSockets that thousands listen on: ready frames go straight to the socket, and nobody can make one grow.

uvicorn's own protocol is sound for a conversation, not for a crowd: each send is a frame built anew that waits for its
reader, and a reader that never comes back holds its connection. What is added here: the same bytes for everybody, a
bound on what waits for one reader, and an end that always comes.
"""

from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

GOING_AWAY: Final = 1001
UNSUPPORTED: Final = 1003
NOT_TEXT: Final = 1007
POLICY: Final = 1008
TOO_BIG: Final = 1009
TRY_LATER: Final = 1013
"""Close codes (RFC 6455, 7.4.1; 1013: IANA's WebSocket Close Code Number Registry)."""

MAX_CONTROL_FRAMES: Final = 32
"""Pings a client may send between two messages of its own; each is answered, so more is a flood."""
MAX_FRAGMENTS: Final = 64
"""Parts that a message may come in; empty ones cost the sender nothing."""


def text_frame(payload: bytes) -> bytes:
    """Make the one unmasked, final text frame (RFC 6455, 5.2) that a server sends for UTF-8 text."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2, "big") + payload
    return b"\x81\x7f" + length.to_bytes(8, "big") + payload


class LiveSocket(WebSocketsSansIOProtocol):
    """A connection that the application also reaches as `state.live_socket` of its scope.

    `refused` says why the client's frames were refused: too_large, invalid_utf8, malformed, too_many_fragments,
    too_many_pings; empty while they are fine. The application learns of it by `websocket.disconnect`.
    """

    max_frame_bytes = 64 * 1024
    max_waiting_bytes = 1 << 20
    """Bytes that may wait for the client before `write` says that it is too slow."""
    ping_seconds = 20.0
    """From one ping to the next, and how long an answer may take."""
    close_seconds = 5.0
    """How long a client may take to say goodbye; then the connection is cut."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.refused = ""
        self.conn.max_message_size = self.max_frame_bytes
        self.ping_interval = self.ping_timeout = self.ping_seconds
        self.close_timeout = self.close_seconds
        self._control_frames = 0

    def limit_frames(self, max_frame_bytes: int) -> None:
        """Take no longer messages from now on; what the client sent ahead of the handshake's answer is in already."""
        self.conn.max_message_size = max_frame_bytes

    def write(self, frame: bytes) -> bool:
        """Send a ready frame (`text_frame`) without waiting; False when too much waits for this client already."""
        if self.close_sent or self.disconnected or not self.handshake_complete:
            return True
        transport = self.transport
        transport.write(frame)
        return transport.get_write_buffer_size() <= self.max_waiting_bytes

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye and cut the connection when the client does not answer in time; does nothing a second time."""
        if self.close_sent or self.disconnected or not self.handshake_complete:
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if not self.transport.is_closing():
            self.conn.send_close(code, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
        self._end()

    def shutdown(self) -> None:
        """End with the server."""
        if not self.handshake_complete:
            super().shutdown()
        self.close(GOING_AWAY, "restart")

    def data_received(self, data: bytes) -> None:
        """Take in what the socket gave; after a refusal only to let the client read why."""
        if not self.refused:
            super().data_received(data)

    def handle_connect(self, event: Any) -> None:
        """Show the application this connection."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["state"]["live_socket"] = self

    def handle_ping(self) -> None:
        """Answer, up to a bound."""
        self._control_frames += 1
        if self._control_frames > MAX_CONTROL_FRAMES:
            self._refuse("too_many_pings", POLICY)
        elif self.transport.get_write_buffer_size() > self.max_waiting_bytes:
            self.transport.abort()  # it asks and does not listen
        else:
            super().handle_ping()

    def handle_cont(self, event: Frame) -> None:
        """Take a part of a message, up to a bound."""
        if len(self.frames) >= MAX_FRAGMENTS:
            self._refuse("too_many_fragments", POLICY)
        else:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Hand a message over; text has to be text."""
        self._control_frames = 0
        if self.curr_msg_data_type == "text" and not self.refused and not _is_utf8(self.frames):
            self._refuse("invalid_utf8", NOT_TEXT)
        elif not self.refused:
            super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """Refuse what is no WebSocket, or too much of it. The library has its close frame ready."""
        code = self.conn.close_sent.code if self.conn.close_sent is not None else POLICY
        self.refused = "too_large" if code == TOO_BIG else "malformed"
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": self.refused})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self._end()
        self._hang_up()

    def keepalive_timeout(self) -> None:
        """Let go of a client that no longer answers."""
        super().keepalive_timeout()
        self._cut_later()

    def _refuse(self, reason: str, code: int) -> None:
        if not self.refused:
            self.close(code, reason)
            self.refused = reason
            self._hang_up()

    def _hang_up(self) -> None:
        """Say nothing more, but read on: what is left unread would reset the connection and take our words along."""
        if not self.transport.is_closing() and self.transport.can_write_eof():
            self.transport.write_eof()

    def _end(self) -> None:
        """Wait for the client's goodbye, but not for ever."""
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._cut_later()

    def _cut_later(self) -> None:
        if self.close_timer is None:
            self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)


def live_sockets(*, max_frame_bytes: int, max_waiting_bytes: int, ping_seconds: float) -> type[LiveSocket]:
    """Make the class of connections with these bounds, for `serving(websockets=...)`."""
    bounds = {
        "max_frame_bytes": max_frame_bytes,
        "max_waiting_bytes": max_waiting_bytes,
        "ping_seconds": ping_seconds,
    }
    return type("BoundLiveSocket", (LiveSocket,), bounds)


def _is_utf8(parts: list[bytes]) -> bool:
    try:
        b"".join(parts).decode()
    except UnicodeDecodeError:
        return False
    return True

"""HTTP/1.1 read by llhttp (httptools), with bounds that uvicorn lacks: on the weight of a head, and on time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import ClassVar, Final

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES: Final = 64 * 1024
"""Of a request's line and headers."""


class Phase(StrEnum):
    """What a connection waits for."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client may take; whoever trickles bytes to hold connections open (Slowloris) runs out of it.

    A head has `head_seconds` from the opening of the connection, or from its first byte. A body has `body_seconds`, and
    a second more for every `bytes_per_second` that came: any upload that moves goes on, as in Apache's mod_reqtimeout.
    `on_slow` is told the peer's address and the phase of each connection that took too long.
    """

    head_seconds: float = 10.0
    body_seconds: float = 20.0
    bytes_per_second: float = 500.0
    on_slow: Callable[[str, Phase], None] | None = None


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's, bounded in what it holds of a request before the application sees it, and in time.

    What comes between the beginning of a connection, or the end of a body, and the end of the next head is counted as
    it comes in, so one header without end is bounded, too. Between requests uvicorn's keep-alive time holds.
    """

    patience: ClassVar[Patience] = Patience()

    _head_bytes = 0
    _body_bytes = 0
    _is_in_body = False
    _phase = Phase.IDLE
    _since = 0.0
    _alarm: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._enter(Phase.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._enter(Phase.IDLE)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what the socket gave."""
        if self._is_in_body:
            self._body_bytes += len(data)
        else:
            self._head_bytes += len(data)
        try:
            super().data_received(data)
        except UnicodeDecodeError:  # uvicorn takes for granted that paths are ASCII
            self._refuse(HTTPStatus.BAD_REQUEST, "bad_request", "The request's target is not ASCII.")
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            self._enter(Phase.IDLE)
        elif self._is_in_body:
            self._enter(Phase.BODY)
        elif self._head_bytes > MAX_HEAD_BYTES:
            detail = f"Request line and headers have at most {MAX_HEAD_BYTES} bytes."
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", detail)
        else:
            self._enter(Phase.HEAD if self._head_bytes else Phase.IDLE)

    def on_headers_complete(self) -> None:
        """Go on with the body."""
        self._is_in_body, self._head_bytes, self._body_bytes = True, 0, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Go on with the next head."""
        self._is_in_body = False
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to the WebSocket protocol."""
        self._enter(Phase.IDLE)
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST, "bad_request", msg)

    def _enter(self, phase: Phase) -> None:
        if phase is self._phase:
            return
        self._phase, self._since = phase, self.loop.time()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if phase is not Phase.IDLE:
            self._alarm = self.loop.call_at(self._deadline(), self._look)

    def _deadline(self) -> float:
        if self._phase is Phase.HEAD:
            return self._since + self.patience.head_seconds
        return self._since + self.patience.body_seconds + self._body_bytes / self.patience.bytes_per_second

    def _look(self) -> None:
        if self.flow.read_paused:  # it is us who do not read
            self._since = self.loop.time()
        if self.loop.time() < self._deadline():
            self._alarm = self.loop.call_at(self._deadline(), self._look)
            return
        if self.patience.on_slow is not None and self.client is not None:
            self.patience.on_slow(self.client[0], self._phase)
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, "request_timed_out", "The request took too long to come in.")

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        """Answer and close; without an answer where one is under way."""
        if not self._is_in_body or self.cycle is None or not self.cycle.response_started:
            body = msgspec.json.encode(
                {
                    "type": f"urn:sakimori:problem:{code}",
                    "title": status.phrase,
                    "status": status.value,
                    "code": code,
                    "detail": detail,
                }
            )
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode("ascii") + body)
        self.transport.close()
        self._enter(Phase.IDLE)


def patient(patience: Patience) -> type[BoundedHttp]:
    """Make the protocol of a port with a patience of its own."""
    return type("PatientHttp", (BoundedHttp,), {"patience": patience})

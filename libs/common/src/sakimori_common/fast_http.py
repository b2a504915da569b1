"""HTTP/1.1 read by llhttp (httptools), with bounds that uvicorn lacks: on the weight of a head, and on time."""

import asyncio
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, ClassVar, Final
from urllib.parse import unquote

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEAD_BYTES: Final = 64 * 1024
"""Of a request's line and headers."""


class Phase(StrEnum):
    """What a connection waits for."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client may take; whoever trickles bytes to hold connections open (Slowloris) runs out of it.

    A head has `head_seconds` from the opening of the connection, or from its first byte. A body has `body_seconds`, and
    a second more for every `bytes_per_second` that came: any upload that moves goes on, as in Apache's mod_reqtimeout.
    Of an answer that waits for its reader, 48 KiB have to be read within `answer_seconds` (64 KiB are held, and then
    16); what waits in the kernel alone is bounded by sakimori_common.web.UNREAD_SECONDS.
    `on_slow` is told the peer's address and the phase of each connection that took too long.
    """

    head_seconds: float = 10.0
    body_seconds: float = 20.0
    bytes_per_second: float = 500.0
    answer_seconds: float = 30.0
    on_slow: Callable[[str, Phase], None] | None = None


Door = Callable[[MutableMapping[str, Any]], bytes | None]
"""Looks at a request's head (an ASGI scope with `method`, `path`, `headers`, `client`) before anything is made of it.

A whole response, ready to be sent, turns it away; the application never hears of it.
"""


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's, bounded in what it holds of a request before the application sees it, and in time.

    What comes between the beginning of a connection, or the end of a body, and the end of the next head is counted as
    it comes in, so one header without end is bounded, too. Between requests uvicorn's keep-alive time holds.
    """

    patience: ClassVar[Patience] = Patience()
    doors: ClassVar[tuple[Door, ...]] = ()

    _head_bytes = 0
    _body_bytes = 0
    _is_in_body = False
    _is_turned_away = False
    _phase = Phase.IDLE
    _since = 0.0
    _alarm: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _served: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._enter(Phase.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._enter(Phase.IDLE)
        self._is_read()
        if self._served is not None and not self._served.response_complete:
            self._served.disconnected = True  # uvicorn tells the request that came last, not the one that is served
            self._served.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._served = cycle
        super()._start_asgi_task(cycle, app)

    def pause_writing(self) -> None:
        """Begin to wait for the reader of an answer."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.patience.answer_seconds, self._give_up)

    def resume_writing(self) -> None:
        """Go on answering."""
        self._is_read()
        super().resume_writing()

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
        if self.parser.should_upgrade() and not self._may_upgrade():
            # llhttp would not read the body, and take it for the next request: one that a proxy before us never saw.
            self._is_in_body = False
            self._refuse(HTTPStatus.BAD_REQUEST, "bad_request", "What asks for another protocol has no body.")
        elif not self._turn_away():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand a part of the body on."""
        if not self._is_turned_away:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Go on with the next head."""
        self._is_in_body = False
        if not self._is_turned_away:
            super().on_message_complete()
            return
        self._is_turned_away = False
        if not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to the WebSocket protocol; one that it does not understand it would never answer."""
        if self.transport.is_closing():
            return
        self._enter(Phase.IDLE)
        super().handle_websocket_upgrade()
        if not getattr(self.transport.get_protocol(), "handshake_initiated", True):
            self._refuse(HTTPStatus.BAD_REQUEST, "bad_request", "This is no handshake of a WebSocket.")

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST, "bad_request", msg)

    def _turn_away(self) -> bool:
        """Ask the doors, if there are any; WebSockets are the application's."""
        if self.transport.is_closing():  # what follows a last request is nobody's
            self._is_turned_away = True
            return True
        if not self.doors or (self.parser.should_upgrade() and self._should_upgrade()):
            return False
        head = {**self.scope, "method": self.parser.get_method().decode("ascii"), "path": self._path()}
        response = next(filter(None, (door(head) for door in self.doors)), None)
        if response is None:
            return False
        self._is_turned_away = True
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if not is_answering:
            self.transport.write(response)
        if is_answering or self.expect_100_continue or not self.parser.should_keep_alive():
            self.transport.close()
        return True

    def _path(self) -> str:
        """Read the path as the application will, escapes and whole URLs (RFC 9112, 3.2.2) included."""
        if self.url.startswith(b"/") and b"%" not in self.url:
            return self.url.partition(b"?")[0].decode("latin-1")
        return unquote(httptools.parse_url(self.url).path.decode("ascii"))

    def _may_upgrade(self) -> bool:
        if self._should_upgrade() and self.parser.get_method() != b"GET":
            return False
        return not any(
            name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
            for name, value in self.headers
        )

    def _is_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _give_up(self) -> None:
        self._tell_of_slow(Phase.ANSWER)
        self.transport.abort()

    def _tell_of_slow(self, phase: Phase) -> None:
        if self.patience.on_slow is not None and self.client is not None:
            self.patience.on_slow(self.client[0], phase)

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
        self._tell_of_slow(self._phase)
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, "request_timed_out", "The request took too long to come in.")

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        """Answer and close; without an answer where one is under way."""
        if not self._is_in_body or self.cycle is None or not self.cycle.response_started:
            self.transport.write(ready_problem(status, code, detail, {"connection": "close"}))
        self.transport.close()
        self._enter(Phase.IDLE)


def patient(patience: Patience, *doors: Door) -> type[BoundedHttp]:
    """Make the protocol of one port, with its own patience and doors."""
    return type("PatientHttp", (BoundedHttp,), {"patience": patience, "doors": doors})


def ready_problem(status: HTTPStatus, code: str, detail: str, headers: Mapping[str, str] = {}) -> bytes:
    """Make a whole response of a problem (RFC 9457), ready for a socket."""
    body = msgspec.json.encode(
        {
            "type": f"urn:sakimori:problem:{code}",
            "title": status.phrase,
            "status": status.value,
            "code": code,
            "detail": detail,
        }
    )
    fields = {**headers, "content-type": "application/problem+json", "content-length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{lines}\r\n".encode("ascii") + body

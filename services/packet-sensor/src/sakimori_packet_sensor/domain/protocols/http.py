"""HTTP/1 over TCP (RFC 9112): one `network.http` event a transaction, bodies skipped but for their first bytes.

A transaction is reported when its response's head and the first bytes of its body are there; one without answer when
the conversation ends. Its time is the request's.
"""

import re
from collections import deque
from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
    AGAIN,
    DONE,
    TCP,
    Ends,
    Fields,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.file_magic import mime_type_of
from sakimori_packet_sensor.domain.protocols.framing import malformed
from sakimori_packet_sensor.domain.protocols.http_bodies import UNTIL_CLOSE, Body
from sakimori_packet_sensor.domain.protocols.http_heads import MAX_HEAD, METHODS, Head, parse_request, parse_response
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.websocket import WebSocketDecoder

_DATASET: Final = "network.http"
_MAX_WAITING: Final = 64
"""Requests without answer that are kept; RFC 9112, 9.3.2 allows any number. The oldest is then reported as it is."""


class _Transaction:
    """A request with what is known of its answer."""

    __slots__ = ("bodies", "fields", "method", "time", "upgrade")

    def __init__(self, fields: Fields, method: bytes, time: int, body: Body | None = None) -> None:
        self.fields = fields
        self.method = method
        self.time = time
        self.bodies: dict[str, Body] = {"request": body} if body else {}

    @property
    def is_ready(self) -> bool:
        """Say whether the answer's first bytes are known."""
        return "response" not in self.bodies or self.bodies["response"].is_seen

    def complete(self) -> Fields:
        """Give the fields, with what its bodies turned out to be."""
        for whose, body in self.bodies.items():
            if body.size >= 0:
                self.fields[f"http.{whose}.body.bytes"] = body.size
            if body.first and not body.is_encoded:
                self.fields[f"http.{whose}.mime_type"] = mime_type_of(body.first)
        return self.fields


class HttpDecoder:
    """Follows both sides of a connection, keep-alive and pipelining included."""

    def __init__(self, ends: Ends) -> None:
        self._client = -1
        self._waiting: deque[_Transaction] = deque()
        self._answered: deque[_Transaction] = deque()
        self._bodies: list[Body | None] = [None, None]
        self._end = 0
        self._inner: WebSocketDecoder | None = None

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take what a side said; bodies are asked to be skipped. Raises Malformed when nothing came before."""
        if self._inner is not None:
            return self._inner.feed(side ^ self._client, data, time)
        ready: list[Message] = []
        at, end = 0, len(data)
        try:
            while at < end and not self._end and self._inner is None:
                behind = self._step(side, data, at, time)
                if behind <= at:
                    break
                at = behind
        except Malformed as problem:
            if not self._waiting and not self._answered:
                raise
            ready = [*self._take(everything=True), Message(_DATASET, malformed(problem), side)]
            self._end = DONE
        return Read([*ready, *self._take(everything=self._end != 0)], self._end or at)

    def finish(self) -> Sequence[Message]:
        """Report what was not answered, or answered without the body that was promised."""
        return [*self._take(everything=True), *(self._inner.finish() if self._inner else ())]

    def _take(self, *, everything: bool) -> list[Message]:
        """Take out the transactions that are to be reported."""
        taken: list[_Transaction] = []
        while self._answered and (everything or self._answered[0].is_ready):
            taken.append(self._answered.popleft())
        while self._waiting and (everything or len(self._waiting) > _MAX_WAITING):
            taken.append(self._waiting.popleft())
        is_turned = self._client == 1
        return [Message(_DATASET, each.complete(), max(self._client, 0), each.time, is_turned) for each in taken]

    def _step(self, side: int, data: bytes, at: int, time: int) -> int:
        """Take a head or a part of a body; returns where the next begins, or the same offset: too little is there."""
        body = self._bodies[side]
        if body is not None:
            behind = body.skip(data, at)
            if body.is_over:
                self._bodies[side] = None
            if behind >= UNTIL_CLOSE:
                self._end = DONE
            return behind
        if data[at] in b"\r\n":
            return at + 1
        is_response = data.startswith(b"HTTP/", at)
        if not is_response and self._begins_raw(side):
            self._bodies[side] = self._answer(Head({}, UNTIL_CLOSE))
            return self._step(side, data, at, time)
        end, behind = _head_end(data, at)
        if end < 0:
            return at
        self._check_role(side ^ is_response)
        if is_response:
            self._bodies[side] = self._answer(parse_response(data[at:end]), time)
        else:
            self._bodies[side] = self._request(parse_request(data[at:end]), time)
        return behind

    def _check_role(self, client: int) -> None:
        if self._client not in {-1, client}:
            raise Malformed("both sides ask, or both answer")
        self._client = client

    def _begins_raw(self, side: int) -> bool:
        """Say whether the answer to a request of HTTP/0.9 begins here: it has no head."""
        return side != self._client and bool(self._waiting) and self._waiting[0].fields["http.version"] == "0.9"

    def _request(self, head: Head, time: int) -> Body | None:
        body = None
        if head.is_chunked or head.length >= 0:
            body = Body(head.length, is_chunked=head.is_chunked, is_encoded=head.is_encoded)
        if head.upgrade:
            head.fields["http.request.headers.upgrade"] = head.upgrade
        self._waiting.append(_Transaction(head.fields, head.method, time, body))
        return None if body is None or body.is_over else body

    def _answer(self, head: Head, time: int = 0) -> Body | None:
        """Join a response with its request; returns its body."""
        if 100 <= head.status < 200 and head.status != 101:
            return None
        asked = self._waiting.popleft() if self._waiting else _Transaction({}, b"", time)
        if not asked.method and head.status:
            head.problems.append("no_request")
        asked.fields = {**head.fields, **asked.fields}
        self._answered.append(asked)
        if head.status == 101 or (asked.method == b"CONNECT" and head.status // 100 == 2):
            self._hand_over(asked, head)
            return None
        asked.bodies["response"] = body = _response_body(asked.method, head)
        return None if body.is_over else body

    def _hand_over(self, asked: _Transaction, head: Head) -> None:
        """Leave the rest of the conversation to the protocol that was agreed on."""
        if head.upgrade:
            asked.fields["http.response.headers.upgrade"] = head.upgrade
        if head.upgrade == "websocket":
            self._inner = WebSocketDecoder()
        else:
            self._end = AGAIN


def _response_body(method: bytes, head: Head) -> Body:
    """Find how long a response's body is (RFC 9112, 6.3)."""
    if method == b"HEAD" or head.status in {204, 304}:
        return Body(0)
    length = UNTIL_CLOSE if head.length < 0 else head.length
    return Body(length, is_chunked=head.is_chunked, is_encoded=head.is_encoded)


def _head_end(data: bytes, at: int) -> tuple[int, int]:
    """Find the empty line behind a head; returns where the head ends and what follows begins, -1 when it is not there.

    A request line without version is a head by itself where nothing follows it (HTTP/0.9). Raises Malformed when a head
    is too long.
    """
    end = data.find(b"\n\r\n", at)
    bare = data.find(b"\n\n", at, end if end >= 0 else len(data))
    if bare >= 0:
        return bare, bare + 2
    if end >= 0:
        return end, end + 3
    line = data.find(b"\n", at)
    if line == len(data) - 1 and line >= 0 and b"HTTP/" not in data[at:line]:
        return line, line + 1
    if len(data) - at > MAX_HEAD - 1024:
        raise Malformed(f"a head of more than {MAX_HEAD - 1024} bytes")
    return -1, at


_REQUEST: Final = re.compile(rb"([!-~]{1,64})[ \t]+[^\r\n]*?([ \t]+HTTP/\d\.\d)?[ \t]*\r?")
_BEGINNING: Final = re.compile(rb"([A-Z][A-Z_-]*)(?: +(?:/|\*|http|$)?|$)")
_ANSWER: Final = re.compile(rb"HTTP/\d\.\d[ \t]+\d{3}[ \t\r\n]")


def recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Tell a request by its line, a response by its status line."""
    if data[0] == 0x48 and data.startswith(b"HTTP/"):
        return Verdict.YES if _ANSWER.match(data) else Verdict.MORE if len(data) < 13 else Verdict.NO
    if data.startswith(b"PRI * HTTP/2"):
        return Verdict.NO
    line, newline, _ = data[:8192].partition(b"\n")
    found = _REQUEST.fullmatch(line)
    if newline:
        if found is None:
            return Verdict.NO
        is_one = found[2] is not None or (found[1] in METHODS and _is_old(line))
        return Verdict.YES if is_one else Verdict.NO
    method = line.split(b" ", 1)[0]
    if method in METHODS and line[len(method) : len(method) + 2] == b" /":
        return Verdict.YES
    return Verdict.MORE if _BEGINNING.match(line) and (len(line) < 128 or method in METHODS) else Verdict.NO


def _is_old(line: bytes) -> bool:
    """Say whether a line without version asks for a path, as in HTTP/0.9."""
    words = line.split()
    return len(words) == 2 and words[1].startswith((b"/", b"http://"))


PROTOCOL = ProtocolKind(
    name="http",
    transport=TCP,
    recognise=recognise,
    decoder=HttpDecoder,
    ports=frozenset({80, 81, 591, 3000, 3128, 5000, 8000, 8008, 8080, 8081, 8088, 8888}),
    first_bytes=frozenset(range(0x41, 0x5B)),
    resumes=True,
    buffer_bytes=MAX_HEAD,
)

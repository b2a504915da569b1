"""RTSP (RFC 2326, RFC 7826), which is how cameras are looked at: an event a request, with its answer.

Media that are interleaved (RFC 2326, 10.12) and bodies are skipped. Of credentials only the scheme and the user's name.
"""

import re
from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
    CLIENT,
    TCP,
    Ends,
    Fields,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.framing import read_each
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of
from sakimori_packet_sensor.domain.protocols.text_heads import read_head

_DATASET: Final = "network.rtsp"
_MOST_HEAD: Final = 8_192
_MOST_PENDING: Final = 8

_METHODS = rb"(?:OPTIONS|DESCRIBE|ANNOUNCE|SETUP|PLAY|PLAY_NOTIFY|PAUSE|TEARDOWN|[GS]ET_PARAMETER|REDIRECT|RECORD)"
_FIRST = re.compile(rb"RTSP/[12]\.\d \d\d\d|" + _METHODS + rb" (?:rtsp[su]?://|\*[ ]RTSP/)")
_BEGUN = re.compile(rb"R(?:TSP/?)?$|" + _METHODS + rb" (?:r(?:t(?:s(?:p[su]?:?/?)?)?)?|\*( R?T?S?)?)?$")
_REQUEST = re.compile(rb"([A-Z_]{3,16}) (\S{1,4096}) RTSP/([12]\.\d)")
_RESPONSE = re.compile(rb"RTSP/([12]\.\d) (\d\d\d)(?: (.*))?", re.DOTALL)
_URL = re.compile(
    rb"(rtsp[su]?://)(?:([^/@:\s]*)(:[^/@\s]*)?@)?(\[[0-9a-fA-F:.]+\]|[^/:\s?]*)(?::(\d{1,5}))?([^\s?]*)(\S*)"
)
_PARAMETER = re.compile(rb'(username|realm)="([^"]*)"')


def recognise(data: bytes, _side: int, _ends: Ends) -> Verdict:
    """A request or response line; HTTP has none that begins so."""
    if _FIRST.match(data):
        return Verdict.YES
    return Verdict.MORE if len(data) < 32 and _BEGUN.match(data) else Verdict.NO


class RtspDecoder:
    """Puts answers to requests by their sequence number. Both sides may ask."""

    __slots__ = ("_pending", "_time")

    def __init__(self, _ends: Ends) -> None:
        self._pending: dict[tuple[int, bytes], tuple[int, Fields]] = {}
        self._time = 0

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take bytes of a side."""
        self._time = time
        return read_each(_DATASET, side, data, self._message)

    def finish(self) -> Sequence[Message]:
        """Report what was not answered."""
        return [_unanswered(side, *self._pending.pop((side, key))) for side, key in list(self._pending)]

    def _message(self, side: int, data: bytes, at: int, messages: list[Message]) -> int:
        if data[at] == 0x24:
            return at if at + 4 > len(data) else at + 4 + (data[at + 2] << 8 | data[at + 3])
        if data[at] in b"\r\n":
            return at + 1
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            if len(data) - at > _MOST_HEAD:
                raise Malformed("a head without end")
            return at
        first, fields, behind = read_head(data[at : end + 4])
        length = fields.get("content-length", b"0")
        if not length.isdigit() or len(length) > 9:
            raise Malformed("no content length")
        if request := _REQUEST.match(first):
            self._request(side, request, fields, messages)
        elif response := _RESPONSE.match(first):
            self._response(side, response, fields, messages)
        else:
            raise Malformed("neither request nor response")
        return at + behind + int(length)

    def _request(self, side: int, line: "re.Match[bytes]", head: dict[str, bytes], messages: list[Message]) -> None:
        number = head.get("cseq", b"")[:16]
        fields: Fields = {"rtsp.method": text_of(line[1]), "rtsp.version": text_of(line[3])}
        fields |= url_fields(line[2])
        if number.isdigit():
            fields["rtsp.cseq"] = int(number)
        if "user-agent" in head:
            fields["user_agent.original"] = text_of(head["user-agent"], 512)
        if "transport" in head:
            fields["rtsp.transport"] = text_of(head["transport"], 512)
        if authorization := head.get("authorization"):
            fields["rtsp.has_authorization"] = True
            fields |= _challenge(authorization)
        before = self._pending.pop((side, number), None)
        if before is None and len(self._pending) >= _MOST_PENDING:
            side_before, oldest = next(iter(self._pending))
            messages.append(_unanswered(side_before, *self._pending.pop((side_before, oldest))))
        elif before is not None:
            messages.append(_unanswered(side, *before))
        self._pending[side, number] = (self._time, fields)

    def _response(self, side: int, line: "re.Match[bytes]", head: dict[str, bytes], messages: list[Message]) -> None:
        number = head.get("cseq", b"")[:16]
        time, fields = self._pending.pop((1 - side, number), (0, Fields()))
        code = int(line[2])
        fields |= {"rtsp.status_code": code, "event.outcome": "success" if code < 400 else "failure"}
        if line[3]:
            fields["rtsp.status"] = text_of(line[3], 128)
        if "server" in head:
            fields["rtsp.server"] = text_of(head["server"], 512)
        if "content-type" in head:
            fields["rtsp.content_type"] = text_of(head["content-type"], 128)
        if challenge := head.get("www-authenticate"):
            fields |= _challenge(challenge)
        messages.append(Message(_DATASET, fields, 1 - side, time, side == CLIENT))


def url_fields(raw: bytes) -> Fields:
    """Split an RTSP URL. A password in it is left out, the name before it is kept."""
    found = _URL.match(raw)
    if found is None:
        return {"url.original": text_of(raw.rpartition(b"@")[2])}
    scheme, user, _, host, port, path, query = found.groups()
    clean = scheme + host + (b":" + port if port else b"") + path + query
    fields: Fields = {"url.original": text_of(clean), "url.domain": text_of(host, 255), "url.path": text_of(path, 2048)}
    if user:
        fields["user.name"] = text_of(user, 256)
    return fields


def _challenge(raw: bytes) -> Fields:
    fields: Fields = {"rtsp.auth_scheme": text_of(raw.split(b" ")[0], 32)}
    for name, value in _PARAMETER.findall(raw[:2048]):
        fields["user.name" if name == b"username" else "rtsp.realm"] = text_of(value, 256)
    return fields


def _unanswered(side: int, time: int, fields: Fields) -> Message:
    return Message(_DATASET, {**fields, "event.outcome": "unknown"}, side, time, side != CLIENT)


PROTOCOL: Final = ProtocolKind(
    name="rtsp",
    transport=TCP,
    recognise=recognise,
    decoder=RtspDecoder,
    ports=frozenset({554, 8554}),
    first_bytes=frozenset(b"ROPDASTG"),
    resumes=True,
)

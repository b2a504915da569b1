"""LDAP (RFC 4511): an event an operation, with its result. Attributes' values and passwords are not read."""

from collections.abc import Sequence
from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.protocols.ber import element, expect, integer
from sakimori_packet_sensor.domain.protocols.contract import (
    AGAIN,
    CLIENT,
    DONE,
    TCP,
    Ends,
    Fields,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.framing import read_each
from sakimori_packet_sensor.domain.protocols.ldap_filters import filter_text
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

_DATASET: Final = "network.ldap"
_MOST_READ: Final = 8_192
"""Bytes of a message that are waited for; the rest of a longer one is skipped."""
_MOST_PENDING: Final = 16
_MOST_ATTRIBUTES: Final = 32
_MOST_NAME: Final = 1_024
_WRAP = Struct(">IHBx2xH8x")
"""Length; token, flags, (filler, extra count), rotation, (sequence)."""
_WRAP_TOKEN, _SEALED = 0x0504, 2
_MOST_WRAPPED: Final = 1 << 24
_START_TLS: Final = "1.3.6.1.4.1.1466.20037"
_SEQUENCE, _OCTETS, _ENUMERATED = 0x30, 0x04, 0x0A
_BIND, _UNBIND, _SEARCH, _MODIFY, _ADD, _DELETE = 0x60, 0x42, 0x63, 0x66, 0x68, 0x4A
_RENAME, _COMPARE, _ABANDON, _EXTENDED = 0x6C, 0x6E, 0x50, 0x77
_ENTRY, _REFERENCE, _INTERMEDIATE = 0x64, 0x73, 0x79

_REQUESTS: Final = {
    _BIND: "bind_request", _UNBIND: "unbind_request", _SEARCH: "search_request", _MODIFY: "modify_request",
    _ADD: "add_request", _DELETE: "del_request", _RENAME: "mod_dn_request", _COMPARE: "compare_request",
    _ABANDON: "abandon_request", _EXTENDED: "extended_request",
}  # fmt: skip
_ANSWERS: Final = {
    0x61: "bind_response", 0x65: "search_result_done", 0x67: "modify_response", 0x69: "add_response",
    0x6B: "del_response", 0x6D: "mod_dn_response", 0x6F: "compare_response", 0x78: "extended_response",
}  # fmt: skip
_RESULTS: Final = {
    0: "success", 1: "operations_error", 2: "protocol_error", 3: "time_limit_exceeded", 4: "size_limit_exceeded",
    5: "compare_false", 6: "compare_true", 7: "auth_method_not_supported", 8: "stronger_auth_required", 10: "referral",
    11: "admin_limit_exceeded", 12: "unavailable_critical_extension", 13: "confidentiality_required",
    14: "sasl_bind_in_progress", 16: "no_such_attribute", 17: "undefined_attribute_type",
    20: "attribute_or_value_exists", 21: "invalid_attribute_syntax", 32: "no_such_object", 34: "invalid_dn_syntax",
    48: "inappropriate_authentication", 49: "invalid_credentials", 50: "insufficient_access_rights", 51: "busy",
    52: "unavailable", 53: "unwilling_to_perform", 64: "naming_violation", 65: "object_class_violation",
    68: "entry_already_exists", 80: "other",
}  # fmt: skip
_FINE: Final = frozenset({0, 5, 6, 10, 14})
_WITHOUT_ANSWER: Final = frozenset({_UNBIND, _ABANDON})


def recognise(data: bytes, side: int, _ends: Ends) -> Verdict:
    """A message whose envelope, number and operation fit one another."""
    if data[:1] != b"\x30":
        return Verdict.NO
    if len(data) < 7:
        return Verdict.MORE
    try:
        at, end = _envelope(data, 0)
        _, at = integer(data, at, min(end, len(data)))
    except Malformed:
        return Verdict.NO
    if at + 2 > len(data):
        return Verdict.NO
    is_known = data[at] in _REQUESTS if side == CLIENT else data[at] in _ANSWERS or data[at] == _ENTRY
    return Verdict.YES if is_known and at + 2 + data[at + 1] % 0x80 <= end else Verdict.NO


def _envelope(data: bytes, at: int) -> tuple[int, int]:
    """Read the head of a message: where it begins and ends. Raises Malformed; a head that is cut reads as (-1, -1)."""
    if data[at] != _SEQUENCE:
        raise Malformed("no LDAP message")
    if at + 2 > len(data):
        return -1, -1
    size, begin = data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4:
            raise Malformed("no definite length")
        if begin + count > len(data):
            return -1, -1
        size = int.from_bytes(data[begin : begin + count], "big")
        begin += count
    if size < 3:
        raise Malformed("a message without operation")
    return begin, begin + size


class LdapDecoder:
    """Puts answers to operations by their number. Behind SASL's own encryption nothing is read."""

    __slots__ = ("_is_wrapped", "_pending", "_time")

    def __init__(self, _ends: Ends) -> None:
        self._pending: dict[int, tuple[int, Fields]] = {}
        self._is_wrapped = False
        self._time = 0

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take bytes of a side. Raises Malformed."""
        self._time = time
        return read_each(_DATASET, side, data, self._message)

    def finish(self) -> Sequence[Message]:
        """Report operations that were not answered."""
        return [self._unanswered(number) for number in list(self._pending)]

    def _message(self, side: int, data: bytes, at: int, messages: list[Message]) -> int:
        if self._is_wrapped and data[at] != _SEQUENCE:
            return self._wrapped(side, data, at, messages)
        begin, end = _envelope(data, at)
        if begin < 0:
            return at
        if len(data) < min(end, begin + _MOST_READ):
            return at
        readable = min(end, len(data))
        number, at = integer(data, begin, readable)
        if at + 2 > readable:
            raise Malformed("a message without operation")
        if side == CLIENT:
            self._request(number, data[at:readable], messages)
            return end
        return self._answer(number, data[at:readable], messages) or end

    def _wrapped(self, side: int, data: bytes, at: int, messages: list[Message]) -> int:
        """Read what SASL wraps (RFC 4422, 3.7) in a Kerberos token (RFC 4121, 4.2.6.2), unless it is sealed."""
        inner = at + _WRAP.size
        if inner > len(data):
            return at
        size, kind, flags, rotation = _WRAP.unpack_from(data, at)
        end: int = at + 4 + size
        if kind != _WRAP_TOKEN or flags & _SEALED or size > _MOST_WRAPPED:
            messages += self.finish()
            return DONE
        if len(data) < min(end, inner + _MOST_READ):
            return at
        inner += rotation  # the checksum stands before what it is of
        if inner < min(end, len(data)):
            self._message(side, data[:end], inner, messages)
        return end

    def _request(self, number: int, body: bytes, messages: list[Message]) -> None:
        kind = body[0]
        fields: Fields = {"ldap.message_id": number, "ldap.operation": _REQUESTS.get(kind, f"unknown_{kind:#04x}")}
        try:
            _describe(kind, body, fields)
        except Malformed as problem:
            if len(body) < _MOST_READ:
                fields |= {"error.code": "malformed", "error.message": str(problem)}
        if kind in _WITHOUT_ANSWER:
            messages.append(Message(_DATASET, fields))
            return
        if number in self._pending or len(self._pending) >= _MOST_PENDING:
            messages.append(self._unanswered(number if number in self._pending else next(iter(self._pending))))
        self._pending[number] = (self._time, fields)

    def _answer(self, number: int, body: bytes, messages: list[Message]) -> int:
        kind = body[0]
        if kind in {_ENTRY, _REFERENCE, _INTERMEDIATE}:
            asked = self._pending.get(number)
            if asked is not None and kind == _ENTRY:
                count = asked[1].get("ldap.result_count", 0)
                asked[1]["ldap.result_count"] = count + 1 if isinstance(count, int) else 1
            return 0
        time, fields = self._pending.pop(number, (0, Fields({"ldap.message_id": number})))
        fields["ldap.response"] = _ANSWERS.get(kind, f"unknown_{kind:#04x}")
        code = _result(body, fields)
        fields["event.outcome"] = "success" if code in _FINE else "failure"
        messages.append(Message(_DATASET, fields, CLIENT, time))
        if kind == 0x61 and code == 0 and "ldap.auth_mechanism" in fields:
            self._is_wrapped = True
        return AGAIN if kind == 0x78 and code == 0 and fields.get("ldap.extended_name") == _START_TLS else 0

    def _unanswered(self, number: int) -> Message:
        time, fields = self._pending.pop(number)
        return Message(_DATASET, {**fields, "event.outcome": "unknown"}, CLIENT, time)


def _describe(kind: int, body: bytes, into: Fields) -> None:
    """Say what an operation is about. Raises Malformed."""
    if kind in {_DELETE, _ABANDON, _UNBIND}:
        _, begin, end = element(body, 0, len(body))
        if kind == _DELETE:
            into["ldap.object"] = text_of(body[begin:end], _MOST_NAME)
        return
    if kind not in _REQUESTS:
        return
    _, at, end = element(body, 0, len(body))
    if kind == _BIND:
        _bind(body, at, end, into)
    elif kind == _EXTENDED:
        begin, behind = expect(0x80, body, at, end)
        into["ldap.extended_name"] = text_of(body[begin:behind], 128)
    else:
        begin, at = expect(_OCTETS, body, at, end)
        into["ldap.object"] = text_of(body[begin:at], _MOST_NAME)
        if kind == _SEARCH:
            _search(body, at, end, into)


def _bind(body: bytes, at: int, end: int, into: Fields) -> None:
    into["ldap.version"], at = integer(body, at, end)
    begin, at = expect(_OCTETS, body, at, end)
    if name := text_of(body[begin:at], 512):
        into["ldap.object"] = into["user.name"] = name
    kind, begin, behind = element(body, at, end)
    if kind == 0xA3:
        into["ldap.auth_method"] = "sasl"
        begin, behind = expect(_OCTETS, body, begin, behind)
        into["ldap.auth_mechanism"] = text_of(body[begin:behind], 64)
    else:
        into["ldap.auth_method"] = "simple" if kind == 0x80 else "unknown"
        into["ldap.has_password"] = behind > begin


def _search(body: bytes, at: int, end: int, into: Fields) -> None:
    begin, at = expect(_ENUMERATED, body, at, end)
    scope = body[begin] if at > begin else 255
    into["ldap.scope"] = {0: "base", 1: "single", 2: "tree"}.get(scope, "unknown")
    _, at = expect(_ENUMERATED, body, at, end)
    into["ldap.size_limit"], at = integer(body, at, end)
    _, at = integer(body, at, end)
    _, _, at = element(body, at, end)  # types only
    into["ldap.filter"], at = filter_text(body, at, end)
    at, end = expect(_SEQUENCE, body, at, end)
    names: list[str | int | float | bool | None] = []
    while at < end and len(names) < _MOST_ATTRIBUTES:
        begin, at = expect(_OCTETS, body, at, end)
        names.append(text_of(body[begin:at], 64))
    if names:
        into["ldap.attributes"] = names


def _result(body: bytes, into: Fields) -> int:
    """Read an LDAPResult; returns its code, -1 when there is none."""
    try:
        _, at, end = element(body, 0, len(body))
        begin, at = expect(_ENUMERATED, body, at, end)
        code = int.from_bytes(body[begin : min(at, begin + 4)], "big")
        into["ldap.result_code"] = _RESULTS.get(code, str(code))
        _, at = expect(_OCTETS, body, at, end)
        begin, at = expect(_OCTETS, body, at, end)
        if at > begin:
            into["ldap.diagnostic_message"] = text_of(body[begin:at], 512)
    except Malformed:
        return -1 if "ldap.result_code" not in into else 80
    return code


PROTOCOL: Final = ProtocolKind(
    name="ldap",
    transport=TCP,
    recognise=recognise,
    decoder=LdapDecoder,
    ports=frozenset({389, 3268}),
    first_bytes=frozenset({0x30}),
    resumes=True,
    buffer_bytes=16_384,
)

"""LDAP search filters (RFC 4511, 4.5.1.7), written as RFC 4515 has them. Bounded in depth, in number and in length."""

from typing import Final

from sakimori_packet_sensor.domain.protocols.ber import element
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

MOST_CHARACTERS: Final = 1_024
_MOST_DEPTH: Final = 12
_MOST_PARTS: Final = 128
_MOST_VALUE: Final = 256

_AND, _OR, _NOT, _EQUAL, _SUBSTRINGS, _PRESENT, _EXTENSIBLE = 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0x87, 0xA9
_RELATIONS: Final = {_EQUAL: "=", 0xA5: ">=", 0xA6: "<=", 0xA8: "~="}
_SPECIAL: Final = {ord("*"): "\\2a", ord("("): "\\28", ord(")"): "\\29"}


def filter_text(body: bytes, at: int, end: int) -> tuple[str, int]:
    """Write the filter at `at`, cut to MOST_CHARACTERS; and where it ends. Raises Malformed."""
    _, _, behind = element(body, at, end)
    return _Writer(body).write(at, end, 0)[:MOST_CHARACTERS], behind


class _Writer:
    __slots__ = ("_body", "_left")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._left = _MOST_PARTS

    def write(self, at: int, end: int, depth: int) -> str:
        """Write one filter, `...` for what is too deep or one too many."""
        self._left -= 1
        kind, at, end = element(self._body, at, end)
        if self._left < 0 or depth > _MOST_DEPTH:
            return "..."
        if kind in {_AND, _OR, _NOT}:
            sign = "&" if kind == _AND else "|" if kind == _OR else "!"
            return f"({sign}{''.join(self._parts(at, end, depth + 1))})"
        if kind == _PRESENT:
            return f"({self._value(at, end)}=*)"
        if kind == _SUBSTRINGS:
            return self._substrings(at, end)
        if kind == _EXTENSIBLE:
            return self._extensible(at, end)
        if kind not in _RELATIONS:
            raise Malformed(f"no filter has type {kind:#04x}")
        _, begin, behind = element(self._body, at, end)
        _, value, value_end = element(self._body, behind, end)
        return f"({self._value(begin, behind)}{_RELATIONS[kind]}{self._value(value, value_end)})"

    def _parts(self, at: int, end: int, depth: int) -> list[str]:
        found: list[str] = []
        while at < end and self._left > 0:
            _, _, behind = element(self._body, at, end)
            found.append(self.write(at, end, depth))
            at = behind
        return found

    def _substrings(self, at: int, end: int) -> str:
        _, begin, at = element(self._body, at, end)
        name = self._value(begin, at)
        _, at, end = element(self._body, at, end)
        words, kind = "", 0x81
        while at < end and len(words) < MOST_CHARACTERS:
            kind, begin, at = element(self._body, at, end)
            words += ("" if kind == 0x80 else "*") + self._value(begin, at)
        return f"({name}={words}{'' if kind == 0x82 else '*'})"

    def _extensible(self, at: int, end: int) -> str:
        """A matching rule: its own name, the attribute, the value, whether names in the DN count."""
        said = {0x81: "", 0x82: "", 0x83: "", 0x84: ""}
        while at < end:
            kind, begin, at = element(self._body, at, end)
            if kind in said:
                said[kind] = self._value(begin, at)
        rule = f":{said[0x81]}" if said[0x81] else ""
        return f"({said[0x82]}{':dn' if said[0x84] else ''}{rule}:={said[0x83]})"

    def _value(self, begin: int, end: int) -> str:
        return text_of(self._body[begin:end], _MOST_VALUE).translate(_SPECIAL)

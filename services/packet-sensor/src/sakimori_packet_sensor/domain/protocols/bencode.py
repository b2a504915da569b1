"""Bencode (BEP 3): integers, strings, lists and dictionaries. Bounded in depth and in number."""

from typing import Final

from sakimori_packet_sensor.domain.protocols.malformed import Malformed

Value = int | bytes | list["Value"] | dict[bytes, "Value"]

_MOST_DEPTH: Final = 16
_MOST_VALUES: Final = 4096
_MOST_DIGITS: Final = 20


def decode_bencode(data: bytes) -> Value:
    """Decode one value; bytes behind it are not looked at. Raises Malformed."""
    return _Reader(data).value(0)


class _Reader:
    __slots__ = ("_at", "_data", "_left")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._left = _MOST_VALUES

    def value(self, depth: int) -> Value:
        self._left -= 1
        if self._left < 0 or depth > _MOST_DEPTH:
            raise Malformed("too much, or too deep")
        first = self._data[self._at : self._at + 1]
        if first == b"i":
            self._at += 1
            return self._number(b"e")
        if first == b"l":
            self._at += 1
            return self._list(depth + 1)
        if first == b"d":
            self._at += 1
            return self._dictionary(depth + 1)
        return self._string()

    def _number(self, end: bytes) -> int:
        behind = self._data.find(end, self._at, self._at + _MOST_DIGITS + 1)
        digits = self._data[self._at : max(behind, self._at)]
        if behind < 0 or not (digits[1:] if digits[:1] == b"-" else digits).isdigit():
            raise Malformed("no number")
        self._at = behind + 1
        return int(digits)

    def _string(self) -> bytes:
        size = self._number(b":")
        if size < 0 or self._at + size > len(self._data):
            raise Malformed("a string runs out of the message")
        self._at += size
        return self._data[self._at - size : self._at]

    def _is_end(self) -> bool:
        if self._data[self._at : self._at + 1] != b"e":
            return False
        self._at += 1
        return True

    def _list(self, depth: int) -> list[Value]:
        found: list[Value] = []
        while not self._is_end():
            found.append(self.value(depth))
        return found

    def _dictionary(self, depth: int) -> dict[bytes, Value]:
        found: dict[bytes, Value] = {}
        while not self._is_end():
            key = self._string()
            found[key] = self.value(depth)
        return found

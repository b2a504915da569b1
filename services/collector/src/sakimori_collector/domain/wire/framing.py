"""Messages out of a stream of bytes, whatever pieces it comes in: RFC 6587 (syslog over TCP), and by a separator."""

import re
from dataclasses import dataclass
from typing import Final, Protocol

_COUNT = re.compile(rb"([1-9]\d{0,7}) ")
"""MSG-LEN of RFC 6587, 3.4.1. Nobody means more than 100 MB."""
_COUNT_TO_COME = re.compile(rb"(?:[1-9]\d{0,7})?")
_COUNTED = re.compile(rb"[1-9]\d{0,7} <")
"""How a connection begins that counts octets; a log line may begin with a number, too, but no `<` follows."""
_COUNTED_TO_COME = re.compile(rb"(?:[1-9]\d{0,7} ?)?")
_BETWEEN: Final = b"\n\r\0"
"""What some senders put after a message although they counted it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A message, or the beginning of one too long. `length` is that of the whole; `fault` says what is wrong."""

    raw: bytes
    length: int
    fault: str = ""


class Framing(Protocol):
    """Splits one connection's bytes. What it holds is bounded by the limit of a message."""

    @property
    def is_broken(self) -> bool:
        """Tell whether nothing that follows can be told apart: the connection is to be closed."""

    @property
    def is_amid(self) -> bool:
        """Tell whether a message has begun and not ended."""

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes and return the messages that end in them."""

    def close(self) -> list[Frame]:
        """Return what is left when nothing more comes."""


class _Held:
    """The message that is on its way: its beginning, and how long it is so far."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._kept = bytearray()
        self.length = 0

    def add(self, piece: bytes) -> None:
        self.length += len(piece)
        room = self._limit_bytes - len(self._kept)
        if room > 0:
            self._kept += piece[:room]

    def take(self, fault: str = "") -> Frame:
        frame = Frame(bytes(self._kept), self.length, fault)
        self._kept.clear()
        self.length = 0
        return frame


class SeparatedFraming:
    """Messages that end with a separator; `separator` None: LF or NUL, whichever comes first (RFC 6587, 3.4.2).

    The last message may lack it. Empty messages are none; a CR before LF belongs to the end.
    """

    is_broken = False

    def __init__(self, limit_bytes: int, separator: bytes | None = None) -> None:
        self._limit_bytes = limit_bytes
        self._separator = separator
        self._held = _Held(limit_bytes)

    @property
    def is_amid(self) -> bool:
        """Tell whether the last bytes were no separator."""
        return self._held.length > 0

    def feed(self, data: bytes) -> list[Frame]:
        """Split; the pieces of a whole buffer cost one call."""
        if self._separator is None and (found := re.search(rb"[\n\0]", data)) is not None:
            self._separator = found[0]
        if self._separator is None:
            self._held.add(data)
            return []
        *ended, begun = data.split(self._separator)
        frames = []
        for piece in ended:
            if self._held.length:
                self._held.add(piece)
                frames.append(self._held.take())
            else:
                frames.append(Frame(piece[: self._limit_bytes], len(piece)))
        if begun:
            self._held.add(begun)
        return _whole(frames)

    def close(self) -> list[Frame]:
        """Return the last message, which nothing ended."""
        return _whole([self._held.take()]) if self._held.length else []


class CountedFraming:
    """Messages behind their length in octets (RFC 6587, 3.4.1; RFC 5425, 4.3)."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held = _Held(limit_bytes)
        self._header = b""
        self._missing = 0
        self.is_broken = False

    @property
    def is_amid(self) -> bool:
        """Tell whether a message or its count has begun."""
        return self._missing > 0 or bool(self._header)

    def feed(self, data: bytes) -> list[Frame]:
        """Split. A count that is none breaks the connection: what stands there is the last frame, with a fault."""
        data, position, frames = self._header + data, 0, list[Frame]()
        self._header = b""
        while not self.is_broken:
            if self._missing:
                piece = data[position : position + self._missing]
                self._held.add(piece)
                self._missing -= len(piece)
                position += len(piece)
                if self._missing:
                    break
                frames.append(self._held.take())
            while position < len(data) and data[position] in _BETWEEN:
                position += 1
            count = _COUNT.match(data, position)
            if count is None:
                self._pause(data[position:], frames)
                break
            self._missing = int(count[1])
            position = count.end()
        return _whole(frames)

    def close(self) -> list[Frame]:
        """Return what came of a message that was cut off."""
        if not self._missing:
            return []
        fault = f"cut off after {self._held.length} of {self._held.length + self._missing} bytes"
        self._missing = 0
        return [self._held.take(fault)]

    def _pause(self, rest: bytes, frames: list[Frame]) -> None:
        if _COUNT_TO_COME.fullmatch(rest):
            self._header = rest
            return
        self.is_broken = True
        frames.append(Frame(rest[: self._limit_bytes], len(rest), "an octet count is expected here (RFC 6587)"))


class SyslogFraming:
    """Either of the two, as the first bytes of the connection say."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._chosen: Framing | None = None
        self._beginning = b""

    @property
    def is_broken(self) -> bool:
        """Tell whether nothing that follows can be told apart."""
        return self._chosen is not None and self._chosen.is_broken

    @property
    def is_amid(self) -> bool:
        """Tell whether a message has begun and not ended."""
        return self._chosen.is_amid if self._chosen is not None else bool(self._beginning)

    def feed(self, data: bytes) -> list[Frame]:
        """Split, once it is known how."""
        if self._chosen is None:
            data = self._beginning + data
            if _COUNTED_TO_COME.fullmatch(data):
                self._beginning = data
                return []
            self._beginning = b""
            self._chosen = self._choose(data)
        return self._chosen.feed(data)

    def close(self) -> list[Frame]:
        """Return what is left."""
        if self._chosen is None:
            self._chosen = SeparatedFraming(self._limit_bytes)
            return self._chosen.feed(self._beginning) + self._chosen.close()
        return self._chosen.close()

    def _choose(self, data: bytes) -> Framing:
        return CountedFraming(self._limit_bytes) if _COUNTED.match(data) else SeparatedFraming(self._limit_bytes)


def _whole(frames: list[Frame]) -> list[Frame]:
    """Without line ends and without what is empty then."""
    found = []
    for frame in frames:
        raw = frame.raw
        if raw.endswith((b"\n", b"\r")):
            stripped = raw.rstrip(b"\r\n")
            frame = Frame(stripped, frame.length - len(raw) + len(stripped), frame.fault)  # noqa: PLW2901
        if frame.raw:
            found.append(frame)
    return found

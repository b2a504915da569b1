"""Events of Splunk's HTTP Event Collector: an envelope each, one after another with nothing or anything between.

    {"time": 1768528800.123, "host": "web-1", "source": "/var/log/x", "sourcetype": "y", "event": "..."}{"event": ...}

Source: Splunk, "Format events for HTTP Event Collector" and "Troubleshoot HTTP Event Collector".
"""

import json
import re
from typing import Any, Final

from sakimori_collector.domain.formats import FORMATS, LineRejected
from sakimori_collector.domain.posted.documents import decoded, epoch_microseconds, events_of, flattened
from sakimori_collector.domain.reading import Source
from sakimori_common.contracts import Event, FieldValue
from sakimori_common.instants import EARLIEST, LATEST, format_instant

_SPACE: Final = re.compile(r"[ \t\r\n]*+")
_NAMED: Final = {"host": "host.hostname", "source": "log.file.path", "index": "splunk.index"}


class NoEvent(ValueError):
    """An envelope is not as it should be. `number` counts from 0, as Splunk does; `code` is Splunk's."""

    def __init__(self, number: int, code: int) -> None:
        super().__init__(f"event {number}: code {code}")
        self.number = number
        self.code = code


INVALID_FORMAT: Final = 6
EVENT_REQUIRED: Final = 12
EVENT_BLANK: Final = 13


def envelopes_of(text: str, start: int, first: int, at_most: int) -> tuple[list[tuple[int, bytes]], int]:
    """Take up to so many envelopes from a place in the text on; returns them, each with its number from 1, and where
    the next begins. `first` is the number of those before. Raises NoEvent for what is no JSON object or has no event.
    """
    found: list[tuple[int, bytes]] = []
    place = _skip(text, start)
    while place < len(text) and len(found) < at_most:
        number = first + len(found)
        try:
            envelope, end = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            raise NoEvent(number, INVALID_FORMAT) from None
        _check(envelope, number)
        found.append((number + 1, text[place:end].encode()))
        place = _skip(text, end)
    return found, place


def read_hec(source: Source, raw: bytes, place: int) -> list[Event]:
    """Read one envelope. Raises LineRejected."""
    envelope = decoded(raw)
    event, given = envelope.get("event"), envelope.get("fields")
    document: dict[str, Any] = event if isinstance(event, dict) else {"message": _text(event)}
    fields = flattened(document)
    said = _said(envelope) | (flattened(given) if isinstance(given, dict) else {})
    if isinstance(event, dict):
        document = {**{name: value for name, value in said.items() if name not in fields}, **event}
    return events_of(source, document, said | fields, (raw, place))


def _said(envelope: dict[str, Any]) -> dict[str, FieldValue]:
    """What the envelope says of its event, under the names of events."""
    said: dict[str, FieldValue] = {name: str(envelope[key]) for key, name in _NAMED.items() if envelope.get(key)}
    sourcetype = envelope.get("sourcetype")
    if isinstance(sourcetype, str) and sourcetype:
        said["splunk.sourcetype"] = sourcetype
        if sourcetype in FORMATS:
            said["event.dataset"] = sourcetype
    time = envelope.get("time")
    if isinstance(time, str | int | float) and time != "":
        said["@timestamp"] = _instant(time)
    return said


def _instant(time: str | float) -> str:
    try:
        microseconds = epoch_microseconds(float(time))
        if not EARLIEST <= microseconds <= LATEST:
            raise ValueError(time)
        return format_instant(microseconds)
    except (ValueError, OverflowError):
        raise LineRejected(f"time {str(time)[:64]!r}: seconds or milliseconds since the epoch are expected") from None


def _check(envelope: object, number: int) -> None:
    if not isinstance(envelope, dict):
        raise NoEvent(number, INVALID_FORMAT)
    if envelope.get("event") is None:
        raise NoEvent(number, EVENT_REQUIRED)
    if envelope["event"] == "":
        raise NoEvent(number, EVENT_BLANK)


def _text(event: object) -> str:
    return event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)


def _skip(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return match.end() if match is not None else place


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)
"""The standard library's, since it tells where a value ends."""

"""Sources that fall silent and speak again, as events."""

from dataclasses import dataclass
from typing import Final

from sakimori_common.contracts import Event, FieldValue
from sakimori_common.ids import event_id
from sakimori_common.instants import MICROSECONDS, format_instant

DATASET: Final = "collector.source"
REGULAR_MINUTES: Final = 5
"""A source that was seen in so many minutes, on average as far apart as its silence may last, is a regular one."""


@dataclass(frozen=True, slots=True)
class SilentSource:
    """A source and when it was last seen, in microseconds since the epoch."""

    name: str
    last_seen: int


def went_silent(source: SilentSource, now: int, observer: str) -> Event:
    """Say that a source has not been heard of for too long. The same silence gives the same event."""
    since = format_instant(source.last_seen)
    text = f"{source.name} has sent nothing since {since}"
    return _event(source, "source.silent", source.last_seen, now, {"message": text, "observer.name": observer})


def resumed(source: SilentSource, now: int, observer: str) -> Event:
    """Say that a source that was silent has spoken."""
    text = f"{source.name} sends again, after silence since {format_instant(source.last_seen)}"
    return _event(source, "source.resumed", now, now, {"message": text, "observer.name": observer})


def _event(source: SilentSource, action: str, identity_time: int, now: int, said: dict[str, FieldValue]) -> Event:
    fields: dict[str, FieldValue] = {
        "event.category": "collector",
        "event.action": action,
        "event.outcome": "failure" if action == "source.silent" else "success",
        "sakimori.source": source.name,
        "sakimori.silence.since": format_instant(source.last_seen),
        "sakimori.silence.seconds": max(0, (now - source.last_seen) // MICROSECONDS),
        **said,
    }
    return Event(event_id(identity_time, DATASET, action, source.name, str(source.last_seen)), now, DATASET, fields)

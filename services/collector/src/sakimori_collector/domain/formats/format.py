"""What a log format is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo

from sakimori_common.contracts import FieldValue


class LineRejected(ValueError):
    """A line is no event; the message says why, to a person."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a line leaves unsaid: when it was read (microseconds since the epoch) and the zone its host keeps."""

    now: int
    zone: tzinfo = UTC


Record = tuple[int, dict[str, FieldValue]]
"""Time in microseconds since the epoch, and the ECS fields; the dataset is the format's name."""


@dataclass(frozen=True, slots=True)
class Format:
    """One log format. `name` is also the `event.dataset` of its events.

    `parse` takes a line without its end and gives the events in it, almost always one; it raises LineRejected and
    nothing else, for any text. `recognises` says whether the line is one of this format, for `auto`; it may look at
    the path of the file, which is empty where there is none.
    """

    name: str
    parse: Callable[[str, Reference], list[Record]]
    recognises: Callable[[str, str], bool]

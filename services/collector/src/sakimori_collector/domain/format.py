"""What a log format is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo

from sakimori_common.contracts import FieldValue


class LineRejected(ValueError):
    """A line is no event; the message says why, to a person."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a line leaves unsaid: when it was read (microseconds since the epoch) and the zone its host keeps.

    `context` is what earlier lines of the same source said of those to come (`Format.learn`), empty at first. `path`
    is that of the file, empty where there is none: some logs are named by nothing else.
    """

    now: int
    zone: tzinfo = UTC
    context: str = ""
    path: str = ""


Record = tuple[int, dict[str, FieldValue]]
"""Time in microseconds since the epoch, and the ECS fields.

The dataset is the format's name, unless a field `event.dataset` names another: a format such as Suricata's writes many.
"""

Parse = Callable[[str, Reference], list[Record]]


@dataclass(frozen=True, slots=True)
class Format:
    """One log format. `name` is also the `event.dataset` of its events.

    `parse` takes a line without its end and gives the events in it, almost always one; it raises LineRejected and
    nothing else, for any text. `recognises` says whether the line is one of this format, for `auto`; it may look at
    the path of the file, which is empty where there is none.

    `learn` is for formats whose files begin with a header: it takes a line and the context so far, and returns the
    new context when the line is part of a header (which is no event), else None. `continues` tells that a line goes
    on with the one before it (a stack trace); only inputs that read whole files join those.
    """

    name: str
    parse: Parse
    recognises: Callable[[str, str], bool]
    learn: Callable[[str, str], str | None] | None = None
    continues: Callable[[str], bool] | None = None

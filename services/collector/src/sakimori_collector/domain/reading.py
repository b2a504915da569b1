"""From a line to the events in it: the one way for every input."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sakimori_collector.domain.formats import AUTO, FORMATS, Format, LineRejected, Reference, recognise
from sakimori_collector.domain.text import cut, decode, without_nul
from sakimori_common.contracts import Event, FieldValue
from sakimori_common.contracts.event import MAX_VALUE_CHARACTERS
from sakimori_common.ids import PlacedEventIds, stable_id


class UnknownFormat(ValueError):
    """No format has this name; the message lists those that there are."""


LINE_READER: Final = "line"
"""The reader (domain/readers.py) that `Source.read` is."""
MAX_KEPT_BYTES: Final = 64 * 1024
"""So much of a rejected line is kept."""


@dataclass(frozen=True, slots=True)
class Replay:
    """All that reading a rejected line again needs, so that its events get the ids they would have had.

    `now` in microseconds since the epoch and `zone` are those of the Reference it was read with, `reader` is a name
    in READERS.
    """

    identity: str
    place: int
    path: str
    context: str
    now: int
    zone: str
    stamp: Mapping[str, FieldValue]
    reader: str = LINE_READER


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that became no event, and why.

    `id` is a function of where it stood, so it is kept once however often it is read. `length` is that of the whole
    line in bytes; `raw` holds the first 64 KiB of it.
    """

    id: str
    source: str
    format: str
    reason: str
    raw: bytes
    length: int
    replay: Replay


@dataclass(slots=True)
class Source:
    """Where lines come from and how they are read. It changes only by what headers say (`reference.context`).

    `name` says it to people; `identity` is what ids are made of, the same whenever the same input is read again.
    `format` is the name of a format or `auto`. `stamp`: fields that every event gets. `path`: of the file, if any.
    A `place` is where a line stands in its source: byte offset or line number.
    """

    name: str
    identity: str
    format: str
    reference: Reference
    stamp: Mapping[str, FieldValue]
    path: str = ""
    header_of: Format | None = None
    ids: PlacedEventIds = field(init=False, repr=False, compare=False)
    _elsewhere: tuple[Reference, Reference] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Begin what all ids share, and let formats know the path."""
        self.ids = PlacedEventIds(self.identity)
        if self.path and not self.reference.path:
            self.reference = replace(self.reference, path=self.path)
        self._elsewhere = (self.reference, self.reference)

    def read(self, raw: bytes, place: int) -> list[Event]:
        """Read a line. Raises LineRejected. Values over 65,536 characters are cut."""
        return self.read_text(decode(raw), raw, place, self.format, self.path)

    def read_text(self, text: str, raw: bytes, place: int, format: str, path: str) -> list[Event]:
        """Read a line that is decoded already, and has a format and a path of its own. Raises LineRejected.

        The raw line is part of the ids: a file that was emptied and written anew within a second has other lines at
        the same places.
        """
        chosen = self.header_of or (FORMATS[format] if format != AUTO else _recognise(text, path))
        if chosen.learn is not None and self._has_learnt(chosen, text):
            return []
        reference = self.reference if not path or path == self.reference.path else self._at(path)
        events: list[Event] = []
        for time, fields in chosen.parse(text, reference):
            if len(text) > MAX_VALUE_CHARACTERS:
                _cut(fields)
            dataset = fields.pop("event.dataset", None) or chosen.name
            fields.update(self.stamp)
            identity = self.ids.at(time, place, len(events), raw)
            events.append(Event(identity, time, str(dataset), fields))
        return events

    def _at(self, path: str) -> Reference:
        """Give the reference for a line of another file; the lines of a batch share few, and to make one costs 8 us."""
        of, elsewhere = self._elsewhere
        if of is not self.reference or elsewhere.path != path:
            of, elsewhere = self._elsewhere = (self.reference, replace(self.reference, path=path))
        return elsewhere

    def _has_learnt(self, chosen: Format, text: str) -> bool:
        context = chosen.learn(text, self.reference.context) if chosen.learn is not None else None
        if context is None:
            return False
        self.reference = replace(self.reference, context=context)
        self.header_of = chosen  # its lines are seldom recognisable without it
        return True

    def reject(
        self, raw: bytes, place: int, reason: str, *, reader: str = LINE_READER, length: int | None = None
    ) -> Rejected:
        """Say that a line became no event. `length` in bytes is given where an input did not hold all of it."""
        identity = stable_id("rejected", self.identity, str(place), raw)
        reference = self.reference
        replay = Replay(
            self.identity,
            place,
            self.path,
            reference.context,
            reference.now,
            str(reference.zone),
            self.stamp,
            reader,
        )
        reason = without_nul(reason[:500])
        kept = raw[:MAX_KEPT_BYTES]
        read_as = self.header_of.name if self.header_of is not None else self.format
        return Rejected(identity, self.name, read_as, reason, kept, length or len(raw), replay)


def check_format(name: str) -> str:
    """Return the name of a format, or `auto`, as it is. Raises UnknownFormat."""
    if name != AUTO and name not in FORMATS:
        raise UnknownFormat(f"{name[:64]!r} is no format; there are {', '.join([AUTO, *FORMATS])}")
    return name


def _recognise(text: str, path: str) -> Format:
    found = recognise(text, path)
    if found is None:
        raise LineRejected("of no known format")
    return found


def _cut(fields: dict[str, FieldValue]) -> None:
    for name, value in fields.items():
        fields[name] = cut(value)

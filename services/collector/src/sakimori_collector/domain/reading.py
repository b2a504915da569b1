"""From a line to the events in it: the one way for every input."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sakimori_collector.domain.formats import AUTO, FORMATS, Format, LineRejected, Reference
from sakimori_collector.domain.text import cut, decode
from sakimori_common.contracts import Event, FieldValue
from sakimori_common.contracts.event import MAX_VALUE_CHARACTERS
from sakimori_common.ids import event_id, stable_id


class UnknownFormat(ValueError):
    """No format has this name; the message lists those that there are."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that became no event, and why.

    `id` is a function of where it stood, so it is kept once however often it is read.
    """

    id: str
    source: str
    format: str
    reason: str
    raw: bytes


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
        events = []
        for number, (time, fields) in enumerate(chosen.parse(text, self.reference)):
            if len(text) > MAX_VALUE_CHARACTERS:
                _cut(fields)
            dataset = str(fields.pop("event.dataset", chosen.name))
            fields.update(self.stamp)
            identity = event_id(time, self.identity, b"%d:%d:%b" % (place, number, raw))
            events.append(Event(identity, time, dataset, fields))
        return events

    def _has_learnt(self, chosen: Format, text: str) -> bool:
        context = chosen.learn(text, self.reference.context) if chosen.learn is not None else None
        if context is None:
            return False
        self.reference = replace(self.reference, context=context)
        self.header_of = chosen  # its lines are seldom recognisable without it
        return True

    def reject(self, raw: bytes, place: int, reason: str) -> Rejected:
        """Say that a line became no event."""
        identity = stable_id("rejected", self.identity, str(place), raw)
        return Rejected(identity, self.name, self.format, reason[:500].replace("\0", ""), raw)


def check_format(name: str) -> str:
    """Return the name of a format, or `auto`, as it is. Raises UnknownFormat."""
    if name != AUTO and name not in FORMATS:
        raise UnknownFormat(f"{name[:64]!r} is no format; there are {', '.join([AUTO, *FORMATS])}")
    return name


def _recognise(text: str, path: str) -> Format:
    for candidate in FORMATS.values():
        if candidate.recognises(text, path):
            return candidate
    raise LineRejected("of no known format")


def _cut(fields: dict[str, FieldValue]) -> None:
    for name, value in fields.items():
        fields[name] = cut(value)

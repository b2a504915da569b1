"""Events of one dataset side by side: a column per field, so that one search reads the values of all of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from sakimori_detector.sigma.events import Event, FieldValue, elements, key_of
from sakimori_detector.sigma.view import Aliases, View

Derived = Mapping[str, Callable[[Mapping[str, FieldValue]], FieldValue]]
"""Fields that are made of an event's other fields, once an event."""

_ENVELOPE: Final = frozenset({"@timestamp", "event.id", "event.dataset"})
"""Fields that every event has without having them among its `fields`."""


class Batch:
    """Events in their order; a row is an event's place in it."""

    def __init__(self, events: Sequence[Event], derived: Derived, aliases: Aliases) -> None:
        self._events = events
        self._aliases = aliases
        self._fields: list[Mapping[str, FieldValue]] = [event.fields for event in events]
        self._derived = {name: [derive(fields) for fields in self._fields] for name, derive in derived.items()}
        self._present = set[str]().union(*self._fields)

    def __len__(self) -> int:
        return len(self._events)

    def view(self, row: int) -> View:
        """Show one event to the tests of a condition."""
        fields = self._fields[row]
        if self._derived:
            fields = {**fields, **{name: values[row] for name, values in self._derived.items()}}
        return View(self._events[row], fields, self._aliases)

    def column(self, field: str, absent: FieldValue = None) -> list[FieldValue] | None:
        """List a field's value in each row, `absent` where it has none; None where no event has the field."""
        if field in self._derived:
            return self._derived[field]
        names = [name for name in (field, *self._aliases.get(field, ())) if name in self._present]
        if field in _ENVELOPE:
            return [self.view(row).value(field) for row in range(len(self))]
        if len(names) == 1:
            return [fields.get(names[0], absent) for fields in self._fields]
        if not names:
            return None
        columns = zip(*([fields.get(name) for fields in self._fields] for name in names), strict=True)
        return [next((value for value in each if value is not None), absent) for each in columns]

    def everything(self) -> list[FieldValue]:
        """List the texts of all fields of each row, joined: what keywords are looked for in."""
        return [self.view(row).everything() for row in range(len(self))]


def texts_of(column: Sequence[FieldValue]) -> tuple[list[str], Sequence[int]]:
    """Write the values of a column as texts, and of which row each is: a list has several, an absent value none.

    Columns of strings, which most are, and of strings and integers stay as long as they are.
    """
    kinds = set(map(type, column))
    if kinds <= _PLAIN:
        return cast(list[str], column) if kinds == {str} else list(map(str, column)), range(len(column))
    pairs = [(key_of(item), row) for row, value in enumerate(column) for item in elements(value)]
    return [text for text, _ in pairs], [row for _, row in pairs]


_PLAIN: Final = frozenset[type]({str, int})
"""Types whose `str` is what `key_of` writes."""

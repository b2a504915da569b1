"""Events of a batch side by side, for analytics that ask about the same fields of all of them."""

from collections.abc import Iterable, Sequence, Set
from functools import cached_property

from sakimori_common.contracts import Event
from sakimori_detector.sigma.events import elements


class Columns(list[Event]):
    """Events in their order; what is read of a field is kept, since several rules ask for it. Not to be changed.

    `placed` are the ids of events that a rule for single events met already.
    """

    def __init__(self, events: Iterable[Event], placed: Set[str] = frozenset()) -> None:
        super().__init__(events)
        self._placed = placed
        self._texts: dict[str, frozenset[str]] = {}

    @cached_property
    def _present(self) -> set[str]:
        return set[str]().union(*(event.fields for event in self))

    def unplaced(self) -> Sequence[Event]:
        """List the events that no rule for single events met."""
        return [event for event in self if event.id not in self._placed] if self._placed else self

    def texts(self, field: str) -> frozenset[str]:
        """List the different texts of a field, those in lists, too."""
        if field not in self._present:
            return frozenset()
        if field not in self._texts:
            self._texts[field] = self._read(field)
        return self._texts[field]

    def _read(self, field: str) -> frozenset[str]:
        column = [event.fields.get(field) for event in self]
        try:
            values = frozenset(column) - {None}
            "".join(values)  # type: ignore[arg-type]  # the fastest way to learn whether all are texts
        except TypeError:
            return frozenset(item for value in column for item in elements(value) if type(item) is str)
        return values  # type: ignore[return-value]  # they are

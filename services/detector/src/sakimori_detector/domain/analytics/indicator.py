"""Addresses on a list (S1-26): each event with one is a sign."""

from collections.abc import Sequence

import msgspec

from sakimori_common.contracts import Event
from sakimori_detector.domain.analytics.contract import AnalyticError, World, note, parameters, window_of
from sakimori_detector.domain.folds import Fold
from sakimori_detector.domain.rules import AnalyticRule
from sakimori_detector.sigma.events import elements
from sakimori_detector.sigma.windows import Group, Sign


class Parameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`list` is a file of rules/lists without its suffix; `fields` hold the addresses to look up."""

    list: str
    fields: Sequence[str] = ("source.ip",)


class Indicator:
    """Looks up the addresses of an event. The finding is about the rule's entity, whichever field was on the list."""

    def __init__(self, rule: AnalyticRule, world: World) -> None:
        chosen = parameters(rule, Parameters)
        if chosen.list not in world.lists:
            raise AnalyticError(f"analytic indicator: there is no list {chosen.list!r} (lists/{chosen.list}.txt)")
        self._list = chosen.list
        self._fields = tuple(chosen.fields)
        self._find = world.lists[chosen.list].find
        self._entity = rule.entity
        self.window = window_of(rule)

    def observe(self, events: Sequence[Event]) -> tuple[list[Group], list[Fold]]:
        """See Analytic."""
        groups = []
        for event in events:
            if (entry := self._entry(event)) is not None:
                sign = Sign(event.time, event.id, note=note({"indicator": entry, "list": self._list}))
                groups.append(Group(self.window, str(event.get(self._entity) or entry), [sign]))
        return groups, []

    def _entry(self, event: Event) -> str | None:
        for name in self._fields:
            value = event.fields.get(name)
            for item in (value,) if isinstance(value, str) else elements(value):
                if isinstance(item, str) and (entry := self._find(item)) is not None:
                    return entry
        return None

"""Values that somebody knows to be bad (S1-26, S2-48, S3-29): each event with one is a sign."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import msgspec

from sakimori_common.contracts import Event
from sakimori_detector.domain.analytics.contract import AnalyticError, World, note, parameters, window_of
from sakimori_detector.domain.folds import Fold
from sakimori_detector.domain.intelligence.table import Hit, Table
from sakimori_detector.domain.intelligence.values import Kind, host_of
from sakimori_detector.domain.rules import AnalyticRule
from sakimori_detector.sigma.events import elements
from sakimori_detector.sigma.windows import Group, Sign

_KEY_GLUE: Final = "\x1f"
_REMEMBERED: Final = 16_384
_REMEMBERED_CHARACTERS: Final = 200
"""Values known to be on no list, a rule: 5 MB at most; full, the memory starts anew."""
_URL_FIELDS: Final = ("url.full", "url.original", "http.request.referrer")


class Parameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`list` is a file of rules/lists without its suffix; without one, what all feeds say counts.

    `types` are what is looked for in `fields`; `min_confidence` (0 to 100) leaves out what feeds are less sure of.
    """

    list: str | None = None
    types: Annotated[Sequence[Kind], msgspec.Meta(min_length=1)] = (Kind.IP,)
    fields: Annotated[Sequence[str], msgspec.Meta(min_length=1)] = ("source.ip",)
    min_confidence: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0


class Indicator:
    """Looks up values of an event. The finding is about the rule's entity and one indicator, whichever field had it."""

    def __init__(self, rule: AnalyticRule, world: World) -> None:
        chosen = parameters(rule, Parameters)
        if chosen.list is not None and chosen.list not in world.lists:
            raise AnalyticError(f"analytic indicator: there is no list {chosen.list!r} (lists/{chosen.list}.txt)")
        self._list = chosen.list
        self._world = world
        self._fields = tuple(chosen.fields)
        self._types = tuple(chosen.types)
        self._min_confidence = chosen.min_confidence / 100
        self._entity = rule.entity
        self._quiet: set[str] = set()
        self._table = self._latest_table()
        self.window = window_of(rule)

    def observe(self, events: Sequence[Event]) -> tuple[list[Group], list[Fold]]:
        """See Analytic."""
        table = self._latest_table()
        if table is not self._table:
            self._table, self._quiet = table, set()
        elif len(self._quiet) > _REMEMBERED:
            self._quiet.clear()
        if not table:
            return [], []
        quiet, groups = self._quiet, list[Group]()
        for name in self._fields:
            for event in events:
                value = event.fields.get(name)
                if value is None or (type(value) is str and value in quiet):
                    continue
                for item in (value,) if type(value) is str else elements(value):
                    if type(item) is str and (hit := self._hit(name, item, event)) is not None:
                        groups.append(self._group(event, name, hit))
        return _one_per_indicator(groups), []

    def _latest_table(self) -> Table:
        return self._world.intelligence.table if self._list is None else self._world.lists[self._list]

    def _hit(self, name: str, value: str, event: Event) -> Hit | None:
        if value.startswith("/") and name == "url.original":
            return self._hit_of_path(value, event)
        is_quiet = True
        for kind in self._types:
            text = value if kind is Kind.URL or name not in _URL_FIELDS else host_of(value)
            if text:
                known = self._table.search(kind, text)
                is_quiet &= not known
                if known and (hit := self._accepted(kind, text, event)) is not None:
                    return hit
        if is_quiet and len(value) <= _REMEMBERED_CHARACTERS:
            self._quiet.add(value)
        return None

    def _hit_of_path(self, path: str, event: Event) -> Hit | None:
        """Look up a request to a host that the event names beside the path."""
        host = event.fields.get("url.domain")
        if Kind.URL not in self._types or type(host) is not str or not self._table.has_urls_of(host.lower()):
            return None
        return self._accepted(Kind.URL, f"http://{host}{path}", event)

    def _accepted(self, kind: Kind, text: str, event: Event) -> Hit | None:
        """Look a value up at the event's time; the allow-list wins, and what is too unsure does not count."""
        hit = self._table.find(kind, text, event.time)
        if hit is None or self._world.allowed.covers(kind, text):
            return None
        confidence = hit.origins[0].confidence
        return hit if confidence is None or confidence >= self._min_confidence else None

    def _group(self, event: Event, name: str, hit: Hit) -> Group:
        source, confidence, *_ = hit.origins[0]
        known = {"indicator": hit.indicator, "type": hit.kind, "field": name, "source": source}
        known["list"] = self._list or "feeds"
        known["sources"] = ", ".join(origin.source for origin in hit.origins)
        facts = known if confidence is None else {**known, "confidence": confidence}
        entity = event.get(self._entity)
        key = hit.indicator if entity is None else f"{entity}{_KEY_GLUE}{hit.indicator}"
        return Group(self.window, key, [Sign(event.time, event.id, note=note(facts))])


def _one_per_indicator(groups: Sequence[Group]) -> list[Group]:
    """Count an event once for an indicator that two of its fields have."""

    def _distinct() -> Iterator[tuple[tuple[str, str], Group]]:
        for group in reversed(groups):
            yield (group.key, group.signs[0].event_id), group

    return list(reversed(dict(_distinct()).values())) if len(groups) > 1 else list(groups)

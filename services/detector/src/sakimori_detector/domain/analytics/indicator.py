"""Values that somebody knows to be bad (S1-26, S2-48, S3-29): each event with one is a sign."""

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Final

import msgspec

from sakimori_common.contracts import Event
from sakimori_detector.domain.analytics.contract import AnalyticError, World, note, parameters, window_of
from sakimori_detector.domain.columns import Columns
from sakimori_detector.domain.folds import Fold
from sakimori_detector.domain.intelligence.table import Hit, Table, authorities
from sakimori_detector.domain.intelligence.values import Kind, host_of
from sakimori_detector.domain.rules import AnalyticRule
from sakimori_detector.sigma.events import elements
from sakimori_detector.sigma.windows import Group, Sign

_KEY_GLUE: Final = "\x1f"
_URL_FIELDS: Final = ("url.full", "url.original", "http.request.referrer")
"""Of what stands there, rules on domains and addresses look at the host."""
_PATH_FIELD: Final = "url.original"
"""May be a path alone, beside `url.domain`."""


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
        self.window = window_of(rule)

    def observe(self, events: Columns) -> tuple[list[Group], list[Fold]]:
        """See Analytic. Almost nothing is known, so each field is first asked about as a whole."""
        table = self._world.intelligence.table if self._list is None else self._world.lists[self._list]
        groups = list[Group]()
        for name in self._fields if table else ():
            known = self._known(name, events, table)
            if known:
                groups += self._found(name, known, events, table)
        return _one_per_indicator(groups), []

    def _known(self, name: str, events: Columns, table: Table) -> set[str]:
        """Choose the values of a field of which anything may be known."""
        texts, known = events.texts(name), set[str]()
        for kind in self._types if texts else ():
            if kind is Kind.URL and name == _PATH_FIELD and table.hosts_with_urls(events.texts("url.domain")):
                known |= {text for text in texts if text.startswith("/")}
            if name in _URL_FIELDS and kind is not Kind.URL:
                known |= _with_host(texts, kind, table)
            else:
                known |= table.known(kind, texts)
        return known

    def _found(self, name: str, known: set[str], events: Sequence[Event], table: Table) -> Iterator[Group]:
        for event in events:
            for text in elements(event.fields.get(name)):
                if type(text) is str and text in known and (hit := self._hit(name, text, event, table)) is not None:
                    yield self._group(event, name, hit)

    def _hit(self, name: str, text: str, event: Event, table: Table) -> Hit | None:
        if name == _PATH_FIELD and text.startswith("/"):
            return self._accepted(Kind.URL, f"http://{event.fields.get('url.domain')}{text}", event, table)
        for kind in self._types:
            value = host_of(text) if name in _URL_FIELDS and kind is not Kind.URL else text
            if value and (hit := self._accepted(kind, value, event, table)) is not None:
                return hit
        return None

    def _accepted(self, kind: Kind, text: str, event: Event, table: Table) -> Hit | None:
        """Look a value up at the event's time; the allow-list wins, and what is too unsure does not count."""
        hit = table.find(kind, text, event.time)
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


def _with_host(texts: Collection[str], kind: Kind, table: Table) -> set[str]:
    hosts = {text: host_of(text) or "" for text in authorities(texts)}
    known = table.known(kind, set(hosts.values()))
    return {text for text, host in hosts.items() if host in known} if known else set()


def _one_per_indicator(groups: Sequence[Group]) -> list[Group]:
    """Count an event once for an indicator that two of its fields have."""

    def _distinct() -> Iterator[tuple[tuple[str, str], Group]]:
        for group in reversed(groups):
            yield (group.key, group.signs[0].event_id), group

    return list(reversed(dict(_distinct()).values())) if len(groups) > 1 else list(groups)

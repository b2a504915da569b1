"""Which detections events are matched against: those whose log source means their dataset."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from weakref import WeakValueDictionary

from sakimori_common.contracts import Event
from sakimori_detector.domain.counting import Counted
from sakimori_detector.domain.rules import Detection
from sakimori_detector.domain.sources import ALIASES, LOG_SOURCES, derived_fields, fits
from sakimori_detector.sigma.matcher import Matcher
from sakimori_detector.sigma.view import View

MAX_REMEMBERED: Final = 1000
"""Kinds of events whose matcher is remembered; the oldest is forgotten. Kinds with the same detections share one."""

_Kind = str | tuple[str, str | None]
"""A dataset; one that nobody knows with its `event.category`."""


class Matchers:
    """A matcher for each kind of events, made when the first of them comes: some 20 ms for 250 detections."""

    def __init__(self, detections: Iterable[tuple[Detection, Counted]]) -> None:
        self._detections = list(detections)
        self._by_kind: dict[_Kind, Matcher[Counted] | None] = {}
        self._made: WeakValueDictionary[tuple[bool, tuple[int, ...]], Matcher[Counted]] = WeakValueDictionary()

    def met(self, events: Sequence[Event]) -> list[tuple[int, Counted]]:
        """List the events, by their place, with what to count of them; both in their order."""
        places: dict[_Kind, list[int]] = {}
        for place, event in enumerate(events):
            kind = event.dataset if event.dataset in LOG_SOURCES else _kind(event)
            if kind in places:
                places[kind].append(place)
            else:
                places[kind] = [place]
        met = [found for kind, some in places.items() for found in self._met_by(kind, some, events)]
        return met if len(places) == 1 else sorted(met, key=lambda found: found[0])

    def view(self, event: Event) -> View:
        """Look at an event as its detections do."""
        matcher = self._of(_kind(event))
        return View(event, event.fields, ALIASES) if matcher is None else matcher.view(event)

    def _met_by(self, kind: _Kind, places: list[int], events: Sequence[Event]) -> Iterator[tuple[int, Counted]]:
        matcher = self._of(kind)
        if matcher is not None:
            for place, counted in matcher.met([events[place] for place in places]):
                yield places[place], counted

    def _of(self, kind: _Kind) -> Matcher[Counted] | None:
        if kind not in self._by_kind:
            if len(self._by_kind) >= MAX_REMEMBERED:
                del self._by_kind[next(iter(self._by_kind))]
            self._by_kind[kind] = self._make(kind)
        return self._by_kind[kind]

    def _make(self, kind: _Kind) -> Matcher[Counted] | None:
        dataset, category = (kind, None) if isinstance(kind, str) else kind
        places = tuple(place for place, (each, _) in enumerate(self._detections) if _is_meant(each, dataset, category))
        if not places:
            return None
        derived = derived_fields("nginx.access" if category == "web" else dataset)
        made = self._made.get((bool(derived), places))
        if made is None:
            detections = [self._detections[place] for place in places]
            made = Matcher([(each.condition, counted) for each, counted in detections], derived, ALIASES)
            self._made[bool(derived), places] = made
        return made


def _kind(event: Event) -> _Kind:
    if event.dataset in LOG_SOURCES:
        return event.dataset
    category = event.fields.get("event.category")
    return event.dataset, category if isinstance(category, str) else None


def _is_meant(detection: Detection, dataset: str, category: str | None) -> bool:
    if dataset in LOG_SOURCES:
        return dataset in detection.datasets
    return fits(detection.source, dataset, category)

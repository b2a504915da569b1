"""Which signs complete a sliding window, and which settled ones a later sign can still complete it with."""

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from sakimori_detector.sigma.windows import Window, number

_VALUE: Final = operator.itemgetter(1)


class Entry(NamedTuple):
    """A sign as it is kept, in the order of the replay."""

    time: int
    value: str
    event_id: str


def fired(window: Window, entries: Sequence[Entry], place: int) -> list[Entry] | None:
    """Give the newest entries that complete the window at a place; None when it is not complete."""
    if window.ways:
        find: Callable[[Window, Iterator[Entry]], list[Entry] | None] = _seen_in_order if window.is_ordered else _seen
    elif window.sums_values:
        find = _summed
    else:
        start = place - int(window.threshold) + 1
        if start < 0 or entries[place].time - entries[start].time > window.timespan:
            return None
        if not window.counts_values:
            return list(entries[start : place + 1])
        if len(set(map(_VALUE, entries))) < window.threshold:  # cheaper to tell than by going back
            return None
        find = _distinct
    found = find(window, _back_from(entries, place, window.timespan))
    return None if found is None else found[::-1]


def _back_from(entries: Sequence[Entry], place: int, timespan: int) -> Iterator[Entry]:
    earliest = entries[place].time - timespan
    for at in range(place, -1, -1):
        if entries[at].time < earliest:
            return
        yield entries[at]


def _distinct(window: Window, back: Iterator[Entry]) -> list[Entry] | None:
    found: dict[str, Entry] = {}
    for entry in back:
        if found.setdefault(entry.value, entry) is entry and len(found) >= window.threshold:
            return list(found.values())
    return None


def _summed(window: Window, back: Iterator[Entry]) -> list[Entry] | None:
    found, total = [], 0.0
    for entry in back:
        found.append(entry)
        total += number(entry.value)
        if total > window.threshold or (total == window.threshold and not window.is_strict):
            return found
    return None


def _seen(window: Window, back: Iterator[Entry]) -> list[Entry] | None:
    """Of every value the latest; the first way that is complete going back has the latest start."""
    found: dict[str, Entry] = {}
    for entry in back:
        if found.setdefault(entry.value, entry) is entry:
            for way in window.ways:
                if all(value in found for value in way):
                    return sorted((found[value] for value in way), reverse=True)
    return None


def _seen_in_order(window: Window, back: Iterator[Entry]) -> list[Entry] | None:
    """Go back each way at once: after its last value the latest of the one before, and so on."""
    chains: list[list[Entry]] | None = None
    for entry in back:
        if chains is None:
            ways = [way for way in window.ways if way[-1] == entry.value]
            chains = [[] for _ in ways]
        for way, chain in zip(ways, chains, strict=True):
            if way[-1 - len(chain)] == entry.value:
                chain.append(entry)
                if len(chain) == len(way):
                    return chain
    return None


def retained(window: Window, settled: Sequence[Entry], since: int) -> list[Entry]:
    """Choose of the settled entries those that a later one, not before `since`, can still complete a window with."""
    near = [entry for entry in settled if entry.time >= since - window.timespan]
    if window.sums_values:
        return near if len(near) <= window.retained else joined(near)
    if window.is_ordered:  # of a row of the same value only the last is ever the latest before another
        near = [entry for at, entry in enumerate(near) if at + 1 == len(near) or near[at + 1].value != entry.value]
    elif window.ways or window.counts_values:
        latest = {entry.value: entry for entry in near}
        near = [entry for entry in near if latest[entry.value] is entry]
    return near[-window.retained :]


def joined(entries: Sequence[Entry]) -> list[Entry]:
    """Add up neighbours in a sum, at the time of the earlier: so it counts no longer than it should."""
    pairs = [entries[at : at + 2] for at in range(0, len(entries), 2)]
    return [pair[0]._replace(value=repr(sum(number(entry.value) for entry in pair))) for pair in pairs]

"""Bound how much one source can make the service say (S0-14)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sakimori_chat.domain.occurrences import MESSAGES, Occurrence
from sakimori_common.contracts import FieldValue

MAX_SOURCES = 10_000
"""Sources watched at once; beyond that, new ones share one allowance, so memory stays bounded too."""

_OTHERS = ""
_COUNTED_SINGLY = MESSAGES | {"bot.data_read"}
"""The limits of posts and of bots bound these, and every one counts for the detector."""
_OUTAGES = frozenset({"system.redis_unavailable", "bot.store_unavailable"})


@dataclass(slots=True)
class _Window:
    ends_at: float
    passed: int = 0
    held: int = 0
    latest: Occurrence | None = None


class Aggregator:
    """Let so many occurrences of one action and source pass in each window; count the rest and report them once.

    What was held comes out of `due` when its window has ended: the latest occurrence with `chat.attempts` (of bots:
    `bot.attempts`), the number it stands for. Nothing is dropped without being counted. Times are seconds of any clock
    that never goes back.
    """

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._windows: dict[tuple[str, str], _Window] = {}

    def offer(self, occurrence: Occurrence, now: float) -> bool:
        """Tell whether to report this occurrence by itself now."""
        if occurrence.action in _COUNTED_SINGLY:
            return True
        allowance, seconds = self._allowance(occurrence.action)
        key = self._key(occurrence)
        window = self._windows.setdefault(key, _Window(now + seconds))
        if window.passed < allowance:
            window.passed += 1
            return True
        window.held += 1
        window.latest = occurrence
        return False

    def due(self, now: float) -> list[Occurrence]:
        """Close the windows that have ended and return what they held."""
        ended = [key for key, window in self._windows.items() if window.ends_at <= now]
        return [_summary(window) for key in ended if (window := self._windows.pop(key)).held]

    def _allowance(self, action: str) -> tuple[int, float]:
        return (1, 10.0) if action in _OUTAGES else (self._per_second, 1.0)

    def _key(self, occurrence: Occurrence) -> tuple[str, str]:
        key = (occurrence.action, occurrence.source)
        if key in self._windows or len(self._windows) < MAX_SOURCES:
            return key
        return (occurrence.action, _OTHERS)


def _summary(window: _Window) -> Occurrence:
    latest = window.latest
    if latest is None:
        raise ValueError("a window that held nothing has no summary")
    fields: Mapping[str, FieldValue] = {**latest.fields, f"{latest.category}.attempts": window.held}
    return replace(latest, fields=fields)

"""The same again: copies and near-copies of what was lately said in the room, by one author or by many.

What many people say anyway ("ok", "草", greetings) must pass: the shorter a text, the more copies do, and one of under
twelve letters counts only against the author who repeats exactly it within a minute.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from sakimori_chat.domain.checking.similarity import essence, grams, resemblances, signature, size_of
from sakimori_chat.domain.checks import Objection, Recent, Said
from sakimori_chat.domain.rooms import CheckName, Reaction, RoomPolicy

THRESHOLD: Final = 1.0
"""Of the score in which copies count as in _KINDS: 1 is one copy more than is let pass."""
_SHORT_SECONDS: Final = 60.0


class _Kind(NamedTuple):
    """How texts of a size are compared: from which size and resemblance on, and how much a copy counts."""

    size: int
    resemblance: float
    own: float
    others: float


_KINDS: Final = (
    _Kind(64, 0.5, 1 / 2, 1 / 2),
    _Kind(32, 0.55, 1 / 2, 1 / 4),
    _Kind(12, 0.8, 1 / 3, 1 / 10),
    _Kind(0, 1.0, 1 / 5, 0.0),
)
"""Long, middling, a greeting, a word. `python -m bench.spam copies` measures them: docs/evaluation.md."""

_FLOOD_LETTERS: Final = 60
_FLOOD_TIMES: Final = 8.0
"""A text in which every trigram comes as often on average repeats one letter or word: that is noted, never more."""


class _Copy(NamedTuple):
    recent: Recent
    worth: float
    resemblance: float


class Duplicate:
    """Objects to a message that repeats what was said in the last ten minutes, as far as the room remembers."""

    name = CheckName.DUPLICATE

    def objection(self, said: Said, policy: RoomPolicy) -> Objection | None:
        """See Check. Some 100 us, most of it the signature that is stored with the message anyway."""
        threshold = policy.check(self.name).threshold or THRESHOLD
        copies = list(_copies(said))
        score = round(sum(copy.worth for copy in copies), 3)
        if copies and score >= threshold:
            reasons = _reasons(said, copies)
            return Objection(self.name, score, threshold, reasons, outline=reasons)
        times = repetition(said.text) / _FLOOD_TIMES if len(said.text) >= _FLOOD_LETTERS else 0.0
        if times >= threshold:
            reasons = (f"every part of it comes {times * _FLOOD_TIMES:.0f} times",)
            return Objection(self.name, round(times, 3), threshold, reasons, outline=reasons, at_most=Reaction.NOTE)
        return None


def repetition(text: str) -> float:
    """Tell how often each trigram of a text comes, on average; 1 for texts of under 60 letters."""
    letters = essence(text)
    if len(letters) < _FLOOD_LETTERS:
        return 1.0
    hashed = grams(letters)
    return len(hashed) / len(np.unique(hashed))


def _copies(said: Said) -> Iterator[_Copy]:
    mine = signature(said.text)
    kind = next(kind for kind in _KINDS if size_of(mine) >= kind.size)
    candidates = [
        recent
        for recent in said.recent
        if (recent.author_id == said.author_id or kind.others) and (kind.size or said.at - recent.at <= _SHORT_SECONDS)
    ]
    if not candidates:
        return
    for recent, alike in zip(candidates, resemblances(mine, [each.signature for each in candidates]), strict=True):
        if alike >= kind.resemblance:
            yield _Copy(recent, kind.own if recent.author_id == said.author_id else kind.others, alike)


def _reasons(said: Said, copies: list[_Copy]) -> tuple[str, ...]:
    oldest = min(copy.recent.at for copy in copies)
    others = {copy.recent.author_id for copy in copies} - {said.author_id}
    most = max(copy.resemblance for copy in copies)
    return (
        f"{len(copies)} copies in {max(0, round(said.at - oldest))} s",
        f"{len(others)} other authors" if others else "all by this author",
        f"alike {most:.0%}",
    )

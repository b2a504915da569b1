"""Risk of a chat fingerprint (S0-27..S0-29, S0-34): points for each change of identity that follows a limit.

The score lives where chat reads it (`risk:fp:<fingerprint>`, S0-28) and is forgotten some time after the last change
(C0-5: a plain expiry, no half-life). Entering a rung of the ladder is a sign; the first opens the finding, each further
one is a longer measure.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Final

import msgspec

from sakimori_common.contracts import Event
from sakimori_detector.domain.analytics import identity_changes
from sakimori_detector.domain.analytics.contract import AnalyticError, World, note, parameters, window_of
from sakimori_detector.domain.analytics.identity_changes import Change, Identities
from sakimori_detector.domain.folds import Fold, Step, Write
from sakimori_detector.domain.rules import AnalyticRule
from sakimori_detector.sigma.windows import Group, Sign

SCORE_KEY: Final = "risk:fp:"
"""Followed by the fingerprint; the value is the score as decimal digits."""


class Rung(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From this score on, a block of so many seconds."""

    score: int
    seconds: int


LADDER: Final = (Rung(8, 300), Rung(15, 3600), Rung(30, 86_400))
"""Below 8 nothing but the points; 8 is the score from which chat refuses by itself (S0-28)."""


class Parameters(identity_changes.Parameters, forbid_unknown_fields=True, frozen=True):
    """Points a change, how long they are remembered after the last one, and what follows from how many."""

    points: int = 5
    ttl_seconds: int = 3600
    ladder: tuple[Rung, ...] = LADDER


class ChatRisk:
    """Adds up risk by fingerprint."""

    def __init__(self, rule: AnalyticRule, world: World) -> None:  # all are built alike
        self._chosen = parameters(rule, Parameters)
        if not self._chosen.ladder or any(low.score >= high.score for low, high in pairwise(self._chosen.ladder)):
            raise AnalyticError("analytic chat_risk: the ladder must have rungs, lowest score first")
        self.window = window_of(rule)

    def observe(self, events: Sequence[Event]) -> tuple[list[Group], list[Fold]]:
        """See Analytic."""
        return [], [
            Fold(
                (f"detector:identities:{self.window.rule_id}:{key}", f"{SCORE_KEY}{key}"),
                mine[-1].time,
                partial(self._step, key, mine),
            )
            for key, mine in identity_changes.by_fingerprint(events).items()
        ]

    def _step(self, key: str, events: Sequence[Event], values: Sequence[bytes | None]) -> Step:
        raw, score_before = values[0], _score(values[1])
        identities = msgspec.msgpack.decode(raw, type=Identities) if raw else Identities()
        score, signs = score_before, []
        for event in events:
            change = identities.observe(event, self._chosen)
            if change is not None:
                rung = self._rung(score + self._chosen.points)
                if rung is not None and rung != self._rung(score):
                    signs.append(self._sign(change, score + self._chosen.points, rung))
                score += self._chosen.points
        points = Write(str(score).encode(), self._chosen.ttl_seconds) if score > score_before else None
        memory = Write(msgspec.msgpack.encode(identities), self._chosen.remember_seconds)
        return Step([memory, points], [Group(self.window, key, signs)] if signs else [])

    def _rung(self, score: int) -> Rung | None:
        return next((rung for rung in reversed(self._chosen.ladder) if score >= rung.score), None)

    def _sign(self, change: Change, score: int, rung: Rung) -> Sign:
        facts = {
            "risk_score": score,
            "previous_user": change.previous,
            "new_user": change.new,
            "reason": f"changed identity {self._chosen.points} points a time after a limit",
            "block_seconds": rung.seconds,
        }
        return Sign(change.time, change.event_id, note=note(facts))


def _score(value: bytes | None) -> int:
    """Read a score; what is no number (somebody wrote it by hand) counts as none."""
    return int(value) if value is not None and value.isdigit() else 0

"""Risk of a chat fingerprint (S0-27..S0-29, S0-34): points for each change of identity that follows a limit.

The score lives where chat reads it, `risk:fp:<fingerprint>` (S0-28): decimal digits, rounded. It halves every
`half_life_seconds` (C0-5) and is forgotten `ttl_seconds` after the last change. Nobody ticks: what is published is the
score at the latest event of the fingerprint, and its time to live ends when chat should stop refusing. A score that
somebody else wrote, or deleted, under that key is the score from then on.

Entering a rung of the ladder is a sign; the first that does more than warn opens the finding, each further one is a
longer measure. A change that turns out to be another person (identity_changes) gives its points back, and lifts the
block when no such rung is left.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from math import log2
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from sakimori_common.contracts import Event
from sakimori_detector.domain import ladder
from sakimori_detector.domain.analytics import identity_changes
from sakimori_detector.domain.analytics.contract import AnalyticError, World, note, parameters, window_of
from sakimori_detector.domain.analytics.identity_changes import Change, Identities
from sakimori_detector.domain.folds import Fold, Step, Write, fold_over, recall
from sakimori_detector.domain.ladder import Rung
from sakimori_detector.domain.rules import AnalyticRule
from sakimori_detector.sigma.windows import Group, Sign, microseconds

SCORE_KEY: Final = "risk:fp:"
"""Followed by the fingerprint; the value is the score as decimal digits."""
REFUSED_FROM: Final = 8
"""The score from which chat refuses by itself (S0-28)."""
_NUMBER: Final = re.compile(rb"\d{1,9}(\.\d{1,9})?")

LADDER: Final = (Rung(5, "warn"), Rung(8, "block", 300), Rung(15, "block", 3600), Rung(30, "operator", 86_400))
Whole = Annotated[int, msgspec.Meta(ge=1, le=7 * 86_400)]


class Parameters(identity_changes.Parameters, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Points a change, how they fade, and what follows from how many."""

    points: int = 5
    half_life_seconds: Whole = 1800
    ttl_seconds: Whole = 3600
    ladder: tuple[Rung, ...] = LADDER


class _Memory(msgspec.Struct, array_like=True):
    """`score` as it was at `at`; `published` until `published_until`; `opened_at`: when the latest finding opened."""

    identities: Identities
    score: float = 0.0
    at: int = 0
    published: float = 0.0
    published_until: int = 0
    opened_at: int | None = None


class _Given(NamedTuple):
    """Points that a change gave or, below 0, gives back."""

    points: float
    change: Change
    event: Event


class ChatRisk:
    """Adds up risk by fingerprint."""

    def __init__(self, rule: AnalyticRule, world: World) -> None:  # all are built alike
        self._chosen = parameters(rule, Parameters)
        try:
            ladder.check(self._chosen.ladder)
        except ladder.LadderError as error:
            raise AnalyticError(f"analytic chat_risk: {error}") from None
        self._first_measure = next((rung.score for rung in self._chosen.ladder if rung.seconds), 0.0)
        self.window = window_of(rule)

    def observe(self, events: Sequence[Event]) -> tuple[list[Group], list[Fold]]:
        """See Analytic."""
        return [], [
            fold_over(
                (event.time for event in mine),
                (f"detector:identities:{self.window.rule_id}:{key}", f"{SCORE_KEY}{key}"),
                partial(self._step, key, mine),
            )
            for key, mine in identity_changes.by_fingerprint(events).items()
        ]

    def _step(self, key: str, events: Sequence[Event], values: Sequence[bytes | None]) -> Step:
        raw, stands = values
        memory = recall(raw, _Memory) or _Memory(Identities())
        self._take_over(memory, stands, events[0].time)
        signs = []
        for event in events:
            for given in self._given(memory.identities, event):
                sign = self._add(memory, given)
                signs += [] if sign is None else [sign]
        published = self._publish(memory, events[-1].time)
        remembered = Write(msgspec.msgpack.encode(memory), self._ttl_seconds)
        return Step([remembered, published], [Group(self.window, key, signs)] if signs else [])

    @property
    def _ttl_seconds(self) -> int:
        return max(self._chosen.remember_seconds, self._chosen.ttl_seconds)

    def _given(self, identities: Identities, event: Event) -> list[_Given]:
        counted, withdrawn = identities.observe(event, self._chosen)
        given = [_Given(-self._faded(self._chosen.points, event.time - each.time), each, event) for each in withdrawn]
        return given if counted is None else [*given, _Given(self._chosen.points, counted, event)]

    def _faded(self, score: float, elapsed: int) -> float:
        if elapsed > microseconds(self._chosen.ttl_seconds):
            return 0.0
        return ladder.halved(score, elapsed, self._chosen.half_life_seconds)

    def _add(self, memory: _Memory, given: _Given) -> Sign | None:
        time = given.event.time
        before = self._faded(memory.score, time - memory.at)
        memory.score, memory.at = max(0.0, before + given.points), max(time, memory.at)
        score = round(memory.score)
        is_open = memory.opened_at is not None and time <= memory.opened_at + self.window.hold
        if given.points < 0:
            is_over = score < self._first_measure <= round(before)
            return self._sign(given, score, {"measure": "lift"}) if is_open and is_over else None
        rung = ladder.climbed(self._chosen.ladder, round(before), score)
        if rung is None or rung.action == "warn":
            return None
        memory.opened_at = memory.opened_at if is_open else time
        return self._sign(given, score, rung.facts())

    def _sign(self, given: _Given, score: int, measure: Mapping[str, Any]) -> Sign:
        change, event = given.change, given.event
        came = f"{given.points:+.0f} points: a new identity after a limit"
        reason = came if given.points > 0 else f"{given.points:+.0f} points: it was another person after all"
        facts = {
            "risk_score": score,
            "previous_user": change.previous,
            "new_user": change.new,
            "reason": f"{reason} ({change.told(self._chosen.weights)})",
            **measure,
        }
        return Sign(event.time, event.id, note=note(facts))

    def _take_over(self, memory: _Memory, stands: bytes | None, time: int) -> None:
        """Believe what stands under the key when it is not what was published: somebody set or deleted it."""
        if stands is None:
            if time < memory.published_until:
                memory.score = 0.0
            memory.published = 0.0
        elif (by_hand := _score(stands)) != memory.published:
            memory.score, memory.at, memory.published = by_hand, time, by_hand
            memory.published_until = time + microseconds(self._chosen.ttl_seconds)

    def _publish(self, memory: _Memory, time: int) -> Write | None:
        """Write the score where it differs from what stands there; what has faded is left to expire."""
        score = self._faded(memory.score, time - memory.at)
        if round(score) == round(memory.published):
            return None
        seconds = self._shown_seconds(score)
        memory.published, memory.published_until = round(score), time + microseconds(seconds)
        return Write(str(round(score)).encode(), seconds)

    def _shown_seconds(self, score: float) -> int:
        """Tell how long a score may stand: until chat should admit again, or until it is next to nothing."""
        goal = REFUSED_FROM - 0.5 if round(score) >= REFUSED_FROM else 0.5
        lasts = self._chosen.half_life_seconds * log2(score / goal) if score > goal else 1
        return max(1, min(round(lasts), self._chosen.ttl_seconds))


def _score(value: bytes) -> float:
    """Read a score; what is no number (somebody wrote it by hand) counts as none."""
    return float(value) if _NUMBER.fullmatch(value) else 0.0

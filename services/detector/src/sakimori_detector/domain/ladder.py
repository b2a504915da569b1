"""The ladder of measures (X-16): what follows from how much risk, and for how long. Every measure ends by itself."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

import msgspec

LONGEST_SECONDS: Final = 7 * 86_400

STEPS_SECONDS: Final = (30, 300, 3600, 86_400)
"""30 s, 5 min, 1 h, 24 h: how long the first, second, ... offence of an entity is answered (`ladder: true`)."""


class LadderError(ValueError):
    """A ladder that cannot be climbed; says which rung and why."""


class Rung(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From this score on: `warn` does nothing but tell, `block` and `throttle` hold for `seconds`.

    `operator` says that machines are at their end: the finding asks for a person, and a block holds until one came,
    `seconds` at most.
    """

    score: float
    action: Literal["warn", "throttle", "block", "operator"] = "block"
    seconds: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_SECONDS)] = 0

    def facts(self) -> Mapping[str, Any]:
        """Say what follows, as `policy.measure_for` reads it."""
        measure = "throttle" if self.action == "throttle" else "block"
        return {
            "rung": self.action,
            "measure": measure if self.seconds else "none",
            "measure_seconds": self.seconds,
        }


def check(ladder: Sequence[Rung]) -> None:
    """Raise LadderError unless scores rise from above 0 and measures, and only they, have a length."""
    if not ladder:
        raise LadderError("a ladder has at least one rung")
    if ladder[0].score <= 0 or any(low.score >= high.score for low, high in pairwise(ladder)):
        raise LadderError("the rungs of a ladder rise, from a score above 0")
    for rung in ladder:
        if rung.action in {"block", "throttle"} and not rung.seconds:
            raise LadderError(f"the rung {rung.score:g} says {rung.action}, but not for how many seconds")
        if rung.action == "warn" and rung.seconds:
            raise LadderError(f"the rung {rung.score:g} only warns: no seconds")


def reached(ladder: Sequence[Rung], score: float) -> Rung | None:
    """Give the highest rung that a score reaches."""
    return next((rung for rung in reversed(ladder) if score >= rung.score), None)


def climbed(ladder: Sequence[Rung], before: float, after: float) -> Rung | None:
    """Give the rung that a score has just entered from below; None when it stays on its rung or falls."""
    rung = reached(ladder, after)
    return rung if rung is not None and before < rung.score else None


def halved(score: float, elapsed: int, half_life_seconds: float) -> float:
    """Let a score decay over `elapsed` microseconds: half of it is left after a half-life. It never grows."""
    return score * math.pow(0.5, max(0, elapsed) / (half_life_seconds * 1_000_000))

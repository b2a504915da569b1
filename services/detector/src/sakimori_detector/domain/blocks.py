"""The `sakimori:` block of a rule (rules/README.md)."""

from datetime import date, datetime
from typing import Annotated, Any

import msgspec

from sakimori_common.contracts import DecisionAction
from sakimori_common.instants import format_instant, to_microseconds
from sakimori_detector.domain.ladder import STEPS_SECONDS
from sakimori_detector.domain.rules import Case, Measure

Ratio = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=366 * 86_400)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]


class DecisionBlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What follows from a finding: for `seconds`, or `ladder: true`: longer with each offence of the entity (X-16)."""

    action: DecisionAction
    seconds: Seconds | None = None
    ladder: bool = False

    def __post_init__(self) -> None:
        if (self.seconds is None) is not self.ladder:
            raise ValueError("either `seconds` or `ladder: true`")

    def measure(self) -> Measure:
        """Give the measure; a ladder's first step stands for it."""
        if self.seconds is None:
            return Measure(self.action, STEPS_SECONDS[0], STEPS_SECONDS)
        return Measure(self.action, self.seconds)


class CaseBlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One case."""

    name: Text
    fires: bool
    events: Annotated[list[dict[str, Any]], msgspec.Meta(min_length=1)]
    count: int | None = None
    lists: dict[str, list[str]] = {}


class Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The block as it stands in the file."""

    entity: Text
    message: Text
    why: Text
    response: Text
    confidence: Ratio
    details: dict[str, str] = {}
    window_seconds: Seconds | None = None
    decision: DecisionBlock | None = None
    cases: list[CaseBlock] = []

    def measure(self) -> Measure | None:
        """Give the decision that follows, if any does."""
        return None if self.decision is None else self.decision.measure()


def read_block(data: Any) -> Block:
    """Check a block. Raises msgspec.ValidationError whose message ends in the place, such as `$.cases[0].fires`."""
    return msgspec.convert(_plain(data), Block)


def cases_of(block: Block, lines: list[int]) -> tuple[Case, ...]:
    """Make the cases of a block; `lines` are where they stand."""
    return tuple(
        Case(case.name, case.fires, case.events, case.count, case.lists, line)
        for case, line in zip(block.cases, lines, strict=True)
    )


def _plain(value: Any) -> Any:
    """Write the times that YAML makes of unquoted timestamps as text again."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return format_instant(to_microseconds(value)) if value.tzinfo else f"{value.isoformat()}Z"
    return value.isoformat() if isinstance(value, date) else value

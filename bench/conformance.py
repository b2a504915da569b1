"""One thing that a peer says of some input, whether ours says the same, and why it does not where that is right."""

import fnmatch
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

Flat = dict[str, Any]
"""An event as it is printed: its fields, `event.dataset` and `@timestamp` among them."""


class Verdict(StrEnum):
    """How a check came out."""

    AGREES = "agrees"
    DIFFERS = "differs"
    EXPLAINED = "differs, explained"
    """It differs, and reasons.json says why that is right or out of scope."""


@dataclass(frozen=True, slots=True)
class Check:
    """What a peer says (`expected`) and what ours says (`got`), both short; `name` is unique in its suite and group.

    A `group` is what agreement is counted by: a protocol, a format.
    """

    suite: str
    group: str
    name: str
    expected: str
    got: str
    agrees: bool


class Reasons:
    """Why some checks differ: pattern of `suite/group/name` to a sentence, the first that fits."""

    def __init__(self, path: Path) -> None:
        self._reasons: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        self.unused: set[str] = set(self._reasons)

    def of(self, check: Check) -> str:
        """Give the reason of a difference; empty when there is none."""
        name = f"{check.suite}/{check.group}/{check.name}"
        for pattern, reason in self._reasons.items():
            if fnmatch.fnmatchcase(name, pattern):
                self.unused.discard(pattern)
                return reason
        return ""


def verdict(check: Check, reasons: Reasons) -> Verdict:
    """Tell how a check came out."""
    if check.agrees:
        return Verdict.AGREES
    return Verdict.EXPLAINED if reasons.of(check) else Verdict.DIFFERS


def table(checks: Sequence[Check], reasons: Reasons) -> str:
    """Write the agreement by suite and group, as Markdown."""
    lines = ["| suite | of | checks | agree | explained | open |", "|---|---|---|---|---|---|"]
    grouped: dict[tuple[str, str], Counter[Verdict]] = defaultdict(Counter)
    for check in checks:
        grouped[check.suite, check.group][verdict(check, reasons)] += 1
    for (suite, group), counts in sorted(grouped.items()):
        lines.append(_row(suite, group, counts))
    for suite in sorted({check.suite for check in checks}):
        total = sum((counts for (name, _), counts in grouped.items() if name == suite), Counter())
        lines.append(_row(suite, "**all**", total))
    return "\n".join(lines)


def disagreements(checks: Sequence[Check], reasons: Reasons) -> str:
    """List what differs, each with its reason."""
    return "\n".join(_line(check, reasons) for check in checks if not check.agrees)


def agreement(checks: Sequence[Check], reasons: Reasons) -> float:
    """Give the share of checks that agree or whose difference has a reason, 0 to 1."""
    verdicts = [verdict(check, reasons) for check in checks]
    return 1 - verdicts.count(Verdict.DIFFERS) / len(verdicts) if verdicts else 1.0


def _row(suite: str, group: str, counts: Counter[Verdict]) -> str:
    cells = [counts.total(), counts[Verdict.AGREES], counts[Verdict.EXPLAINED], counts[Verdict.DIFFERS]]
    return f"| {suite} | {group} | " + " | ".join(map(str, cells)) + " |"


def _line(check: Check, reasons: Reasons) -> str:
    reason = reasons.of(check) or "**open**"
    return f"- {check.suite}/{check.group}/{check.name}: expected {check.expected}; got {check.got}. {reason}"

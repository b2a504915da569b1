"""One thing that a peer says of a capture, and whether the sensor says the same."""

import fnmatch
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from sakimori_packet_sensor.adapters.files import open_capture
from sakimori_packet_sensor.domain.capture import CaptureError
from sakimori_packet_sensor.domain.sensor import Sensor

Flat = dict[str, Any]
"""An event as `sakimori pcap` prints it."""

_REASONS: Final = Path(__file__).with_name("reasons.json")


class Verdict(StrEnum):
    """How a check came out."""

    AGREES = "agrees"
    DIFFERS = "differs"
    EXPLAINED = "differs, explained"
    """It differs, and reasons.json says why that is right or out of scope."""


@dataclass(frozen=True, slots=True)
class Check:
    """What a peer says (`expected`) and what the sensor says (`got`), both short; `name` is unique in its suite."""

    suite: str
    protocol: str
    name: str
    expected: str
    got: str
    agrees: bool


class Reasons:
    """Why some checks differ: pattern of `suite/protocol/name` to a sentence, the first that fits."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = json.loads(_REASONS.read_text())
        self.used: set[str] = set()

    def of(self, check: Check) -> str:
        """Look up the reason; empty when there is none."""
        name = f"{check.suite}/{check.protocol}/{check.name}"
        for pattern, reason in self._reasons.items():
            if fnmatch.fnmatchcase(name, pattern):
                self.used.add(pattern)
                return reason
        return ""


def events_of(capture: Path) -> list[Flat]:
    """Read a capture as `sakimori pcap` does, its events in order, without those about devices."""
    sensor = Sensor({"observer.name": "conformance"})
    try:
        with open_capture(capture) as blocks:
            return [event.to_flat() for events in sensor.events(blocks) for event in events]
    except CaptureError as error:
        return [{"event.dataset": "none", "error.message": str(error)}]


def report(checks: Sequence[Check], reasons: Reasons) -> str:
    """Write the agreement per protocol and every disagreement with its reason, as Markdown."""
    lines = ["| suite | protocol | checks | agree | explained | open |", "|---|---|---|---|---|---|"]
    grouped: dict[tuple[str, str], Counter[Verdict]] = defaultdict(Counter)
    for check in checks:
        grouped[check.suite, check.protocol][verdict(check, reasons)] += 1
    for (suite, protocol), counts in sorted(grouped.items()):
        lines.append(_row(suite, protocol, counts))
    for suite in sorted({check.suite for check in checks}):
        total = sum((counts for (name, _), counts in grouped.items() if name == suite), Counter())
        lines.append(_row(suite, "**all**", total))
    lines += ["", "## Disagreements", ""]
    lines += [_line(check, reasons) for check in checks if not check.agrees]
    return "\n".join(lines)


def verdict(check: Check, reasons: Reasons) -> Verdict:
    """Tell how a check came out."""
    if check.agrees:
        return Verdict.AGREES
    return Verdict.EXPLAINED if reasons.of(check) else Verdict.DIFFERS


def _row(suite: str, protocol: str, counts: Counter[Verdict]) -> str:
    cells = [counts.total(), counts[Verdict.AGREES], counts[Verdict.EXPLAINED], counts[Verdict.DIFFERS]]
    return f"| {suite} | {protocol} | " + " | ".join(map(str, cells)) + " |"


def _line(check: Check, reasons: Reasons) -> str:
    reason = reasons.of(check) or "**open**"
    return f"- {check.suite}/{check.protocol}/{check.name}: expected {check.expected}; got {check.got}. {reason}"


def matching(events: Iterable[Flat], wanted: Flat) -> list[Flat]:
    """Find the events that have all wanted fields with these values (texts without regard to case)."""
    return [event for event in events if all(_same(event.get(name), value) for name, value in wanted.items())]


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, str) and isinstance(found, str):
        return found.casefold() == wanted.casefold()
    if isinstance(found, list) and not isinstance(wanted, list):
        return any(_same(item, wanted) for item in found)
    if isinstance(wanted, bool) or isinstance(found, bool):
        return bool(found) == bool(wanted) if found is not None or not wanted else False
    return bool(found == wanted)

"""The agreement with fail2ban's and CrowdSec's tests does not fall (bench/parse_conformance)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.conformance import Check, Reasons, agreement, disagreements, verdict
from bench.parse_conformance import crowdsec, fail2ban
from bench.parse_conformance.__main__ import REASONS

CHECKS = [
    Check("s", "g", "one#1", "a", "a", True),
    Check("s", "g", "two#1", "a", "b", False),
    Check("s", "g", "three#1", "a", "b", False),
]


def reasons(folder: Path) -> Reasons:
    path = folder / "reasons.json"
    path.write_text('{"s/g/two#*": "It is meant."}')
    return Reasons(path)


def test_what_differs_without_a_reason_counts_against_the_agreement(tmp_path: Path) -> None:
    assert [verdict(check, reasons(tmp_path)).value for check in CHECKS] == ["agrees", "differs, explained", "differs"]
    assert agreement(CHECKS, reasons(tmp_path)) == pytest.approx(2 / 3)
    assert agreement([], reasons(tmp_path)) == 1


def test_differences_are_listed_with_their_reason(tmp_path: Path) -> None:
    assert disagreements(CHECKS, reasons(tmp_path)) == (
        "- s/g/two#1: expected a; got b. It is meant.\n- s/g/three#1: expected a; got b. **open**"
    )


@pytest.mark.data
@pytest.mark.parametrize(("suite", "least"), [(fail2ban.checks, 200), (crowdsec.checks, 120)])
def test_real_lines_are_read_as_others_read_them(
    suite: Callable[[Path], Iterator[Check]], least: int, development_data: Path
) -> None:
    checks = list(suite(development_data))
    assert len(checks) >= least
    known = Reasons(REASONS)
    assert disagreements([check for check in checks if verdict(check, known).value == "differs"], known) == ""

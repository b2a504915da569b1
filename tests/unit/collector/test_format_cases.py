"""The cases of every format, tests/formats/<format>.yml: all that a line becomes, and lines that are none."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sakimori_collector.domain.format import LineRejected, Reference
from sakimori_collector.domain.formats import AUTO, FORMATS
from sakimori_collector.domain.reading import Source
from sakimori_common.instants import format_instant, parse_instant

FOLDER = Path(__file__).parents[2] / "formats"
NOW = "2026-01-16T02:00:00Z"


def load() -> dict[str, list[dict[str, Any]]]:
    """By format: `name`, `line` (or `lines`, of which the last is meant), and `events` or `rejected`.

    May say: `now` and `zone` of the host that reads, `path` of the file, and `auto: false` where content alone does not
    tell the format.
    """
    documents = (yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yml")))
    return {document["format"]: document["cases"] for document in documents}


CASES = load()
ALL = [pytest.param(name, case, id=f"{name}: {case['name']}") for name, cases in CASES.items() for case in cases]


def read(format: str, case: dict[str, Any]) -> list[dict[str, Any]]:
    reference = Reference(parse_instant(case.get("now", NOW)), ZoneInfo(case.get("zone", "UTC")))
    source = Source("test", "test", format, reference, {}, case.get("path", ""))
    *before, line = case["lines"] if "lines" in case else [case["line"]]
    for place, earlier in enumerate(before):
        source.read(earlier.encode(), place)
    events = source.read(line.encode(), len(before))
    return [
        {
            "@timestamp": format_instant(event.time),
            **({"event.dataset": event.dataset} if event.dataset != case["format"] else {}),
            **event.fields,
        }
        for event in events
    ]


@pytest.mark.parametrize(("format", "case"), ALL)
def test_a_line_becomes_exactly_these_events(format: str, case: dict[str, Any]) -> None:
    given = {**case, "format": format}
    if "rejected" in case:
        with pytest.raises(LineRejected) as raised:
            read(format, given)
        assert case["rejected"] in str(raised.value)
        return
    assert read(format, given) == case["events"]
    if case.get("auto", True):
        assert read(AUTO, given) == case["events"]


@pytest.mark.parametrize("format", CASES)
def test_each_format_has_lines_that_are_read_and_one_that_is_not(format: str) -> None:
    assert format in FORMATS
    kinds = [("rejected" in case) for case in CASES[format]]
    assert kinds.count(False) >= 2
    assert kinds.count(True) >= 1


@pytest.mark.parametrize("format", FORMATS)
@settings(deadline=None)  # busy machines are slow machines
@given(data=st.data())
def test_a_line_that_is_damaged_raises_nothing_else(format: str, data: st.DataObject) -> None:
    """Cut, doubled, and with bytes of anything in it."""
    cases = CASES.get(format, CASES["openssh.auth"])
    case = data.draw(st.sampled_from(cases))
    line = (case["lines"][-1] if "lines" in case else case["line"]).encode()
    begin, end = sorted((data.draw(st.integers(0, len(line))), data.draw(st.integers(0, len(line)))))
    damaged = line[:begin] + data.draw(st.binary(max_size=12)) + line[end:]
    source = Source("test", "test", format, Reference(parse_instant(NOW)), {})
    try:
        events = source.read(damaged, 0)
    except LineRejected:
        return
    for event in events:
        assert all(name and isinstance(name, str) for name in event.fields)

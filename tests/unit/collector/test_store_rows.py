"""Events as rows: severity and host, and how long which dataset is kept."""

import pytest

from sakimori_collector.domain.retention import parse_retention
from sakimori_collector.domain.rows import COLUMNS, row_of
from sakimori_collector.domain.severity import severity_of
from sakimori_common.contracts import Event, FieldValue
from sakimori_common.ids import event_id
from sakimori_common.instants import parse_instant

AT = parse_instant("2026-01-16T02:00:00Z")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "info"),
        ({"event.action": "ssh_invalid_user"}, "low"),
        ({"event.action": "security.high_risk_block"}, "high"),
        ({"event.action": "something else", "log.level": "warning"}, "low"),
        ({"log.level": "ERROR"}, "medium"),
        ({"log.level": "crit"}, "high"),
        ({"log.level": "notice"}, "info"),
        ({"event.severity_name": "critical", "event.action": "ssh_invalid_user"}, "critical"),
        ({"event.severity_name": "Informational", "log.level": "error"}, "info"),
        ({"event.severity_name": "odd", "log.level": "error"}, "medium"),
        ({"event.severity_name": 3, "event.action": ["x"], "log.level": None}, "info"),
    ],
)
def test_severity_is_the_events_own_word_then_its_actions_then_its_levels(
    fields: dict[str, FieldValue], expected: str
) -> None:
    assert severity_of(fields) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"observer.name": "collector-1"}, "collector-1"),
        ({"host.name": "web", "observer.name": "collector-1"}, "web"),
        ({"host.hostname": "web-1", "host.name": "web"}, "web-1"),
        ({"host.hostname": 5, "host.name": "web"}, "web"),
    ],
)
def test_the_host_of_a_row_is_the_nearest_name_there_is(fields: dict[str, FieldValue], expected: str | None) -> None:
    row = dict(zip(COLUMNS, row_of(Event(event_id(AT), AT, "x.y", fields)), strict=True))
    assert row["host"] == expected


@pytest.mark.parametrize(
    ("text", "other_days", "expected"),
    [
        ("", 90, {"*": 90, "network.*": 30}),
        ("", 7, {"*": 7, "network.*": 7}),
        ("network.*=60", 90, {"*": 90, "network.*": 60}),
        (" nginx.access = 14 ,, audit*=400", 90, {"*": 90, "network.*": 30, "nginx.access": 14, "audit*": 400}),
    ],
)
def test_retention_is_read_as_days_by_pattern(text: str, other_days: int, expected: dict[str, int]) -> None:
    assert parse_retention(text, other_days) == expected


@pytest.mark.parametrize(
    "text", ["nginx", "nginx=", "nginx=0", "nginx=-1", "nginx=36501", "nginx=²", "a*b=3", "=3", "A=3"]
)
def test_what_is_no_retention_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="days"):
        parse_retention(text, 90)

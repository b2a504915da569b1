"""Lines of JSON: one decode finds the kind, and whatever is in them stays within bounds."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sakimori_collector.domain.format import LineRejected, Reference
from sakimori_collector.domain.formats import FORMATS, recognise
from sakimori_collector.domain.formats.structured import JSON_KINDS
from sakimori_collector.domain.reading import Source
from sakimori_common.contracts import Event
from sakimori_common.contracts.event import MAX_FIELDS
from sakimori_common.instants import parse_instant

NOW = Reference(parse_instant("2026-01-16T02:00:00Z"))
FOLDER = Path(__file__).parents[2] / "formats"


def read(line: str, format: str = "auto") -> list[Event]:
    return Source("test", "test", format, NOW, {}).read(line.encode(), 0)


def objects() -> list[Any]:
    found = []
    for name in {kind.name for kind in JSON_KINDS}:
        for case in yaml.safe_load((FOLDER / f"{name}.yml").read_text())["cases"]:
            if "events" in case and case.get("line", "")[:1] == "{":
                found.append(pytest.param(name, case.get("path", ""), case["line"], id=f"{name}: {case['name']}"))
    return found


@pytest.mark.parametrize(("name", "path", "line"), objects())
def test_each_object_is_of_exactly_one_kind(name: str, path: str, line: str) -> None:
    decoded = json.loads(line)
    meaning = {
        kind.name for kind in JSON_KINDS if (not kind.key or kind.key in decoded) and kind.is_meant(decoded, path)
    }
    assert meaning == {name}


@pytest.mark.parametrize(
    "line",
    [
        '{"ts":1768528798,"event":{"dataset":"gateway.auth"}}',
        '{"eventTime":"2026-01-16T01:59:58Z","eventSource":"s3","eventName":"x",'
        '"event":{"dataset":"gateway.auth","id":"7"}}',
        '{"EventTime":"2026-01-16 01:59:58","Channel":"Security","EventID":1,'
        '"event.dataset":"gateway.auth","event.id":"7"}',
        '{"@timestamp":"2026-01-16T01:59:58Z","winlog":{"channel":"System","event_id":1,"event_data":'
        '{"event.dataset":"chat.security"}}}',
        '{"_path":"gateway","ts":1768528798,"event.dataset":"gateway.auth"}',
        '{"log":"{\\"ts\\":1768528798,\\"event.dataset\\":\\"gateway.auth\\"}","stream":"o","time":"2026-01-16T01:59:58Z"}',
    ],
)
def test_nobody_outside_speaks_for_the_services_themselves(line: str) -> None:
    with suppress(LineRejected):
        for event in read(line):
            assert not event.dataset.startswith(("chat.", "collector.", "gateway.", "sakimori."))
            assert "event.id" not in event.fields
            assert "event.dataset" not in event.fields


def test_every_line_that_begins_as_an_object_is_asked_of_one_format_only() -> None:
    assert recognise('{"timestamp":"x","event_type":"flow"}', "") is FORMATS["json"]
    assert recognise('   {"a":1}', "") is FORMATS["json"]


@pytest.mark.parametrize("depth", [2_000, 10_000])
@pytest.mark.parametrize("begin", ['{"a":', "["])
def test_what_is_nested_too_deep_is_rejected(depth: int, begin: str) -> None:
    line = '{"ts":1768528798,"a":' + begin * depth + "1" + {"[": "]", '{"a":': "}"}[begin] * depth + "}"
    with pytest.raises(LineRejected, match="nested too deep"):
        read(line)


def test_what_is_nested_deeper_than_sixteen_is_kept_as_json() -> None:
    line = '{"ts":1768528798,"a":' + '{"a":' * 20 + "1" + "}" * 21
    [event] = read(line)
    [(name, value)] = [(name, value) for name, value in event.fields.items() if name.startswith("a")]
    assert name == ".".join("a" * 17)
    assert value == '{"a":' * 4 + "1" + "}" * 4


def test_fields_beyond_the_bound_are_kept_together() -> None:
    [event] = read(json.dumps({"ts": 1768528798, **{f"k{number}": number for number in range(5000)}}))
    assert len(event.fields) <= MAX_FIELDS
    rest = (
        json.loads(str(event.fields["sakimori.log.rest"]))
        if len(str(event.fields["sakimori.log.rest"])) < 65_000
        else {}
    )
    kept = {name for name in event.fields if name.startswith("k")} | set(rest)
    assert rest == {} or kept == {f"k{number}" for number in range(5000)}


def test_long_lists_long_names_and_long_values_are_cut() -> None:
    line = json.dumps({"ts": 1768528798, "list": list(range(1000)), "n" * 5000: 1, "text": "x" * 200_000})
    [event] = read(line)
    assert len(event.fields["list"]) == MAX_FIELDS  # type: ignore[arg-type]
    assert max(map(len, event.fields)) <= 512
    assert len(str(event.fields["text"])) == 65_536


def test_a_container_within_a_container_is_read_to_the_bottom() -> None:
    line = '192.0.2.7 - - [16/Jan/2026:01:59:58 +0000] "GET / HTTP/1.1" 200 5'
    for _ in range(5):
        line = json.dumps({"log": line, "stream": "stdout", "time": "2026-01-16T01:59:59Z"})
    [event] = read(line)
    assert event.dataset == "nginx.access"
    assert event.fields["source.ip"] == "192.0.2.7"


def test_ids_of_the_events_of_one_line_differ_and_come_again() -> None:
    record = '{"eventTime":"2026-01-16T01:59:58Z","eventSource":"s3.amazonaws.com","eventName":"GetObject"}'
    line = f'{{"Records":[{record},{record},{record}]}}'
    first, again = ([event.id for event in read(line)] for _ in range(2))
    assert len(set(first)) == 3
    assert first == again


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)
TIMES = ["ts", "timestamp", "time", "@timestamp", "eventTime", "TimeCreated", "__REALTIME_TIMESTAMP"]
MARKS = ["event_type", "flow_id", "log", "stream", "request", "status", "Records", "items", "auditID", "verb", "winlog"]
MARKS += [
    "Event",
    "EventID",
    "Channel",
    "System",
    "EventData",
    "win",
    "uid",
    "_path",
    "id.orig_h",
    "MESSAGE",
    "eventName",
]
MARKS += ["eventSource", "DownstreamStatus", "RequestMethod", "body_bytes_sent", "channel", "event_data", "request_uri"]
OTHERS = [
    "src_ip",
    "dns",
    "http",
    "flow",
    "alert",
    "method",
    "uri",
    "msg",
    "user",
    "sourceIPs",
    "level",
    "userIdentity",
]
OTHERS += ["Data", "remote_addr", "Keywords", "Hashes", "event.dataset", "name", "headers", "ClientAddr"]
KEYS = st.sampled_from([*TIMES, *MARKS, *OTHERS])
GOOD_TIME = st.sampled_from([1768528798, "2026-01-16T01:59:58Z", "1768528798000000"])


@settings(deadline=None)
@given(st.dictionaries(KEYS, VALUES | GOOD_TIME | st.dictionaries(KEYS, VALUES | GOOD_TIME, max_size=5), max_size=14))
def test_any_object_of_known_keys_is_read_or_rejected(value: dict[str, Any]) -> None:
    try:
        line = json.dumps(value)
        events = read(line, "json")
    except LineRejected:
        return
    for event in events:
        assert event.fields.get("event.category")
        assert len(event.fields) <= MAX_FIELDS
        assert "@timestamp" not in event.fields
        assert all(name and not isinstance(field, dict) for name, field in event.fields.items())
        event.to_line()

"""Events from flat and nested objects and back."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_common.contracts import Event, EventError
from sakimori_common.instants import EARLIEST, LATEST, format_instant

FLAT = {
    "@timestamp": "2026-01-16T02:00:00.000Z",
    "event.id": "019bc4d8-3a00-7000-8000-000000000001",
    "event.dataset": "nginx.access",
    "source.ip": "203.0.113.42",
    "http.response.status_code": 401,
    "tags": ["a", None, 1.5],
}


def test_a_flat_event_comes_back_as_it_was() -> None:
    assert Event.from_flat(FLAT).to_flat() == FLAT


def test_nested_objects_are_read_with_dots() -> None:
    event = Event.from_flat(
        {
            "@timestamp": "2026-01-16T02:00:00Z",
            "event": {"dataset": "nginx.access", "outcome": "failure"},
            "http": {"response": {"status_code": 401}, "request.method": "POST"},
        }
    )
    assert event.dataset == "nginx.access"
    assert event.fields == {
        "event.outcome": "failure",
        "http.response.status_code": 401,
        "http.request.method": "POST",
    }


def test_the_envelope_can_be_asked_like_any_field() -> None:
    event = Event.from_flat(FLAT)
    assert [event.get(name) for name in ("@timestamp", "event.id", "event.dataset", "source.ip", "user.name")] == [
        "2026-01-16T02:00:00.000Z",
        "019bc4d8-3a00-7000-8000-000000000001",
        "nginx.access",
        "203.0.113.42",
        None,
    ]


def test_json_is_read_like_objects_nested_or_not() -> None:
    nested = '{"@timestamp": "2026-01-16T02:00:00Z", "event": {"id": "1", "dataset": "x"}, "url": {"path": "/"}}'
    flat = '{"@timestamp": "2026-01-16T02:00:00Z", "event.id": "1", "event.dataset": "x", "url.path": "/"}'
    assert Event.from_json(nested) == Event.from_json(flat) == Event("1", 1_768_528_800_000_000, "x", {"url.path": "/"})


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '"text"', b'{"a": "\xff"}', '{"a": ' * 10_000])
def test_what_is_no_json_object_is_a_decode_error(text: str | bytes) -> None:
    with pytest.raises((msgspec.DecodeError, RecursionError, UnicodeDecodeError)):
        Event.from_json(text)


def test_an_event_without_id_gets_one_of_its_time() -> None:
    event = Event.from_flat({"@timestamp": "2026-01-16T02:00:00Z", "event.dataset": "x"})
    assert int(event.id.replace("-", "")[:12], 16) == 1_768_528_800_000


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"@timestamp": None}, "@timestamp is missing"),
        ({"@timestamp": 1768528800}, "@timestamp is missing"),
        ({"@timestamp": "16/Jan/2026"}, "@timestamp: "),
        ({"@timestamp": "2026-01-16T02:00:00"}, "without a zone"),
        ({"@timestamp": "9999-12-31T23:59:59-01:00"}, "@timestamp"),
        ({"event.dataset": ""}, "event.dataset is missing"),
        ({"event.dataset": 7}, "event.dataset is missing"),
        ({"event.id": 7}, "event.id must be"),
        ({"event.id": ""}, "event.id must be"),
        ({"event.id": "x" * 513}, "event.id: over 512 characters"),
        ({"url.path": "x" * 65_537}, "url.path: over 65536 characters"),
        ({"tags": ["x" * 65_537]}, "tags: over 65536 characters"),
        ({"big": 1 << 64}, "big: an integer of over 64 bits"),
        ({"when": object()}, "when: a object is no field value"),
        ({"list": [["nested"]]}, "list: a list is no field value"),
        ({f"field.{number}": 1 for number in range(300)}, "over 256 fields"),
    ],
)
def test_what_is_no_event_is_refused_with_the_key(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(EventError, match=reason):
        Event.from_flat({**FLAT, **change})
    if "when" not in change:  # an object has no JSON
        with pytest.raises(EventError, match=reason):
            Event.from_json(json.dumps({**FLAT, **change}))


def test_deep_nesting_is_refused() -> None:
    nested: dict[str, Any] = {"leaf": 1}
    for _ in range(1000):
        nested = {"n": nested}
    with pytest.raises(EventError, match="deeper than 16"):
        Event.from_flat({**FLAT, "deep": nested})


_FINITE = st.one_of(
    st.text(), st.integers(-(1 << 63), (1 << 64) - 1), st.floats(allow_nan=False, allow_infinity=False), st.booleans()
)
_VALUES = st.one_of(_FINITE, st.sampled_from([math.inf, -math.inf]))
_NAMES = st.from_regex(r"[a-z_]{1,8}(\.[a-z_]{1,8}){0,3}", fullmatch=True).filter(
    lambda name: name not in {"event.id", "event.dataset"}
)


@given(st.integers(EARLIEST, LATEST), st.dictionaries(_NAMES, st.one_of(_VALUES, st.lists(_VALUES)), max_size=20))
def test_every_flat_event_survives(time: int, fields: dict[str, Any]) -> None:
    flat = {"@timestamp": format_instant(time), "event.id": "id", "event.dataset": "set", **fields}
    assert Event.from_flat(flat).to_flat() == flat


@given(st.dictionaries(_NAMES, st.one_of(_FINITE, st.lists(_FINITE)), max_size=20))
def test_json_of_every_flat_event_is_read_the_same(fields: dict[str, Any]) -> None:
    flat = {"@timestamp": "2026-01-16T02:00:00.000Z", "event.id": "id", "event.dataset": "set", **fields}
    assert Event.from_json(json.dumps(flat)).to_flat() == flat


@given(st.text(), st.dictionaries(_NAMES, st.one_of(_FINITE, st.lists(_FINITE)), max_size=20))
def test_a_line_is_the_json_of_the_flat_event(name: str, fields: dict[str, Any]) -> None:
    event = Event(name, 1_768_528_800_000_000, name, fields)
    line = event.to_line()
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert list(json.loads(line).items()) == list(event.to_flat().items())

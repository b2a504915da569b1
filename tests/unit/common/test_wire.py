"""The wire format of docs/reference/wire.md."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_common.contracts import DECISIONS, EVENTS, FINDINGS, Decision, DecisionAction, Event, WireError
from sakimori_common.testing.samples import BRUTE_FORCE

EVENT = Event("019bc4d8-3a00-7000-8000-000000000001", 1_768_528_800_000_000, "nginx.access", {"source.port": 22})
DECISION = Decision(
    id="d-1",
    entity_type="source.ip",
    entity="203.0.113.42",
    action=DecisionAction.BLOCK,
    rule_id="brute_force_attack",
    finding_id="f-1",
    created_at="2026-01-16T02:00:00.000Z",
    expires_at="2026-01-16T03:00:00.000Z",
    origin="detector",
)


def test_an_event_is_an_array_of_four() -> None:
    assert msgspec.msgpack.decode(EVENTS.encode([EVENT])) == [
        ["019bc4d8-3a00-7000-8000-000000000001", 1_768_528_800_000_000, "nginx.access", {"source.port": 22}]
    ]


def test_findings_and_decisions_are_maps() -> None:
    (finding,) = msgspec.msgpack.decode(FINDINGS.encode([BRUTE_FORCE]))
    assert finding["rule_id"] == "brute_force_attack"
    (decision,) = msgspec.msgpack.decode(DECISIONS.encode([DECISION]))
    assert decision["action"] == "block"


def test_batches_come_back_as_they_were() -> None:
    assert EVENTS.decode(EVENTS.encode([EVENT, EVENT])) == [EVENT, EVENT]
    assert FINDINGS.decode(FINDINGS.encode([BRUTE_FORCE])) == [BRUTE_FORCE]
    assert DECISIONS.decode(DECISIONS.encode([DECISION])) == [DECISION]


def test_a_key_that_a_later_version_added_is_no_obstacle() -> None:
    decision = {**msgspec.to_builtins(DECISION), "added_later": 1}
    assert DECISIONS.decode(msgspec.msgpack.encode([decision])) == [DECISION]


def test_a_field_that_a_later_version_added_to_events_is_no_obstacle() -> None:
    row = [EVENT.id, EVENT.time, EVENT.dataset, EVENT.fields, "added later"]
    assert EVENTS.decode(msgspec.msgpack.encode([row])) == [EVENT]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"not msgpack",
        b"\x91\xa1\xff",
        msgspec.msgpack.encode({"a": 1}),
        msgspec.msgpack.encode([["id", "noon", "set", {}]]),
        msgspec.msgpack.encode([["id", 1, "set", {"a": {"nested": 1}}]]),
        b"\x91" * 5_000,
    ],
)
def test_what_is_no_batch_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        EVENTS.decode(body)


def test_a_refusal_says_where() -> None:
    with pytest.raises(WireError, match=r"\$\[1\]\[1\]"):
        EVENTS.decode(msgspec.msgpack.encode([["id", 1, "set", {}], ["id", "noon", "set", {}]]))


@given(st.binary())
def test_no_bytes_whatever_raise_anything_else(body: bytes) -> None:
    with suppress(WireError):
        EVENTS.decode(body)

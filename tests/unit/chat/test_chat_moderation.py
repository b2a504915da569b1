"""Policies as operators change them, and what their doings look like as events."""

from typing import Any

import pytest

from sakimori_chat.domain.debugging import Target
from sakimori_chat.domain.moderation import Operator, OperatorAction, PolicyError, changed_policy, done_by
from sakimori_chat.domain.rooms import CheckName, CheckPolicy, Reaction, RoomPolicy
from sakimori_common.contracts import ACTIONS

OLD = RoomPolicy(
    title="The garden",
    slow_seconds=5,
    words=("casino",),
    checks={CheckName.WORDS: CheckPolicy(reaction=Reaction.HOLD), CheckName.SPAM: CheckPolicy(threshold=0.9)},
)


@pytest.mark.parametrize(
    ("changes", "new"),
    [
        ({}, OLD),
        (
            {"is_locked": True},
            RoomPolicy(title="The garden", is_locked=True, slow_seconds=5, words=OLD.words, checks=OLD.checks),
        ),
        ({"title": None, "words": None, "slow_seconds": None}, RoomPolicy(checks=OLD.checks)),
        (
            {"checks": {"links": {"reaction": "refuse", "threshold": 2}}},
            RoomPolicy(
                title="The garden",
                slow_seconds=5,
                words=OLD.words,
                checks={**OLD.checks, CheckName.LINKS: CheckPolicy(reaction=Reaction.REFUSE, threshold=2)},
            ),
        ),
        (
            {"checks": {"words": None}},
            RoomPolicy(
                title="The garden",
                slow_seconds=5,
                words=OLD.words,
                checks={CheckName.SPAM: CheckPolicy(threshold=0.9)},
            ),
        ),
        ({"checks": None}, RoomPolicy(title="The garden", slow_seconds=5, words=OLD.words)),
    ],
)
def test_a_change_is_merged_into_the_policy(changes: dict[str, Any], new: RoomPolicy) -> None:
    assert changed_policy(OLD, changes) == new


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": "red"},
        {"slow_seconds": "5"},
        {"slow_seconds": 3601},
        {"words": ["x"] * 1001},
        {"words": [""]},
        {"checks": []},
        {"checks": {"mood": {}}},
        {"checks": {"words": {"reaction": "scold"}}},
        {"checks": {"words": "hold"}},
    ],
)
def test_a_change_that_makes_no_policy_says_which_part(changes: dict[str, Any]) -> None:
    with pytest.raises(PolicyError, match="policy"):
        changed_policy(OLD, changes)


def test_what_an_operator_did_names_the_operator_and_never_the_address() -> None:
    operator = Operator("mika", "0" * 32, "/moderation/rooms", "203.0.113.7")
    occurrence = done_by(operator, OperatorAction.ROOM_CHANGED, {"chat.room": "garden"}, reason="open to locked")
    assert occurrence.dataset == "chat.security"
    assert occurrence.fields == {
        "event.category": "chat",
        "event.action": "chat.room_changed",
        "event.outcome": "success",
        "event.severity_name": "low",
        "url.path": "/moderation/rooms",
        "trace.id": "0" * 32,
        "chat.room": "garden",
        "user.name": "mika",
    }
    assert (occurrence.address, occurrence.reason) == ("203.0.113.7", "open to locked")
    assert "203.0.113.7" not in repr(occurrence)


def test_every_doing_of_operators_is_registered_and_leaves_a_line_in_the_security_log() -> None:
    assert {ACTIONS[action].category for action in OperatorAction} == {"chat"}
    assert [action for action in OperatorAction if ACTIONS[action].severity.value == "info"] == []


@pytest.mark.parametrize(
    ("target", "entity"),
    [
        (Target(anon_id="11111111-1111-4111-8111-111111111111"), ("user", "11111111-1111-4111-8111-111111111111")),
        (Target(fingerprint="0123456789abcdef"), ("fp", "0123456789abcdef")),
        (Target(address="::ffff:192.0.2.1"), ("ip", "192.0.2.1")),
        (Target(address="2001:db8:0:1::5"), ("ip", "2001:db8:0:1::/64")),
    ],
)
def test_the_debug_api_names_whom_as_the_gate_does(target: Target, entity: tuple[str, str]) -> None:
    assert target.entity() == entity

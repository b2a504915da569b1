"""The chat's own events, as its code writes them, meet the chat's rules."""

from pathlib import Path

import pytest

from sakimori_chat.domain.identity import Client
from sakimori_chat.domain.occurrences import Action, Occurrence, Origin, occurred, store_away
from sakimori_common.contracts import Event
from sakimori_common.instants import parse_instant
from sakimori_detector.offline import OfflineDetector, load_folder

LOADED = load_folder(Path(__file__).resolve().parents[3] / "rules", "Asia/Tokyo")
START = parse_instant("2026-01-16T09:00:00Z")


def origin(number: int, *, browsers: int = 1, identities: int = 1) -> Origin:
    browser = f"fp{number % browsers}"
    client = Client("203.0.113.9", "203.0.113.9", "ip", "net", browser, browser)
    return Origin("trace", "/chat/post", client, f"anon-{number % identities}")


def rules_that_fire(occurrences: list[Occurrence]) -> set[str]:
    """One occurrence every ten seconds."""
    events = [
        Event(f"event-{number}", START + number * 10_000_000, each.dataset, {**each.fields, "observer.name": "chat-1"})
        for number, each in enumerate(occurrences)
    ]
    found = OfflineDetector(LOADED.rules, LOADED.world).feed(events)
    return {each.finding.rule_id for each in found if each.finding.dataset.startswith("chat.")}


@pytest.mark.parametrize(
    ("occurrences", "rules"),
    [
        ([occurred(Action.CSRF_FAILED, origin(0))] * 3, {"chat_csrf"}),
        ([occurred(Action.CSRF_FAILED, origin(n, browsers=10)) for n in range(10)], {"chat_csrf_campaign"}),
        ([occurred(Action.MESSAGE_TOO_LONG, origin(0), {"chat.message.length": 301})] * 5, {"chat_long_messages"}),
        (
            [occurred(Action.RATE_LIMIT_HIT, origin(n, identities=4)) for n in range(4)],
            {"chat_many_identities_limited", "chat_flood", "chat_ban_evasion", "chat_high_risk"},
        ),
        ([occurred(Action.RATE_LIMIT_HIT, origin(n, browsers=5)) for n in range(5)], {"chat_many_browsers_limited"}),
        (
            [occurred(Action.BLOCKED_ACTION_ATTEMPT, origin(0), {"chat.block_reason": "ban"})] * 15,
            {"chat_flood", "chat_blocked_persistence"},
        ),
        ([store_away(origin(0), "/chat/post")], {"chat_state_unavailable"}),
        ([occurred(Action.MESSAGE_POSTED, origin(n, browsers=3, identities=7)) for n in range(50)], set()),
    ],
    ids=["csrf", "csrf campaign", "too long", "many identities", "many browsers", "persistence", "valkey away", "talk"],
)
def test_what_the_chat_reports_is_what_its_rules_wait_for(occurrences: list[Occurrence], rules: set[str]) -> None:
    assert rules_that_fire(occurrences) == rules

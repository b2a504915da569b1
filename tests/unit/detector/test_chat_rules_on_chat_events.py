"""The chat's own events, as its code writes them, meet the chat's rules."""

from pathlib import Path

import pytest

from sakimori_chat.bots.domain.occurrences import BotAction, BotOrigin, bot_occurred
from sakimori_chat.bots.domain.occurrences import store_away as bot_store_away
from sakimori_chat.domain.identity import Client
from sakimori_chat.domain.occurrences import Action, Occurrence, Origin, occurred, store_away
from sakimori_common.contracts import Event, FieldValue
from sakimori_common.instants import parse_instant
from sakimori_detector.offline import OfflineDetector, load_folder

LOADED = load_folder(Path(__file__).resolve().parents[3] / "rules", "Asia/Tokyo")
FLAG: dict[str, FieldValue] = {
    "chat.room": "lobby",
    "chat.check.name": "spam",
    "chat.check.score": 0.98,
    "chat.reaction": "hold",
}
BOT = "bot-0123456789abcdef"
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
    return {each.finding.rule_id for each in found if each.finding.dataset.startswith(("chat.", "bot."))}


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
        (
            [occurred(Action.IDENTITY_FLOOD, origin(n, browsers=3, identities=3)) for n in range(3)],
            {"chat_identity_flood"},
        ),
        ([occurred(Action.COOKIE_FORGED, origin(0), {"chat.reason": "signature"})] * 3, {"chat_forged_cookie"}),
        ([occurred(Action.FRAME_REFUSED, origin(0), {"chat.reason": "too_large"})] * 5, {"chat_malformed_frames"}),
        ([occurred(Action.REQUEST_TIMED_OUT, origin(0), {"chat.reason": "head"})] * 20, {"chat_slow_requests"}),
        ([occurred(Action.REQUESTS_SHED, origin(0), {"chat.attempts": 1000})] * 4, {"chat_request_flood"}),
        ([occurred(Action.MESSAGE_FLAGGED, origin(0), FLAG)] * 5, {"chat_spammer"}),
        ([occurred(Action.MESSAGE_FLAGGED, origin(n, browsers=8), FLAG) for n in range(8)], {"chat_flagged_campaign"}),
        ([occurred(Action.LOCKED_ROOM_POST, origin(0), {"chat.room": "lobby"})] * 20, {"chat_ignored_refusals"}),
        ([store_away(origin(0), "/chat/post")], {"chat_state_unavailable"}),
        ([occurred(Action.MESSAGE_POSTED, origin(n, browsers=3, identities=7)) for n in range(50)], set()),
    ],
    ids=[
        *("csrf", "csrf campaign", "too long", "many identities", "many browsers", "persistence"),
        *("identity flood", "forged cookie", "frames", "slow", "shed", "spammer", "campaign", "locked"),
        *("valkey away", "talk"),
    ],
)
def test_what_the_chat_reports_is_what_its_rules_wait_for(occurrences: list[Occurrence], rules: set[str]) -> None:
    assert rules_that_fire(occurrences) == rules


def of_bot(action: BotAction, number: int = 0, **details: str) -> Occurrence:
    named = {name.replace("_", ".", 1): value for name, value in details.items()}
    return bot_occurred(action, BotOrigin(f"trace-{number}", "203.0.113.9"), bot_id=BOT, details=named)


@pytest.mark.parametrize(
    ("occurrences", "rules"),
    [
        ([of_bot(BotAction.HMAC_FAILED)] * 5, {"bot_failed_auth"}),
        ([of_bot(BotAction.REPLAY_REFUSED)] * 3, {"bot_replayed"}),
        ([of_bot(BotAction.ROOM_REFUSED, n, chat_room=f"room-{n}") for n in range(6)], {"bot_room_probing"}),
        ([of_bot(BotAction.FRAME_REFUSED, bot_refusal="invalid_json")] * 21, {"bot_malformed_frames"}),
        ([of_bot(BotAction.HANDSHAKE_REFUSED, bot_refusal="too_many_connections")] * 21, set()),
        ([of_bot(BotAction.MESSAGE_FLAGGED, chat_room="lobby")] * 10, {"bot_unwelcome_messages"}),
        ([of_bot(BotAction.REGISTRATION_REFUSED, bot_refusal="name_taken")] * 11, {"bot_registration_flood"}),
        ([bot_store_away("valkey", BotOrigin("trace", "203.0.113.9"))], {"bot_store_unavailable"}),
        ([of_bot(BotAction.MESSAGE_RECEIVED, n, chat_room="lobby") for n in range(30)], set()),
    ],
    ids=["forged", "replayed", "probing", "frames", "full", "unwelcome", "registrations", "store away", "work"],
)
def test_what_the_bots_doors_report_is_what_their_rules_wait_for(
    occurrences: list[Occurrence], rules: set[str]
) -> None:
    assert rules_that_fire(occurrences) == rules

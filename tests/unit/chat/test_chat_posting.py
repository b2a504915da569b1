import pytest

from sakimori_chat.domain.checks import Judgement, Objection
from sakimori_chat.domain.limits import Outcome, Scope, Verdict
from sakimori_chat.domain.occurrences import Action
from sakimori_chat.domain.posting import (
    Refusal,
    flags_of,
    refusal_of_judgement,
    refusal_of_room,
    refusal_of_text,
    refusal_of_verdict,
)
from sakimori_chat.domain.rooms import CheckName, Reaction, Room, RoomPolicy


def _refusal(verdict: Verdict) -> Refusal:
    refusal = refusal_of_verdict(verdict)
    assert refusal is not None
    return refusal


def test_an_admitted_post_is_not_refused() -> None:
    assert refusal_of_verdict(Verdict(Outcome.ADMITTED)) is None


@pytest.mark.parametrize(
    ("verdict", "status", "code", "actions"),
    [
        (Verdict(Outcome.HIGH_RISK, 3600, risk=8), 403, "high_risk_block", [Action.HIGH_RISK_BLOCK]),
        (Verdict(Outcome.BANNED, 12.2), 429, "blocked", [Action.BLOCKED_ACTION_ATTEMPT]),
        (Verdict(Outcome.DECIDED, 12.2), 403, "blocked_by_decision", [Action.BLOCKED_ACTION_ATTEMPT]),
        (
            Verdict(Outcome.LIMITED, 30, scope=Scope.IDENTITY, ban_step=1),
            429,
            "rate_limited",
            [Action.RATE_LIMIT_HIT, Action.USER_BLOCKED],
        ),
        (Verdict(Outcome.LIMITED, 4, scope=Scope.IDENTITY), 429, "rate_limited", [Action.RATE_LIMIT_HIT]),
        (Verdict(Outcome.LIMITED, 4, scope=Scope.FINGERPRINT), 429, "rate_limited", [Action.RATE_LIMIT_HIT]),
        (Verdict(Outcome.LIMITED, 4, scope=Scope.ADDRESS), 429, "rate_limited", [Action.RATE_LIMIT_HIT]),
        (Verdict(Outcome.CROWDED, 400), 429, "too_many_identities", [Action.IDENTITY_FLOOD]),
        (Verdict(Outcome.SLOWED, 12), 429, "slow", [Action.SLOW_MODE_HIT]),
    ],
)
def test_each_verdict_has_its_status_code_and_events(
    verdict: Verdict, status: int, code: str, actions: list[Action]
) -> None:
    refusal = _refusal(verdict)
    assert (refusal.status, refusal.code) == (status, code)
    assert [action for action, _ in refusal.reports] == actions


def test_seconds_to_wait_are_whole_and_never_zero() -> None:
    assert _refusal(Verdict(Outcome.BANNED, 12.2)).block_seconds == 13
    assert _refusal(Verdict(Outcome.BANNED, 0.0)).block_seconds == 1


def test_the_block_carries_its_length_and_its_step() -> None:
    verdict = Verdict(Outcome.LIMITED, 300, scope=Scope.IDENTITY, ban_step=2)
    (_, blocked) = _refusal(verdict).reports
    details = {"chat.block_seconds": 300, "chat.block_reason": "ban", "chat.ban_step": 2}
    assert blocked == (Action.USER_BLOCKED, details)


def test_as_many_characters_as_the_room_takes_pass_and_one_more_does_not() -> None:
    assert refusal_of_text("防" * 300, 300) is None
    refusal = refusal_of_text("防" * 301, 300)
    assert refusal is not None
    assert (refusal.status, refusal.code) == (400, "too_long")
    assert refusal.reports == ((Action.MESSAGE_TOO_LONG, {"chat.message.length": 301}),)
    assert "at most 300 characters" in refusal.detail


def test_nothing_to_say_is_refused_without_an_event() -> None:
    refusal = refusal_of_text("", 300)
    assert refusal is not None
    assert (refusal.status, refusal.code, refusal.reports) == (400, "empty", ())


def test_a_locked_room_takes_nothing() -> None:
    assert refusal_of_room(Room(name="lobby")) is None
    refusal = refusal_of_room(Room(name="lobby", policy=RoomPolicy(is_locked=True)))
    assert refusal is not None
    assert (refusal.status, refusal.code) == (403, "locked")
    assert [action for action, _ in refusal.reports] == [Action.LOCKED_ROOM_POST]


def test_a_refusing_check_is_named_to_the_author_and_what_it_quotes_is_not_reported() -> None:
    spam = Objection(CheckName.SPAM, 0.91234567, 0.8, ("casino 70%", "a link 20%"), ("a word 70%", "a link 20%"))
    words = Objection(CheckName.WORDS, 1.0, 1.0, ("the word 'casino'",))
    judgement = Judgement(Reaction.REFUSE, (spam, words))
    refusal = refusal_of_judgement(judgement, RoomPolicy())
    assert refusal is not None
    assert (refusal.status, refusal.code) == (422, "words")
    assert [dict(details) for _, details in refusal.reports] == [
        {
            "chat.check.name": "spam",
            "chat.check.score": 0.9123,
            "chat.check.threshold": 0.8,
            "chat.reaction": "refuse",
            "chat.check.reasons": "a word 70%; a link 20%",
        },
        {"chat.check.name": "words", "chat.check.score": 1.0, "chat.check.threshold": 1.0, "chat.reaction": "refuse"},
    ]
    assert "casino" not in str(refusal)


def test_reasons_are_reported_with_their_words_where_texts_are() -> None:
    spam = Objection(CheckName.SPAM, 0.9, 0.8, ("casino 70%", "a link 20%"), ("a word 70%", "a link 20%"))
    ((_, fields),) = flags_of(Judgement(Reaction.NOTE, (spam,)), with_text=True)
    assert fields["chat.check.reasons"] == "casino 70%; a link 20%"


def test_what_is_noted_or_held_is_taken() -> None:
    objection = Objection(CheckName.SPAM, 0.9, 0.8)
    assert refusal_of_judgement(Judgement(Reaction.NOTE, (objection,)), RoomPolicy()) is None
    assert refusal_of_judgement(Judgement(Reaction.HOLD, (objection,)), RoomPolicy()) is None

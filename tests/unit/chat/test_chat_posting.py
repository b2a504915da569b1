import pytest

from sakimori_chat.domain.limits import Outcome, Scope, Verdict
from sakimori_chat.domain.occurrences import Action
from sakimori_chat.domain.posting import Refusal, refusal_of_text, refusal_of_verdict


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
            Verdict(Outcome.LIMITED, 30, scope=Scope.IDENTITY),
            429,
            "rate_limited",
            [Action.RATE_LIMIT_HIT, Action.USER_BLOCKED],
        ),
        (Verdict(Outcome.LIMITED, 4, scope=Scope.FINGERPRINT), 429, "rate_limited", [Action.RATE_LIMIT_HIT]),
        (Verdict(Outcome.LIMITED, 4, scope=Scope.ADDRESS), 429, "rate_limited", [Action.RATE_LIMIT_HIT]),
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


def test_the_block_carries_its_length() -> None:
    (_, blocked) = _refusal(Verdict(Outcome.LIMITED, 30, scope=Scope.IDENTITY)).reports
    assert blocked == (Action.USER_BLOCKED, {"chat.block_seconds": 30, "chat.block_reason": "ban"})


def test_three_hundred_characters_pass_and_one_more_does_not() -> None:
    assert refusal_of_text("防" * 300) is None
    refusal = refusal_of_text("防" * 301)
    assert refusal is not None
    assert (refusal.status, refusal.code) == (400, "too_long")
    assert refusal.reports == ((Action.MESSAGE_TOO_LONG, {"chat.message.length": 301}),)


def test_nothing_to_say_is_refused_without_an_event() -> None:
    refusal = refusal_of_text("")
    assert refusal is not None
    assert (refusal.status, refusal.code, refusal.reports) == (400, "empty", ())

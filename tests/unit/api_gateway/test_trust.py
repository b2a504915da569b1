"""How far a device is trusted, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_api_gateway.domain.trust import Blame, TrustReason, assess
from sakimori_common.contracts import DAY, FindingStatus, Severity

NOW = 1_768_528_800_000_000
SEEN_TODAY = NOW - DAY // 2


def blame(severity: Severity, days: float = 0, *, rule: str = "port_scan", status: str = "open") -> Blame:
    return Blame(rule, severity, FindingStatus(status), NOW - int(days * DAY))


def score(*blames: Blame, quiet_since: int = SEEN_TODAY, base: float = 0.5) -> float:
    return assess(base, [], blames, quiet_since=quiet_since, now=NOW).score


def test_a_device_without_history_is_trusted_as_its_traffic_shows() -> None:
    shown = [TrustReason("speaks Telnet", -0.2)]
    trust = assess(0.3, shown, [], quiet_since=SEEN_TODAY, now=NOW)
    assert (trust.score, trust.reasons, trust.is_override) == (0.3, shown, False)


def test_a_finding_lowers_trust_the_more_the_more_severe_it_is() -> None:
    scores = [score(blame(severity)) for severity in Severity]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 0.5
    assert scores[-1] == 0.0


def test_a_finding_weighs_less_day_by_day_and_nothing_after_a_month() -> None:
    high = [score(blame(Severity.HIGH, days), quiet_since=NOW - 90 * DAY) for days in (0, 1, 10, 29, 31)]
    assert high == sorted(high)
    assert high[0] == 0.2
    assert high[-1] == 0.7


def test_the_same_rule_again_weighs_once_and_another_rule_adds() -> None:
    assert score(blame(Severity.LOW), blame(Severity.LOW, 0.1)) == score(blame(Severity.LOW)) == 0.45
    assert score(blame(Severity.LOW), blame(Severity.MEDIUM, rule="beaconing")) == 0.3


def test_a_false_positive_changes_nothing_and_what_was_settled_weighs_half() -> None:
    assert score(blame(Severity.CRITICAL, status="false_positive")) == 0.5
    assert score(blame(Severity.CRITICAL, status="resolved")) == 0.25


def test_quiet_days_raise_trust_up_to_a_bound() -> None:
    quiet = [score(quiet_since=NOW - days * DAY) for days in (0, 1, 10, 20, 400)]
    assert quiet == [0.5, 0.51, 0.6, 0.7, 0.7]


def test_every_step_is_told() -> None:
    trust = assess(0.5, [], [blame(Severity.HIGH, 3, rule="port_scan")], quiet_since=NOW - 50 * DAY, now=NOW)
    assert [(reason.what, reason.effect) for reason in trust.reasons] == [
        ("finding port_scan", -0.27),
        ("3 days without a finding", 0.03),
    ]
    assert trust.score == 0.26


def test_an_operators_word_replaces_the_score() -> None:
    trust = assess(0.5, [], [blame(Severity.CRITICAL)], quiet_since=SEEN_TODAY, now=NOW, override=0.9)
    assert (trust.score, trust.is_override) == (0.9, True)
    assert trust.reasons


@given(
    base=st.floats(0, 1),
    blames=st.lists(
        st.builds(
            blame,
            st.sampled_from(Severity),
            st.floats(0, 60),
            rule=st.sampled_from(["a", "b", "c"]),
            status=st.sampled_from([status.value for status in FindingStatus]),
        )
    ),
)
def test_trust_stays_between_nothing_and_all(base: float, blames: list[Blame]) -> None:
    assert 0 <= assess(base, [], blames, quiet_since=NOW - 40 * DAY, now=NOW).score <= 1


@pytest.mark.parametrize("severity", Severity)
def test_another_finding_never_raises_trust(severity: Severity) -> None:
    assert score(blame(severity), quiet_since=NOW - 90 * DAY) <= score(quiet_since=NOW - 90 * DAY)

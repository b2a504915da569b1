"""Who hears of which finding, and which notices say the same."""

import pytest

from sakimori_common.contracts import Finding, Severity
from sakimori_common.testing.samples import finding
from sakimori_notifier.domain.routing import DEFAULT_ROUTES, RouteError, channels_for, parse_routes, suppression_key

ROUTES = parse_routes(DEFAULT_ROUTES)


@pytest.mark.parametrize(
    ("severity", "dataset", "channels"),
    [
        (Severity.CRITICAL, "nginx.access", ("console", "email", "slack", "discord", "webhook")),
        (Severity.HIGH, "openssh.auth", ("console", "email", "webhook")),
        (Severity.MEDIUM, "nginx.access", ("console", "webhook")),
        (Severity.LOW, "nginx.access", ("console", "webhook")),
        (Severity.INFO, "nginx.access", ("webhook",)),
        (Severity.MEDIUM, "chat.security", ("console", "discord", "webhook")),
    ],
)
def test_severity_and_dataset_choose_the_channels(severity: Severity, dataset: str, channels: tuple[str, ...]) -> None:
    assert channels_for(finding(severity=severity, dataset=dataset), ROUTES) == channels


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("urgent=console", "'urgent=console': begin with one of"),
        ("high=pager", "'pager' is no channel"),
        ("high", "high"),
    ],
)
def test_a_mistyped_route_is_refused_with_what_is_allowed(text: str, complaint: str) -> None:
    with pytest.raises(RouteError, match=complaint):
        parse_routes(text)


def test_growing_counters_do_not_change_what_a_notice_says() -> None:
    fifth = finding(details={"ip": "203.0.113.42", "username": "admin", "failed_attempts": 5})
    sixth = finding(details={"ip": "203.0.113.42", "username": "admin", "failed_attempts": 6}, count=6)
    assert suppression_key(fifth, "slack") == suppression_key(sixth, "slack")


@pytest.mark.parametrize(
    "other",
    [
        finding(entity="203.0.113.43"),
        finding(rule_id="password_spraying"),
        finding(details={"ip": "203.0.113.42", "username": "root", "failed_attempts": 5}),
    ],
)
def test_another_rule_entity_or_name_is_another_notice(other: Finding) -> None:
    assert suppression_key(other, "slack") != suppression_key(finding(), "slack")


def test_each_channel_is_quiet_by_itself() -> None:
    assert suppression_key(finding(), "slack") != suppression_key(finding(), "discord")

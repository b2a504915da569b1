from dataclasses import replace

from sakimori_chat.domain.aggregation import MAX_SOURCES, Aggregator
from sakimori_chat.domain.identity import Hasher
from sakimori_chat.domain.occurrences import SEVERITIES, Action, Occurrence, Origin, occurred, store_away

CLIENT = Hasher("a key of the server, long enough").client("203.0.113.7", "Firefox", "ja")
ORIGIN = Origin("trace-0001", "/chat/post", CLIENT, "0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e")
ATTEMPT = occurred(Action.BLOCKED_ACTION_ATTEMPT, ORIGIN, {"chat.block_seconds": 12})


def _attempt_from(source: str) -> Occurrence:
    return Occurrence(Action.BLOCKED_ACTION_ATTEMPT, source)


def test_every_action_has_a_severity() -> None:
    assert set(SEVERITIES) == set(Action)


def test_an_occurrence_has_the_fields_of_the_reference_and_no_address() -> None:
    assert ATTEMPT.fields == {
        "event.category": "chat",
        "event.action": "security.blocked_action_attempt",
        "event.outcome": "failure",
        "event.severity_name": "medium",
        "user.id": "0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e",
        "client.fingerprint": CLIENT.fingerprint,
        "client.ip_hash": CLIENT.ip_hash,
        "client.ua_hash": CLIENT.ua_hash,
        "client.network_hash": CLIENT.network_hash,
        "client.language_hash": CLIENT.language_hash,
        "url.path": "/chat/post",
        "trace.id": "trace-0001",
        "chat.block_seconds": 12,
    }
    assert "203.0.113.7" not in str(ATTEMPT)


def test_the_age_of_a_cookie_is_told_where_it_is_known() -> None:
    aged = replace(ORIGIN, cookie_age_seconds=0)
    assert occurred(Action.MESSAGE_POSTED, aged).fields["client.cookie_age_seconds"] == 0
    assert "client.cookie_age_seconds" not in occurred(Action.MESSAGE_POSTED, ORIGIN).fields


def test_posts_and_security_events_are_two_datasets() -> None:
    assert occurred(Action.MESSAGE_POSTED, ORIGIN).dataset == "chat.message"
    assert ATTEMPT.dataset == "chat.security"


def test_a_thousand_attempts_in_a_second_become_ten_events_and_a_count() -> None:
    aggregator = Aggregator(per_second=10)
    passed = sum(aggregator.offer(ATTEMPT, now=100 + number / 1000) for number in range(1000))
    (summary,) = aggregator.due(now=101.0)
    assert passed == 10
    assert summary.fields["chat.attempts"] == 990
    assert summary.fields["user.id"] == ORIGIN.anon_id


def test_few_attempts_are_reported_one_by_one_without_a_summary() -> None:
    aggregator = Aggregator(per_second=10)
    assert all(aggregator.offer(ATTEMPT, now=100.0) for _ in range(10))
    assert aggregator.due(now=101.0) == []


def test_a_window_is_not_summed_up_before_it_ends() -> None:
    aggregator = Aggregator(per_second=1)
    aggregator.offer(ATTEMPT, now=100.0)
    aggregator.offer(ATTEMPT, now=100.5)
    assert aggregator.due(now=100.9) == []
    assert len(aggregator.due(now=101.0)) == 1


def test_one_source_does_not_use_up_the_allowance_of_another() -> None:
    aggregator = Aggregator(per_second=1)
    assert aggregator.offer(_attempt_from("a"), now=100.0)
    assert aggregator.offer(_attempt_from("b"), now=100.0)
    assert not aggregator.offer(_attempt_from("a"), now=100.0)


def test_posts_are_never_held_back() -> None:
    aggregator = Aggregator(per_second=1)
    posted = occurred(Action.MESSAGE_POSTED, ORIGIN)
    assert all(aggregator.offer(posted, now=100.0) for _ in range(50))


def test_an_outage_is_reported_once_in_ten_seconds_whoever_notices() -> None:
    aggregator = Aggregator(per_second=10)
    others = Origin("trace-0002", "/chat", Hasher("k" * 32).client("198.51.100.1", "", ""))
    assert aggregator.offer(store_away(ORIGIN, "/chat"), now=100.0)
    assert not aggregator.offer(store_away(others, "/chat"), now=109.0)
    (summary,) = aggregator.due(now=110.0)
    assert summary.fields["chat.where"] == "/chat"


def test_memory_is_bounded_whatever_the_number_of_sources() -> None:
    aggregator = Aggregator(per_second=1)
    passed = sum(aggregator.offer(_attempt_from(str(number)), now=100.0) for number in range(MAX_SOURCES + 500))
    assert passed == MAX_SOURCES + 1
    (summary,) = aggregator.due(now=101.0)
    assert summary.fields["chat.attempts"] == 499

"""What is pure of bots: statuses, windows, forgeries, registrations, refusals."""

import pytest

from sakimori_chat.bots.domain.device import Bot, BotStatus, is_bot_id, may_become
from sakimori_chat.bots.domain.forgeries import MAX_NETWORKS, Forgeries
from sakimori_chat.bots.domain.limits import BotLimits, Period, Quota, quotas_of, rate_key, seconds_left
from sakimori_chat.bots.domain.occurrences import BotAction, BotOrigin, bot_occurred, store_away
from sakimori_chat.bots.domain.refusals import WRONG, refusal_of_status
from sakimori_chat.bots.domain.registration import RegistrationError, RegistrationRequest, applicant_of, look_of

MIDNIGHT = 1_768_521_600.0  # 2026-01-16T00:00:00Z


def test_counters_are_named_by_the_clock_in_utc() -> None:
    at = MIDNIGHT + 2 * 3600 + 3 * 60 + 4
    assert rate_key("bot-0123456789abcdef", Period.MINUTE, at) == "rate:bot-0123456789abcdef:202601160203"
    assert rate_key("bot-0123456789abcdef", Period.HOUR, at) == "rate:bot-0123456789abcdef:2026011602"
    assert rate_key("bot-0123456789abcdef", Period.DAY, at) == "rate:bot-0123456789abcdef:20260116"
    assert rate_key("b", Period.DAY, MIDNIGHT - 0.001) == "rate:b:20260115"


def test_a_window_ends_with_the_clock_s_and_never_in_zero_seconds() -> None:
    assert seconds_left(Period.MINUTE, MIDNIGHT) == 60
    assert seconds_left(Period.MINUTE, MIDNIGHT + 59.999) == 1
    assert seconds_left(Period.HOUR, MIDNIGHT + 60) == 3540
    assert seconds_left(Period.DAY, MIDNIGHT + 1) == 86_399


def test_what_is_left_never_goes_below_zero() -> None:
    assert quotas_of(BotLimits(3, 10, 20), [5, 4, 4], MIDNIGHT) == (
        Quota(Period.MINUTE, 3, 0, 60),
        Quota(Period.HOUR, 10, 6, 3600),
        Quota(Period.DAY, 20, 16, 86_400),
    )


def test_forgeries_of_a_network_are_too_many_from_one_over_the_limit_until_the_minute_ends() -> None:
    forgeries = Forgeries(per_minute=3)
    assert [forgeries.is_over("203.0.113.7", 10.0) for _ in range(5)] == [False, False, False, True, True]
    assert not forgeries.is_over("203.0.113.8", 10.0)
    assert forgeries.is_over("203.0.113.7", 69.9)
    assert not forgeries.is_over("203.0.113.7", 70.0)


def test_a_clock_that_goes_back_does_not_hold_the_count_for_ever() -> None:
    forgeries = Forgeries(per_minute=1)
    forgeries.is_over("203.0.113.7", 1_000_000.0)
    assert forgeries.is_over("203.0.113.7", 1_000_000.0)
    assert not forgeries.is_over("203.0.113.7", 10.0)


def test_memory_of_forgeries_is_bounded_and_what_is_too_much_shares_a_count() -> None:
    forgeries = Forgeries(per_minute=1)
    for number in range(MAX_NETWORKS):
        assert not forgeries.is_over(f"network {number}", 10.0)
    assert not forgeries.is_over("one more", 10.0)
    assert forgeries.is_over("and another", 10.0)


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("pending", "approved"),
        ("pending", "denied"),
        ("pending", "blocked"),
        ("approved", "revoked"),
        ("approved", "blocked"),
        ("blocked", "approved"),
        ("blocked", "revoked"),
        ("denied", "approved"),
        ("revoked", "revoked"),
        ("blocked", "blocked"),
    ],
)
def test_what_an_operator_may_make_of_a_bot(now: str, then: str) -> None:
    assert may_become(BotStatus(now), BotStatus(then))


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("revoked", "approved"),
        ("revoked", "blocked"),
        ("denied", "revoked"),
        ("approved", "pending"),
        ("approved", "denied"),
    ],
)
def test_what_an_operator_may_not(now: str, then: str) -> None:
    assert not may_become(BotStatus(now), BotStatus(then))


@pytest.mark.parametrize("status", ["pending", "denied", "revoked", "blocked"])
def test_only_an_approved_bot_is_served(status: str) -> None:
    refusal = refusal_of_status(Bot("bot-0123456789abcdef", "Weather", BotStatus(status)))
    assert refusal is not None
    assert (refusal.status, refusal.code, refusal.action) == (403, f"bot_{status}", BotAction.UNAUTHORIZED)
    assert refusal_of_status(Bot("bot-0123456789abcdef", "Weather", BotStatus.APPROVED)) is None


def test_only_one_that_waits_may_ask_how_it_stands() -> None:
    waiting, revoked = (Bot("bot-0123456789abcdef", "W", status) for status in (BotStatus.PENDING, BotStatus.REVOKED))
    assert refusal_of_status(waiting, lets_pending=True) is None
    assert refusal_of_status(revoked, lets_pending=True) is not None


@pytest.mark.parametrize(
    "text", ["bot-0123456789abcde", "bot-0123456789abcdef0", "bot-0123456789ABCDEF", "x", "bot-0123456789abcdef\n"]
)
def test_what_no_bot_s_id_looks_like(text: str) -> None:
    assert not is_bot_id(text)


def test_a_registration_is_cleaned() -> None:
    applicant = applicant_of(
        RegistrationRequest("  Weather\u202e \x00 Tokyo ", ("lobby", "lobby"), " ops@example.org\n")
    )
    assert (applicant.name, applicant.contact) == ("Weather Tokyo", "ops@example.org")
    assert applicant.rooms == frozenset({"lobby"})


@pytest.mark.parametrize(
    ("name", "rooms", "contact"),
    [
        ("W", ("lobby",), ""),
        ("\u200b\u202e", ("lobby",), ""),
        ("W" * 21, ("lobby",), ""),
        ("Weather", (), ""),
        ("Weather", ("Lobby!",), ""),
        ("Weather", ("../lobby",), ""),
        ("Weather", ("lobby",), "c" * 201),
        ("Admin", ("lobby",), ""),
        ("Аdmin", ("lobby",), ""),
    ],
)
def test_a_registration_that_is_not_taken(name: str, rooms: tuple[str, ...], contact: str) -> None:
    with pytest.raises(RegistrationError):
        applicant_of(RegistrationRequest(name, rooms, contact))


@pytest.mark.parametrize(
    "other", ["weather", "WEATHER", "Wea ther", "Weаther", "Ｗｅａｔｈｅｒ", "We4ther", "W-e-ather"]
)
def test_names_that_look_alike_have_one_look(other: str) -> None:
    assert look_of(other) == look_of("Weather")


def test_names_that_differ_keep_their_looks_even_without_letters() -> None:
    assert len({look_of(name) for name in ("Weather", "Whether", "天気", "날씨", "☂☂", "☃☃")}) == 6


def test_an_event_of_a_bot_says_who_from_where_and_how() -> None:
    origin = BotOrigin("trace-1", "198.51.100.20", "/bots/messages")
    occurrence = bot_occurred(
        BotAction.HMAC_FAILED, origin, bot_id="bot-0123456789abcdef", details=WRONG.fields(), reason=WRONG.words
    )
    assert occurrence.dataset == "bot.security"
    assert occurrence.source == "198.51.100.20"
    assert occurrence.reason == "HMAC verification failed"
    assert dict(occurrence.fields) == {
        "event.category": "bot",
        "event.action": "bot.hmac_failed",
        "event.outcome": "failure",
        "event.severity_name": "medium",
        "bot.refusal": "signature_wrong",
        "source.ip": "198.51.100.20",
        "bot.transport": "http",
        "trace.id": "trace-1",
        "url.path": "/bots/messages",
        "device.id": "bot-0123456789abcdef",
    }


def test_a_store_that_is_away_is_nobody_s_fault() -> None:
    occurrence = store_away("valkey", BotOrigin("trace-1", "198.51.100.20"))
    assert (occurrence.source, occurrence.address) == ("valkey", "")
    assert "source.ip" not in occurrence.fields


def test_what_is_no_id_is_no_device() -> None:
    occurrence = bot_occurred(
        BotAction.UNAUTHORIZED, BotOrigin("t", "198.51.100.20"), bot_id='bot-1", "ip": "192.0.2.1'
    )
    assert "device.id" not in occurrence.fields

"""Events whose clock is wrong."""

from sakimori_common.contracts import Event
from sakimori_common.instants import parse_instant
from sakimori_detector.domain.clocks import timely

S = 1_000_000
NOW = parse_instant("2026-01-16T02:00:00Z")
LATENESS = 60 * S


def event(seconds: float) -> Event:
    return Event("e", NOW + round(seconds * S), "openssh.auth", {"user.name": "ann"})


def test_events_of_now_are_left_as_they_are() -> None:
    events = [event(-59), event(0), event(299)]
    found = timely(events, NOW, LATENESS)
    assert found.events is events
    assert (found.ahead, found.late) == (0, 0)


def test_an_event_an_hour_ahead_counts_as_of_now_and_says_what_it_claimed() -> None:
    found = timely([event(0), event(3600)], NOW, LATENESS)
    assert [each.time for each in found.events] == [NOW, NOW]
    assert found.events[1].fields == {"user.name": "ann", "sakimori.time.claimed": "2026-01-16T03:00:00.000Z"}
    assert (found.events[1].id, found.ahead) == ("e", 1)


def test_five_minutes_ahead_are_tolerated_a_second_more_is_not() -> None:
    assert timely([event(300)], NOW, LATENESS).ahead == 0
    assert timely([event(301)], NOW, LATENESS).ahead == 1


def test_an_event_a_year_old_keeps_its_time_and_is_counted_as_late() -> None:
    found = timely([event(-365 * 86_400), event(-61), event(-60)], NOW, LATENESS)
    assert found.events[0].time == NOW - 365 * 86_400 * S
    assert (found.ahead, found.late) == (0, 2)

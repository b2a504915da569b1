"""Hours and rates against the entity's own past: what is flagged, what is not, and what is remembered."""

import asyncio
import math
import random
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sakimori_common.contracts import Event, FieldValue
from sakimori_common.instants import EARLIEST, LATEST, parse_instant
from sakimori_detector.adapters.memory import MemoryState
from sakimori_detector.detection import Found, detect
from sakimori_detector.domain.analytics.asked import LocalHours
from sakimori_detector.domain.analytics.own_hours import Baseline
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.loading import load

S = 1_000_000
HOUR, DAY = 3600, 86_400
MONDAY = parse_instant("2026-01-04T15:00:00Z")
"""Midnight of Monday, 2026-01-05 in Tokyo."""

HOURS = """
title: Login at a new hour
name: new_hour
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0030
status: stable
level: medium
analytic:
  type: own_hours
  datasets: [openssh.auth]
  where: {event.outcome: success}
  novel: [source.geo.country_iso_code]
sakimori:
  entity: user.name
  confidence: 0.5
  message: "{user.name}: {@reasons}"
  details: {hour: "@hour", share: "@share", usual_hours: "@usual_hours", days: "@days", reasons: "@reasons"}
  why: It is not them.
  response: Ask.
"""

RATES = """
title: Surge
name: surge
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0031
status: stable
level: medium
analytic: {type: rate_anomaly, datasets: [nginx.access], step_seconds: 300, learn_seconds: 172800, min_count: 20}
sakimori:
  entity: event.dataset
  confidence: 0.5
  message: "{@count} instead of {@expected}"
  details: {count: "@count", expected: "@expected", limit: "@limit", hour: "@hour"}
  why: A flood.
  response: Look.
  window_seconds: 200
"""


class Watched:
    """One rule over memory state."""

    def __init__(self, text: str) -> None:
        name = text.partition("name: ")[2].partition("\n")[0]
        loaded = load({f"baseline/{name}.yml": text}, zone=ZoneInfo("Asia/Tokyo"))
        assert loaded.problems == ()
        self.engine, self.state, self._number = Engine(loaded.rules, loaded.world), MemoryState(), 0

    def feed(self, events: Sequence[Event]) -> list[Found]:
        self._number += 1
        return asyncio.run(detect(self.engine, self.state, str(self._number), events, lambda event: event.time))


def login(seconds: float, user: str = "hanako", country: str = "JP", outcome: str = "success") -> Event:
    fields = {"user.name": user, "event.outcome": outcome, "source.geo.country_iso_code": country}
    return Event(f"{user}-{seconds}", MONDAY + round(seconds * S), "openssh.auth", dict(fields))


def office(days: int, hours: Sequence[int] = (9, 13, 17), *, weekends: bool = False) -> list[Event]:
    worked = [day for day in range(days) if weekends or day % 7 < 5]
    return [login(day * DAY + hour * HOUR + 60) for day in worked for hour in hours]


def test_a_login_at_three_from_a_new_country_after_thirty_days_of_office_hours() -> None:
    watched = Watched(HOURS)
    assert watched.feed(office(30)) == []
    (found,) = watched.feed([login(30 * DAY + 3 * HOUR, country="ZZ")])
    assert found.finding.details == {
        "hour": 3,
        "share": 0.0,
        "usual_hours": "09h, 13h, 17h",
        "days": 16,
        "reasons": "active at 03h on 0% of its weekdays, else at 09h, 13h, 17h, over 16 days;"
        " source.geo.country_iso_code ZZ is new",
    }


@pytest.mark.parametrize(("hour", "is_odd"), [(3, True), (7, True), (8, False), (9, False), (10, False), (11, True)])
def test_the_hours_beside_a_usual_one_are_usual(hour: int, is_odd: bool) -> None:
    watched = Watched(HOURS)
    watched.feed(office(30))
    assert bool(watched.feed([login(30 * DAY + hour * HOUR)])) is is_odd


def test_a_night_is_one_finding_and_the_next_night_another() -> None:
    watched = Watched(HOURS)
    watched.feed(office(30))
    nights = [
        login(day * DAY + hour * HOUR + minute * 60) for day in (30, 31) for hour in (2, 3, 4) for minute in (0, 9)
    ]
    assert sum(found.outcome.is_opened for event in nights for found in watched.feed([event])) == 2


def test_thirteen_days_are_too_few_and_fourteen_enough() -> None:
    for days, count in ((13, 0), (14, 1)):
        watched = Watched(HOURS)
        watched.feed(office(days, weekends=True))
        assert len(watched.feed([login(days * DAY + 3 * HOUR)])) == count


def test_twenty_nine_active_hours_are_too_few() -> None:
    watched = Watched(HOURS)
    watched.feed(office(28, hours=(9,), weekends=True))
    assert watched.feed([login(28 * DAY + 3 * HOUR)]) == []


def test_many_logins_within_an_hour_teach_no_more_than_one() -> None:
    watched = Watched(HOURS)
    watched.feed(office(29))
    watched.feed([login(29 * DAY + 3 * HOUR + second) for second in range(1000)])
    assert watched.feed([login(30 * DAY + 3 * HOUR)])


def test_whoever_comes_every_night_stays_out_of_character_for_nights_not_for_months() -> None:
    watched = Watched(HOURS)
    watched.feed(office(28))
    weekdays = [day for day in range(28, 70) if day % 7 < 5]
    opened = [day for day in weekdays if watched.feed([*office_day(day), login(day * DAY + 22 * HOUR)])]
    assert 4 <= len(opened) <= 12
    assert opened == weekdays[: len(opened)]


def office_day(day: int) -> list[Event]:
    return [login(day * DAY + hour * HOUR) for hour in (9, 13, 17)]


def test_saturdays_are_judged_by_saturdays_once_there_are_some() -> None:
    watched = Watched(HOURS)
    watched.feed(
        sorted(
            [*office(42), *(login(day * DAY + 22 * HOUR) for day in range(42) if day % 7 >= 5)], key=lambda e: e.time
        )
    )
    assert watched.feed([login(47 * DAY + 13 * HOUR)])
    assert not watched.feed([login(48 * DAY + 22 * HOUR)])


def test_an_entity_is_judged_by_its_own_past_only() -> None:
    watched = Watched(HOURS)
    watched.feed(office(30))
    assert watched.feed([login(30 * DAY + 3 * HOUR, user="jiro"), login(30 * DAY + 4 * HOUR, outcome="failure")]) == []


def baseline(watched: Watched, user: str = "hanako") -> Baseline:
    kept = watched.state.value(f"detector:baseline:new_hour:{user}")
    assert kept is not None
    assert len(kept) < 320
    return msgspec.msgpack.decode(kept, type=Baseline)


def test_a_baseline_takes_a_third_of_a_kilobyte_and_says_what_it_knows() -> None:
    watched = Watched(HOURS)
    watched.feed(office(5))
    known = baseline(watched)
    assert (known.hours, round(known.days[0], 2), known.days[1]) == (15, 4.78, 0.0)
    assert known.values == {"source.geo.country_iso_code": ["JP"]}


def test_an_event_of_next_year_does_not_end_the_learning() -> None:
    watched = Watched(HOURS)
    watched.feed(office(30))
    watched.feed([login(400 * DAY + 9 * HOUR)])
    watched.feed(office_days(30, 75))
    assert watched.feed([login(80 * DAY + 3 * HOUR)])


def office_days(first: int, last: int) -> list[Event]:
    return [event for day in range(first, last) if day % 7 < 5 for event in office_day(day)]


def test_local_hours_follow_the_zone_through_summer_time() -> None:
    hours = LocalHours(ZoneInfo("Europe/Berlin"))
    times = ["2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z"]
    assert [hours.at(parse_instant(time)).hour for time in times] == [1, 3, 2, 2]
    assert [hours.at(parse_instant(time)).is_weekend for time in ("2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z")] == [
        True,
        False,
    ]


@pytest.mark.parametrize("zone", ["Asia/Nowhere", "../etc/passwd", ""])
def test_an_unknown_zone_refuses_the_rule(zone: str) -> None:
    text = HOURS.replace("  novel:", f'  time_zone: "{zone}"\n  novel:')
    (problem,) = load({"baseline/new_hour.yml": text}).problems
    assert "is no time zone" in problem.why


logins = st.lists(st.tuples(st.integers(0, 40 * 24), st.sampled_from(["ann", "bob"])), max_size=80)


@given(logins, st.sets(st.integers(0, 80)))
@settings(max_examples=40, deadline=None)
def test_batch_boundaries_change_no_hour(steps: list[tuple[int, str]], cuts: set[int]) -> None:
    events = [*office(20, weekends=True), *(login((20 * 24 + hour) * HOUR, user) for hour, user in sorted(set(steps)))]
    assert _all(HOURS, events, sorted(cuts)) == _all(HOURS, events, [])


def _all(text: str, events: Sequence[Event], cuts: Sequence[int]) -> list[tuple[str, int, str]]:
    watched, start, latest = Watched(text), 0, {}
    for end in [*cuts, len(events)]:
        for found in watched.feed(events[start:end]) if events[start:end] else []:
            latest[found.finding.id] = (found.finding.id, found.finding.count, found.finding.message)
        start = max(start, end)
    return sorted(latest.values())


def traffic(per_step: Sequence[int], first_step: int = 0) -> list[Event]:
    """Spread so many requests over steps of 300 s."""
    return [
        Event(f"{step}-{number}", MONDAY + round((step + number / count) * 300 * S), "nginx.access", {})
        for step, count in enumerate(per_step, start=first_step)
        for number in range(count)
    ]


def steps_of(found: Sequence[Found]) -> set[int]:
    return {(each.outcome.anchor - MONDAY) // S // 300 for each in found}


def day_of_traffic(chance: random.Random, scale: float = 1.0) -> list[int]:
    """Make 288 steps that follow the sun, with noise about as a Poisson process has."""
    means = [scale * (30 + 20 * math.sin((step - 96) / 288 * 2 * math.pi)) for step in range(288)]
    return [max(0, round(chance.gauss(mean, math.sqrt(mean)))) for mean in means]


def test_a_normal_day_is_none_and_five_times_the_traffic_is_one() -> None:
    chance, watched = random.Random(7), Watched(RATES)
    for day in range(9):
        assert watched.feed(traffic(day_of_traffic(chance), day * 288)) == []
    normal = day_of_traffic(chance)
    surge = [*normal[:144], *(5 * count for count in normal[144:156]), *normal[156:]]
    found = watched.feed(traffic(surge, 9 * 288))
    assert steps_of(found) == set(range(9 * 288 + 144, 9 * 288 + 156))


@pytest.mark.parametrize("hour", [2, 8, 14, 20])
def test_a_spike_in_a_seasonal_series_is_flagged_and_no_other_point(hour: int) -> None:
    chance, watched = random.Random(hour), Watched(RATES)
    series = [count for _ in range(10) for count in day_of_traffic(chance)]
    spike = 8 * 288 + hour * 12 + 5
    series[spike] = 6 * series[spike] + 20
    found = watched.feed(traffic(series))
    assert steps_of(found) == {spike}


def test_the_finding_says_observed_and_expected() -> None:
    watched = Watched(RATES)
    watched.feed(traffic([10] * 3 * 288))
    (found,) = watched.feed(traffic([100], 3 * 288))
    assert found.finding.message == "62 instead of 10"
    assert found.finding.details == {"count": 62, "expected": 10.0, "limit": 30.0, "hour": 0}
    assert found.finding.count == 2


def test_a_flood_that_goes_on_does_not_become_usual_within_a_day() -> None:
    watched = Watched(RATES)
    watched.feed(traffic([10] * 3 * 288))
    flood = watched.feed(traffic([300] * 288, 3 * 288))
    assert steps_of(flood) == set(range(3 * 288, 4 * 288))


def test_the_first_two_days_only_teach() -> None:
    watched = Watched(RATES)
    assert watched.feed(traffic([*[10] * 570, 500, *[10] * 4])) == []


def test_nights_without_requests_are_zeros_but_a_week_without_is_none() -> None:
    watched = Watched(RATES)
    nights = [count for _ in range(4) for count in [0] * 96 + [20] * 192]
    watched.feed(traffic(nights))
    rates = watched.state.value("detector:baseline:surge:nginx.access")
    assert rates is not None
    assert len(rates) < 520
    assert watched.feed(traffic([25], 4 * 288 + 10))
    assert watched.feed(traffic([20] * 10, 11 * 288 + 120)) == []


def test_a_clock_that_ran_ahead_is_forgotten_after_a_thousand_events() -> None:
    watched = Watched(RATES)
    watched.feed(traffic([10] * 3 * 288))
    watched.feed([Event("ahead", MONDAY + 30 * DAY * S, "nginx.access", {})])
    watched.feed(traffic([10] * 2 * 288, 3 * 288))
    assert watched.feed(traffic([200], 5 * 288))


@given(st.lists(st.integers(0, 90), min_size=1, max_size=6), st.sets(st.integers(0, 300)))
@settings(max_examples=30, deadline=None)
def test_batch_boundaries_change_no_rate(steps: list[int], cuts: set[int]) -> None:
    learned = traffic([3] * 2 * 288)
    events = [*learned, *traffic(steps, 2 * 288)]
    moved = [len(learned) + cut for cut in sorted(cuts)]
    assert _all(RATES, events, moved) == _all(RATES, events, [])


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Pacific/Kiritimati", "America/Los_Angeles"])
def test_the_first_and_the_last_instant_there_is_have_a_local_hour(zone: str) -> None:
    hours = LocalHours(ZoneInfo(zone))
    assert all(0 <= hours.at(time).hour < 24 for time in (EARLIEST, LATEST))


@pytest.mark.parametrize("text", [HOURS, RATES])
def test_events_of_impossible_times_and_types_are_no_traceback(text: str) -> None:
    watched = Watched(text)
    strange: list[FieldValue] = [["a", None], True, 1e300, "", "x" * 60_000, "\0"]
    for time in (EARLIEST, LATEST, MONDAY):
        for number, value in enumerate(strange):
            fields: dict[str, FieldValue] = {"user.name": value, "event.outcome": "success"}
            fields["source.geo.country_iso_code"] = value
            for dataset in ("openssh.auth", "nginx.access"):
                assert watched.feed([Event(f"{time}-{number}", time, dataset, dict(fields))]) == []

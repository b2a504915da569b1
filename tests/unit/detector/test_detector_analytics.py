"""The analytics, each from events to findings in memory."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

import detector_rules
from sakimori_common.contracts import Event
from sakimori_common.ids import event_id
from sakimori_common.instants import parse_instant
from sakimori_detector.adapters.memory import MemoryState
from sakimori_detector.detection import Found, detect
from sakimori_detector.domain.analytics.dns_tunnel import entropy
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.folds import Fold, Step, Write
from sakimori_detector.domain.loading import load
from sakimori_detector.domain.policy import measure_for
from sakimori_detector.ports import Batch

S = 1_000_000
START = parse_instant("2026-01-16T03:00:00Z")


class Run:
    """An engine over memory state, fed event by event."""

    def __init__(self, *names: str) -> None:
        files = {path: text for path, text in detector_rules.ALL.items() if path.split("/")[1][:-4] in names}
        loaded = load(files, detector_rules.LISTS, ZoneInfo("Asia/Tokyo"))
        assert loaded.problems == ()
        self.engine = Engine(loaded.rules, loaded.world)
        self.state = MemoryState()
        self.found: list[Found] = []
        self._number = 0

    async def feed(self, *events: Event) -> list[Found]:
        new = []
        for event in events:
            self._number += 1
            new += await detect(self.engine, self.state, str(self._number), [event], lambda event: event.time)
        self.found += new
        return new

    def opened(self, rule: str) -> list[Found]:
        return [found for found in self.found if found.finding.rule_id == rule and found.outcome.is_opened]


def event(dataset: str, seconds: float, **fields: Any) -> Event:
    time = START + round(seconds * S)
    names = {name.replace("__", "."): value for name, value in fields.items()}
    return Event(event_id(time, dataset, repr(names)), time, dataset, names)


def chat(seconds: float, user: str, action: str = "chat.message_posted", fingerprint: str = "fp") -> Event:
    dataset = "chat.message" if action.startswith("chat.") else "chat.security"
    return event(dataset, seconds, event__action=action, user__id=user, client__fingerprint=fingerprint)


def limited(seconds: float, user: str, fingerprint: str = "fp") -> Event:
    return chat(seconds, user, "security.rate_limit_hit", fingerprint)


async def test_two_changes_after_a_limit_are_exactly_one_finding() -> None:
    run = Run("ban_evasion")
    await run.feed(chat(0, "a"), limited(10, "a"), chat(20, "b"), chat(25, "b"))
    assert run.found == []
    (found,) = await run.feed(chat(30, "c"))
    assert found.finding.details == {
        "event": "security.evasion_suspected",
        "prev_anon": "a",
        "new_anon": "c",
        "changes_10min": 2,
        "trigger_event": "chat.message_posted",
    }
    await run.feed(chat(60, "d"))
    assert len(run.opened("ban_evasion")) == 1


async def test_an_evasion_after_the_cooldown_is_a_new_finding() -> None:
    run = Run("ban_evasion")
    await run.feed(limited(10, "a"), chat(20, "b"), chat(30, "c"), chat(200, "d"))
    assert len(run.opened("ban_evasion")) == 2


async def test_changes_without_a_limit_are_nothing() -> None:
    run = Run("ban_evasion", "chat_high_risk")
    await run.feed(*(chat(number, f"visitor-{number}") for number in range(20)))
    assert run.found == []
    assert run.state.value("risk:fp:fp") is None


async def test_two_people_behind_one_address_with_one_browser_of_whom_one_is_limited() -> None:
    run = Run("ban_evasion", "chat_high_risk")
    await run.feed(chat(0, "troll"), chat(1, "neighbour"), limited(10, "troll"))
    await run.feed(*(chat(11 + number, "neighbour") for number in range(30)), chat(50, "troll"))
    assert run.found == []
    assert run.state.value("risk:fp:fp") is None


async def test_a_change_long_after_the_limit_does_not_count() -> None:
    run = Run("ban_evasion")
    await run.feed(limited(0, "a"), chat(601, "b"), chat(602, "c"))
    assert run.found == []


async def test_changes_over_more_than_ten_minutes_do_not_add_up() -> None:
    run = Run("ban_evasion")
    await run.feed(limited(0, "a"), chat(10, "b"), limited(500, "b"), chat(620, "c"))
    assert run.found == []


async def test_another_fingerprint_is_another_person() -> None:
    run = Run("ban_evasion")
    await run.feed(limited(0, "a"), chat(10, "b", fingerprint="other"), chat(11, "c", fingerprint="third"))
    assert run.found == []


async def test_a_newcomer_who_is_refused_for_the_fingerprints_sake_is_no_change() -> None:
    run = Run("chat_high_risk")
    await run.feed(limited(0, "a"), chat(10, "b"), chat(20, "c", "security.high_risk_block"), chat(30, "c"))
    assert run.state.value("risk:fp:fp") == b"5"


async def test_risk_climbs_by_five_and_crossing_eight_is_one_finding() -> None:
    run = Run("chat_high_risk")
    await run.feed(limited(0, "a"), chat(10, "b"))
    assert run.state.value("risk:fp:fp") == b"5"
    assert run.found == []
    (found,) = await run.feed(chat(20, "c"))
    assert run.state.value("risk:fp:fp") == b"10"
    assert (found.finding.details["risk_score"], found.finding.details["event"]) == (10, "security.risk_escalated")


@pytest.mark.parametrize(("changes", "seconds"), [(1, None), (2, 300), (3, 3600), (4, 3600), (5, 3600), (6, 86_400)])
async def test_each_rung_of_the_ladder_has_its_measure(changes: int, seconds: int | None) -> None:
    run = Run("chat_high_risk")
    await run.feed(limited(0, "a"), *(chat(10 + number, f"new-{number}") for number in range(changes)))
    rule = run.engine.rules["chat_high_risk"]
    measures = [measure.seconds for found in run.found if (measure := measure_for(rule, found.outcome)) is not None]
    assert (measures[-1] if measures else None) == seconds
    assert measures == sorted(set(measures))


async def test_risk_is_forgotten_an_hour_after_the_last_change() -> None:
    run = Run("chat_high_risk")
    await run.feed(limited(0, "a"), chat(10, "b"), limited(3700, "b"), chat(3710, "c"))
    assert run.state.value("risk:fp:fp") == b"5"
    assert run.found == []


async def test_a_score_that_somebody_set_by_hand_counts() -> None:
    run = Run("chat_high_risk")
    by_hand = Fold(("risk:fp:fp",), START, lambda _: Step([Write(b"7", 3600)], []))
    await run.state.apply(Batch("by hand", [], [by_hand]))
    await run.feed(limited(0, "a"))
    (found,) = await run.feed(chat(10, "b"))
    assert found.finding.details["risk_score"] == 12


@pytest.mark.parametrize(
    ("time", "fires"),
    [
        ("2026-01-15T16:59:59Z", False),
        ("2026-01-15T17:00:00Z", True),
        ("2026-01-15T20:59:59Z", True),
        ("2026-01-15T21:00:00Z", False),
    ],
)
async def test_hours_two_to_five_in_tokyo_are_unusual(time: str, fires: bool) -> None:
    run = Run("unusual_access_time")
    fields = {"event.outcome": "success", "user.name": "alice"}
    found = await run.feed(Event("e", parse_instant(time), "openssh.auth", dict(fields)))
    assert bool(found) is fires


async def test_a_night_is_one_finding_for_each_entity() -> None:
    run = Run("unusual_access_time")
    first = parse_instant("2026-01-15T17:00:00Z")
    for hour in (0, 1, 3.9, 24):
        for user in ("alice", "bob"):
            time = first + round(hour * 3600 * S)
            fields = {"event.outcome": "success", "user.name": user}
            await run.feed(Event(f"{hour}{user}", time, "openssh.auth", dict(fields)))
    assert len(run.opened("unusual_access_time")) == 4


async def test_where_of_an_unusual_hour_must_hold() -> None:
    run = Run("unusual_access_time")
    fields = {"event.outcome": "failure", "user.name": "alice"}
    assert not await run.feed(Event("e", parse_instant("2026-01-15T18:00:00Z"), "openssh.auth", dict(fields)))


@pytest.mark.parametrize(
    ("address", "entry"),
    [("198.51.100.7", "198.51.100.7"), ("192.0.2.127", "192.0.2.0/25"), ("::ffff:192.0.2.1", "192.0.2.0/25")],
)
async def test_a_listed_address_is_found_at_its_first_event(address: str, entry: str) -> None:
    (found,) = await Run("blacklisted_address").feed(event("nginx.access", 0, source__ip=address))
    assert found.finding.message == f"{address} is on addresses by {entry}"


@pytest.mark.parametrize("address", ["198.51.100.8", "192.0.2.128", "2001:db8::7", "not an address", None, 7])
async def test_other_addresses_are_left_alone(address: Any) -> None:
    assert not await Run("blacklisted_address").feed(event("nginx.access", 0, source__ip=address))


def dns(seconds: float, name: str, source: str = "192.0.2.5") -> Event:
    fields = {"dns.type": "query", "dns.question.name": name, "source.ip": source}
    time = START + round(seconds * S)
    return Event(event_id(time, name), time, "network.dns", dict(fields))


def long_name(number: int) -> str:
    return f"{number:02}{'abcdefghij' * 5}.{'klmnopqrst' * 5}.t.example.com"


async def test_ten_different_long_names_under_one_domain_are_a_tunnel() -> None:
    run = Run("dns_tunnel")
    await run.feed(*(dns(number, long_name(number)) for number in range(9)))
    assert run.found == []
    (found,) = await run.feed(dns(9, long_name(9)))
    assert found.finding.message == "192.0.2.5 tunnels through example.com"


async def test_one_long_name_asked_again_and_again_is_none() -> None:
    run = Run("dns_tunnel")
    await run.feed(*(dns(number, long_name(1)) for number in range(50)))
    assert run.found == []


async def test_many_ordinary_names_are_none() -> None:
    run = Run("dns_tunnel")
    await run.feed(*(dns(number * 0.1, f"img{number}.cdn.example.com") for number in range(200)))
    assert run.found == []


def test_entropy_is_in_bits_a_character() -> None:
    assert entropy("aaaa") == 0
    assert entropy("abcd") == 2
    assert entropy("") == 0

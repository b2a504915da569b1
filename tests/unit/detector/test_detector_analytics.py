"""The analytics over lists, hours and names, each from events to findings in memory."""

from typing import Any

import pytest

from detector_run import START, Run, S, event
from sakimori_common.contracts import Event
from sakimori_common.ids import event_id
from sakimori_common.instants import parse_instant
from sakimori_detector.domain.analytics.dns_tunnel import entropy


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

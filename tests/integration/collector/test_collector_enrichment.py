"""Enrichment from files, from the sensor's devices and from names that the store worker saw."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from sakimori_collector import knowledge
from sakimori_collector.adapters.dns_names import ValkeyDnsNames
from sakimori_collector.domain.enrichment.sightings import LASTING_SECONDS, MOST_NAMES
from sakimori_common.bus import Bus, Message, Topic, Unavailable
from sakimori_common.context import Postgres, Valkey
from sakimori_common.contracts import EVENTS, Event
from sakimori_common.ids import event_id
from sakimori_common.valkey import open_valkey
from servers.eventually import eventually
from servers.ports import free_ports

from .conftest import Collector, Start

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knowledge, "REFRESH_SECONDS", 0.1)


async def fields_of(collector: Collector, address: str, **more: str) -> dict[str, Any]:
    """Post an event with an address; returns the fields that were stored."""
    event = {"@timestamp": "2026-01-16T02:00:00Z", "event.dataset": "app", "source.ip": address, **more}
    before = await collector.count()
    assert (await collector.post(json.dumps(event))).status_code == 202

    async def _is_there() -> bool:
        return await collector.count() == before + 1

    await eventually(_is_there)
    row = await collector.context.postgres.fetchval(
        "SELECT fields FROM public.events ORDER BY inserted_at DESC LIMIT 1"
    )
    found: dict[str, Any] = json.loads(row)
    return found


async def gets(collector: Collector, address: str, expected: dict[str, object], **more: str) -> None:
    async def _is_enriched() -> bool:
        found = await fields_of(collector, address, **more)
        assert {name: found.get(name) for name in expected} == expected
        return True

    await eventually(_is_enriched)


def written(path: Path, country: str) -> None:
    writer = MMDBWriter(6, "Test", ipv4_compatible=True)
    writer.insert_network(IPSet(["203.0.113.0/24"]), {"country": {"iso_code": country}})
    writer.to_db_file(f"{path}.new")
    Path(f"{path}.new").replace(path)


async def test_events_get_what_files_say_and_what_they_say_later(start: Start, tmp_path: Path) -> None:
    mmdb, assets = tmp_path / "country.mmdb", tmp_path / "assets.csv"
    written(mmdb, "JP")
    assets.write_text("match,name\n203.0.113.7,web-1\n")
    collector = await start(geoip_files=str(mmdb), assets_file=assets, trusted_networks="198.51.100.0/24")
    found = await fields_of(
        collector, "203.0.113.7", **{"destination.ip": "198.51.100.1", "user_agent.original": AGENT}
    )
    expected = {
        "source.geo.country_iso_code": "JP",
        "sakimori.known.source.asset.name": "web-1",
        "sakimori.known.source.network": "public",
        "sakimori.known.destination.network": "trusted",
        "network.direction": "inbound",
        "sakimori.user_agent.class": "browser",
        "user_agent.name": "Firefox",
    }
    assert {name: found.get(name) for name in expected} == expected
    written(mmdb, "KR")
    assets.write_text("match,name\n203.0.113.7,web-2\n")
    await gets(
        collector, "203.0.113.7", {"source.geo.country_iso_code": "KR", "sakimori.known.source.asset.name": "web-2"}
    )


async def test_all_can_be_switched_off(start: Start) -> None:
    collector = await start(user_agents=False, networks=False, device_names=False, dns_names=False, mask="none")
    given = {"user_agent.original": AGENT, "destination.ip": "10.0.0.1", "password": "x"}
    found = await fields_of(collector, "203.0.113.7", **given)
    assert {name for name in found if name not in ("observer.name", "sakimori.input", "sakimori.source")} == {
        "source.ip",
        *given,
    }


async def test_addresses_get_the_devices_of_the_sensors_view(start: Start, postgres: Postgres) -> None:
    await postgres.execute(
        "INSERT INTO sensor.devices (mac, first_seen_at, last_seen_at, is_online, hostname, is_random, type,"
        " probability, trust) VALUES ('00-00-5E-00-53-01', now(), now(), true, 'cam-1', false, 'camera', 1, 1)"
    )
    await postgres.execute(
        "INSERT INTO sensor.device_addresses VALUES ('00-00-5E-00-53-01', '192.168.1.5', now(), now()),"
        " ('00-00-5E-00-53-01', '192.168.1.6', now(), now() - interval '2 days')"
    )
    collector = await start()
    await gets(
        collector,
        "192.168.1.5",
        {"sakimori.known.source.device.name": "cam-1", "sakimori.known.source.device.type": "camera"},
    )
    assert "sakimori.known.source.device.name" not in await fields_of(collector, "192.168.1.6")


def dns_batch(name: str, address: str, source: str, seconds_ago: float = 0) -> Message:
    at = int((time.time() - seconds_ago) * 1_000_000)
    fields: dict[str, Any] = {"dns.type": "answer", "dns.question.name": name}
    fields |= {"dns.answers.type": ["A"], "dns.answers.data": [address]}
    body = EVENTS.encode([Event(event_id(at, name), at, "network.dns", fields)])
    return Message(event_id(at, name), body, {"schema": "1", "source": source})


async def test_every_replica_names_what_one_store_worker_saw(start: Start, bus: Bus) -> None:
    first, second = await start(), await start()
    await bus.publish(Topic.EVENTS, dns_batch("www.shop.example", "203.0.113.7", "packet-sensor"))
    await bus.publish(Topic.EVENTS, dns_batch("forged.example", "203.0.113.8", "collector"))
    await bus.publish(Topic.EVENTS, dns_batch("old.example", "203.0.113.9", "packet-sensor", LASTING_SECONDS + 60))
    for collector in (first, second):
        await gets(collector, "203.0.113.7", {"sakimori.known.source.dns.name": "www.shop.example"})
        for other in ("203.0.113.8", "203.0.113.9"):
            assert "sakimori.known.source.dns.name" not in await fields_of(collector, other)
    await bus.publish(Topic.EVENTS, dns_batch("new.shop.example", "203.0.113.7", "packet-sensor"))
    await gets(second, "203.0.113.7", {"sakimori.known.source.dns.name": "new.shop.example"})


async def test_names_are_forgotten_by_age_and_number(valkey: Valkey) -> None:
    names = ValkeyDnsNames(valkey)
    now = time.time()
    await names.write({f"10.0.{n >> 8}.{n & 255}": (f"n{n}.example", now - n / 1000) for n in range(3000)}, now)
    await names.write({"203.0.113.9": ("old.example", now - LASTING_SECONDS - 1)}, now)
    found = await names.read(0)
    assert len(found) == 3000
    assert found["10.0.0.1"][0] == "n1.example"
    assert set(await names.read(now - 0.0015)) == {"10.0.0.0", "10.0.0.1"}
    many = {f"2001:db8::{n:x}": ("x.example", now) for n in range(MOST_NAMES - 10)}
    await names.write(many, now)
    left = await names.read(0)
    assert len(left) == MOST_NAMES
    assert {address for address in left if "." in address} == {f"10.0.0.{n}" for n in range(10)}


async def test_a_valkey_that_is_away_is_said_so() -> None:
    [port] = free_ports(1)
    names = ValkeyDnsNames(open_valkey(f"redis://127.0.0.1:{port}/0", timeout_seconds=0.2))
    with pytest.raises(Unavailable, match="Valkey"):
        await names.read(0)
    with pytest.raises(Unavailable, match="Valkey"):
        await names.write({"203.0.113.7": ("x.example", time.time())}, time.time())

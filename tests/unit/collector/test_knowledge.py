"""What is known is kept while its source is away, and handed on when it is back."""

import time
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import structlog
from pydantic import SecretStr
from structlog.testing import capture_logs

from sakimori_collector.domain.enrichment.sightings import Device
from sakimori_collector.knowledge import Knowledge
from sakimori_collector.settings import CollectorSettings
from sakimori_collector.sightings import KnownDevices, KnownNames
from sakimori_common.bus import Unavailable
from sakimori_common.contracts import Event

ADDRESS = ip_address("203.0.113.7")
NAMED = {"sakimori.known.{side}.dns.name": "www.shop.example"}
CAMERA = Device("00-00-5E-00-53-01", "cam-1", "camera")


class Names:
    """DnsNameStore in memory, which may be away."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, float]] = {}
        self.is_away = False

    async def write(self, names: Mapping[str, tuple[str, float]], now: float) -> None:
        """Keep names."""
        self._check()
        self.kept |= names

    async def read(self, since: float) -> Mapping[str, tuple[str, float]]:
        """Read names."""
        self._check()
        return {address: named for address, named in self.kept.items() if named[1] >= since}

    def _check(self) -> None:
        if self.is_away:
            raise Unavailable("Valkey: ConnectionError")


class View:
    """DeviceView in memory, which may be away."""

    def __init__(self) -> None:
        self.devices: dict[str, Device] = {}
        self.is_away = False

    async def read(self) -> Mapping[str, Device]:
        """Read devices."""
        if self.is_away:
            raise Unavailable("PostgreSQL: ConnectionError")
        return dict(self.devices)


def answer(name: str, address: str = "203.0.113.7") -> Event:
    fields: dict[str, Any] = {"dns.type": "answer", "dns.question.name": name}
    fields |= {"dns.answers.type": ["A"], "dns.answers.data": [address]}
    return Event("x", int(time.time() * 1_000_000), "network.dns", fields)


def knowledge(view: View, names: Names, **changes: object) -> Knowledge:
    settings: dict[str, Any] = {
        "database_url": SecretStr("postgresql://x"),
        "valkey_url": SecretStr("redis://x"),
        "ingest_token": SecretStr("x" * 16),
        "edge_token": SecretStr("x" * 16),
        "privacy_key": SecretStr("x" * 16),
        "user_agents": False,
        **changes,
    }
    return Knowledge(CollectorSettings(**settings), view, names, structlog.get_logger())


def known_of(known: Knowledge, address: str) -> dict[str, Any]:
    made = Event("x", 0, "test", {"source.ip": address})
    known.enrichment.change([made])
    return {name.removeprefix("sakimori.known.source."): value for name, value in made.fields.items()}


async def test_names_are_handed_to_the_others_once_and_read_by_them() -> None:
    store = Names()
    first, second = KnownNames(store), KnownNames(store)
    first.learn([answer("www.shop.example")])
    assert await first.refresh() is True
    assert await second.refresh() is True
    assert first.facts(ADDRESS) == second.facts(ADDRESS) == NAMED
    assert await first.refresh() is False


async def test_what_was_learnt_while_the_store_was_away_is_handed_in_later() -> None:
    store = Names()
    names = KnownNames(store)
    names.learn([answer("www.shop.example")])
    store.is_away = True
    for _ in range(2):
        try:
            await names.refresh()
        except Unavailable:
            names.learn([answer("new.shop.example", "203.0.113.8")])
    store.is_away = False
    assert await names.refresh() is True
    assert {address: name for address, (name, _) in store.kept.items()} == {
        "203.0.113.7": "www.shop.example",
        "203.0.113.8": "new.shop.example",
    }


async def test_a_flood_of_answers_fills_no_memory() -> None:
    store = Names()
    names = KnownNames(store)
    for n in range(20_000):
        names.learn([answer(f"n{n}.example", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")])
    await names.refresh()
    assert len(store.kept) == 10_000


async def test_devices_change_only_when_the_view_does() -> None:
    view = View()
    devices = KnownDevices(view)
    view.devices["203.0.113.7"] = CAMERA
    assert await devices.refresh() is True
    assert await devices.refresh() is False
    assert devices.mac_of(ADDRESS) == CAMERA.mac


async def test_a_source_that_is_away_is_said_once_and_what_it_said_stays() -> None:
    view, names = View(), Names()
    view.devices["203.0.113.7"] = CAMERA
    names.kept["203.0.113.7"] = ("www.shop.example", time.time())
    known = knowledge(view, names)
    await known.refresh()
    expected = known_of(known, "203.0.113.7")
    assert (expected["dns.name"], expected["device.name"], expected["network"]) == (
        "www.shop.example",
        "cam-1",
        "public",
    )
    view.is_away = names.is_away = True
    with capture_logs() as logs:
        for _ in range(3):
            await known.refresh()
    assert [(log["event"], log["what"]) for log in logs] == [
        ("enrichment_not_refreshed", "devices"),
        ("enrichment_not_refreshed", "dns_names"),
    ]
    assert known_of(known, "203.0.113.7") == expected


async def test_an_asset_is_found_by_the_mac_address_of_the_device_at_an_address(tmp_path: Path) -> None:
    file = tmp_path / "assets.csv"
    file.write_text("match,name\n00:00:5e:00:53:01,camera at the gate\n203.0.113.0/24,office\nbad row,x\n")
    view = View()
    view.devices["203.0.113.7"] = CAMERA
    known = knowledge(view, Names(), assets_file=file)
    with capture_logs() as logs:
        await known.refresh()
    assert known_of(known, "203.0.113.7")["asset.name"] == "camera at the gate"
    assert known_of(known, "203.0.113.8")["asset.name"] == "office"
    assert [log["reason"] for log in logs if log["event"] == "asset_left_out"] == [
        "line 4: 'bad row' is no address, network, MAC address or host name"
    ]
    file.write_text("no header")
    with capture_logs() as logs:
        for _ in range(3):
            await known.refresh()
    assert [log["event"] for log in logs] == ["assets_unusable"]
    assert known_of(known, "203.0.113.8")["asset.name"] == "office"

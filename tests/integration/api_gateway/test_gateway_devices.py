"""Devices: lists, one by one, history, what operators say, trust."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from gateway.network import CAMERA, LAPTOP, PHONE, START, add_address, add_device
from gateway.stage import Stage, store
from sakimori_api_gateway.domain.network import Device
from sakimori_common.contracts import Severity
from sakimori_common.instants import format_instant, to_microseconds
from sakimori_common.testing.samples import finding


async def get(stage: Stage, path: str, role: str = "analyst") -> Any:
    answer = await stage.client.get(f"/api/v1/devices{path}", headers=await stage.bearer(role))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def macs(stage: Stage, query: str = "") -> list[str]:
    return [device["mac"] for device in (await get(stage, query))["devices"]]


async def three(stage: Stage) -> None:
    await add_device(stage.postgres, CAMERA, "192.0.2.10", hostname="door-cam")
    await add_device(
        stage.postgres, PHONE, "192.0.2.11", type="phone/tablet", vendor=None, is_random=True, is_online=False
    )
    long_ago = datetime.now(tz=UTC) - timedelta(days=9)
    await add_device(
        stage.postgres, LAPTOP, "2001:db8::3", type="computer", first_seen_at=long_ago, last_seen_at=long_ago
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [CAMERA, LAPTOP, PHONE]),
        ("?type=camera", [CAMERA]),
        ("?vendor=Example%20Cameras", [CAMERA, LAPTOP]),
        ("?ip=192.0.2.11", [PHONE]),
        ("?ip=2001:DB8:0::3", [LAPTOP]),
        ("?online=false", [PHONE]),
        ("?q=DOOR", [CAMERA]),
        ("?seen_since=2999-01-01T00:00:00Z", []),
        (f"?cursor={LAPTOP}", [PHONE]),
    ],
)
async def test_each_filter_narrows_the_list(stage: Stage, query: str, expected: list[str]) -> None:
    await three(stage)
    assert await macs(stage, query) == expected


async def test_pages_list_every_device_once(stage: Stage) -> None:
    names = [f"00-00-5E-00-53-{number:02X}" for number in range(23)]
    for number, mac in enumerate(names):
        await add_device(stage.postgres, mac, f"192.0.2.{number + 1}")
    listed, query = [], "?limit=5&total=true"
    while True:
        page = await get(stage, query)
        assert page["total"] == 23
        listed += [device["mac"] for device in page["devices"]]
        if page["next_cursor"] is None:
            break
        query = f"?limit=5&total=true&cursor={page['next_cursor']}"
    assert listed == names


async def test_a_device_is_shown_by_its_address_however_that_is_written(stage: Stage) -> None:
    await three(stage)
    for written in (CAMERA, CAMERA.lower(), CAMERA.replace("-", ":")):
        answer = await stage.client.get(f"/api/v1/devices/{written}", headers=await stage.bearer("analyst"))
        device = msgspec.json.decode(answer.content, type=Device)
        assert (device.mac, device.ip, device.type, device.trust.score) == (CAMERA, "192.0.2.10", "camera", 0.5)


@pytest.mark.parametrize("path", ["/00-00-5E-00-53-7F", "/00-00-5E-00-53-7F/activity"])
async def test_a_device_that_nobody_saw_is_not_found(stage: Stage, path: str) -> None:
    answer = await stage.client.get(f"/api/v1/devices{path}", headers=await stage.bearer("analyst"))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("query", ["?limit=0", "?ip=here", "?cursor=x", "?online=perhaps", "?tpye=camera", "/camera"])
async def test_a_query_that_makes_no_sense_is_a_problem(stage: Stage, query: str) -> None:
    answer = await stage.client.get(f"/api/v1/devices{query}", headers=await stage.bearer("analyst"))
    assert answer.status_code == 422, answer.text


async def test_a_viewer_sees_pseudonyms_and_cannot_search_for_addresses(stage: Stage) -> None:
    await three(stage)
    shown = (await get(stage, "", "viewer"))["devices"]
    assert [device["mac"] for device in shown] == [CAMERA, LAPTOP, PHONE]
    assert all(device["ip"].startswith("ip-") for device in shown)
    for query in ("?ip=192.0.2.10", "?q=192.0.2"):
        answer = await stage.client.get(f"/api/v1/devices{query}", headers=await stage.bearer("viewer"))
        assert answer.status_code == 403


async def test_what_an_operator_says_counts_before_what_the_sensor_thinks_and_is_audited(stage: Stage) -> None:
    await three(stage)
    said = {"type": "smart_tv", "description": "lobby", "trust": 0.25}
    answer = await stage.client.put(f"/api/v1/devices/{CAMERA}", json=said, headers=await stage.bearer("analyst"))
    assert answer.status_code == 200, answer.text
    device = await get(stage, f"/{CAMERA}")
    assert (device["type"], device["sensed_type"], device["description"]) == ("smart_tv", "camera", "lobby")
    assert (device["trust"]["score"], device["trust"]["is_override"], device["changed_by"]) == (0.25, True, "analyst")
    assert await macs(stage, "?type=smart_tv") == [CAMERA]
    assert (await get(stage, "/stats/summary"))["by_type"] == {"computer": 1, "phone/tablet": 1, "smart_tv": 1}
    back = await stage.client.put(f"/api/v1/devices/{CAMERA}", json={}, headers=await stage.bearer("analyst"))
    assert (back.json()["type"], back.json()["trust"]["score"]) == ("camera", 0.5)
    nothing = {"type": None, "description": None, "trust": None}
    assert await stage.audit(f"device:{CAMERA}") == [
        ("analyst", "device_changed", nothing, said),
        ("analyst", "device_changed", said, nothing),
    ]


@pytest.mark.parametrize("said", [{"trust": 1.01}, {"trust": -0.1}, {"trust": "much"}, {"type": "a b"}, {"name": "x"}])
async def test_what_makes_no_sense_is_refused(stage: Stage, said: dict[str, object]) -> None:
    await three(stage)
    answer = await stage.client.put(f"/api/v1/devices/{CAMERA}", json=said, headers=await stage.bearer("analyst"))
    assert answer.status_code == 422
    assert await stage.audit(f"device:{CAMERA}") == []


async def test_a_viewer_changes_nothing_and_nobody_a_device_that_is_not_there(stage: Stage) -> None:
    await three(stage)
    answer = await stage.client.put(f"/api/v1/devices/{CAMERA}", json={}, headers=await stage.bearer("viewer"))
    assert answer.status_code == 403
    unknown = await stage.client.put(
        "/api/v1/devices/00-00-5E-00-53-7F", json={}, headers=await stage.bearer("analyst")
    )
    assert unknown.status_code == 404


async def test_statistics_count_devices(stage: Stage) -> None:
    await three(stage)
    assert await get(stage, "/stats/summary", "viewer") == {
        "total": 3,
        "online": 2,
        "by_type": {"camera": 1, "computer": 1, "phone/tablet": 1},
        "by_vendor": {"Example Cameras": 2},
        "randomised": 1,
        "discovered_last_day": 2,
    }


async def test_the_history_shows_addresses_peers_and_traffic_by_hour(stage: Stage) -> None:
    peers = [{"ip": "198.51.100.20", "flows": 3}]
    await add_device(
        stage.postgres,
        CAMERA,
        "192.0.2.11",
        first_seen_at=START,
        last_seen_at=START + timedelta(hours=3),
        peers=msgspec.json.encode(peers).decode(),
    )
    await add_address(stage.postgres, CAMERA, "192.0.2.10", START - timedelta(hours=1), START)
    for hour, sent in ((0, 10), (2, 30)):
        await stage.postgres.execute(
            "INSERT INTO sensor.device_hours VALUES ($1, $2, $3, 5, 2, 1, 1)",
            CAMERA,
            START + timedelta(hours=hour),
            sent,
        )
    activity = await get(stage, f"/{CAMERA}/activity")
    assert [(use["ip"], use["first_seen_at"]) for use in activity["addresses"]] == [
        ("192.0.2.10", "2026-01-16T01:00:00.000Z"),
        ("192.0.2.11", "2026-01-16T02:00:00.000Z"),
    ]
    assert (activity["first_seen_at"], activity["last_seen_at"]) == (
        "2026-01-16T02:00:00.000Z",
        "2026-01-16T05:00:00.000Z",
    )
    assert activity["peers"] == peers
    assert [(hour["hour"], hour["sent_bytes"]) for hour in activity["hours"]] == [
        ("2026-01-16T02:00:00.000Z", 10),
        ("2026-01-16T04:00:00.000Z", 30),
    ]


async def test_findings_about_a_device_lower_its_trust_while_it_had_the_address(stage: Stage) -> None:
    await three(stage)
    now = datetime.now(tz=UTC)
    before = now - timedelta(hours=5)  # another device had the address then
    for identity, at in (("now", now), ("before", before)):
        when = format_instant(to_microseconds(at))
        about = finding(id=identity, rule_id=identity, entity="192.0.2.10", severity=Severity.HIGH)
        await store(
            stage.postgres, msgspec.structs.replace(about, first_seen_at=when, last_seen_at=when, created_at=when)
        )
    trust = (await get(stage, f"/{CAMERA}"))["trust"]
    assert [reason["what"] for reason in trust["reasons"]] == ["finding now"]
    assert 0.19 < trust["score"] < 0.21
    await stage.client.put("/api/v1/findings/now/false-positive", headers=await stage.bearer("analyst"))
    assert (await get(stage, f"/{CAMERA}"))["trust"] == {"score": 0.5, "reasons": [], "is_override": False}
    assert (await get(stage, f"/{LAPTOP}"))["trust"]["score"] == 0.59, "nine quiet days"

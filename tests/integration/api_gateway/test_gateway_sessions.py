"""Sessions: the flows of the network, listed, narrowed, added up."""

from typing import Any

import msgspec
import pytest

from gateway.network import START, add_flow
from gateway.stage import Stage, store
from sakimori_api_gateway.domain.network import Session
from sakimori_common.contracts import Evidence, Severity
from sakimori_common.instants import format_instant, to_microseconds
from sakimori_common.testing.samples import finding

TLS: dict[str, Any] = {"network.protocol": "tls", "sakimori.flow.is_encrypted": True}
DAY = "since=2026-01-16T00:00:00Z&until=2026-01-17T00:00:00Z"


async def get(stage: Stage, path: str, role: str = "analyst") -> Any:
    answer = await stage.client.get(f"/api/v1/sessions{path}", headers=await stage.bearer(role))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def listed(stage: Stage, query: str = "") -> list[str]:
    return [session["id"] for session in (await get(stage, f"?{DAY}{query}"))["sessions"]]


async def four(stage: Stage) -> dict[str, str]:
    """A TLS session, one of DNS, one of MQTT on an odd port and an unanswered SYN; names to ids."""
    return {
        "tls": await add_flow(stage.postgres, 0, **TLS),
        "dns": await add_flow(
            stage.postgres,
            1,
            "192.0.2.11",
            "192.0.2.53",
            **{
                "network.transport": "udp",
                "network.protocol": "dns",
                "destination.port": 53,
                "sakimori.flow.state": "active",
            },
        ),
        "mqtt": await add_flow(
            stage.postgres, 2, "192.0.2.11", **{"network.protocol": "mqtt", "source.mac": "00-00-5E-00-53-01"}
        ),
        "syn": await add_flow(
            stage.postgres,
            3,
            "203.0.113.9",
            "192.0.2.10",
            **{"sakimori.flow.state": "attempted", "destination.bytes": 0, "destination.packets": 0},
        ),
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["syn", "mqtt", "dns", "tls"]),
        ("&ip=192.0.2.10", ["syn", "tls"]),
        ("&mac=00:00:5e:00:53:01", ["mqtt"]),
        ("&port=53", ["dns"]),
        ("&port=50000", ["syn", "mqtt", "dns", "tls"]),
        ("&transport=udp", ["dns"]),
        ("&protocol=mqtt", ["mqtt"]),
        ("&state=attempted", ["syn"]),
        ("&encrypted=true", ["tls"]),
        ("&encrypted=false", ["syn", "mqtt", "dns"]),
        ("&suspicious=true", []),
    ],
)
async def test_each_filter_narrows_the_list(stage: Stage, query: str, expected: list[str]) -> None:
    names = await four(stage)
    assert await listed(stage, query) == [names[name] for name in expected]


async def test_a_session_shows_both_directions(stage: Stage) -> None:
    await four(stage)
    page = (await get(stage, f"?{DAY}&protocol=tls"))["sessions"]
    session = msgspec.convert(page[0], Session)
    assert (session.started_at, session.ended_at, session.duration_seconds) == (
        "2026-01-16T02:00:00.000Z",
        "2026-01-16T02:00:01.500Z",
        1.5,
    )
    assert (session.sent_bytes, session.received_bytes, session.sent_packets, session.received_packets) == (
        100,
        900,
        2,
        3,
    )
    assert (session.source_ip, session.source_port, session.destination_ip, session.destination_port) == (
        "192.0.2.10",
        50_000,
        "198.51.100.20",
        443,
    )


async def test_a_session_is_suspicious_that_a_finding_speaks_of(stage: Stage) -> None:
    names = await four(stage)
    begin, end = (format_instant(to_microseconds(START) + seconds * 1_000_000) for seconds in (2, 5))
    about = finding(id="scan", entity="203.0.113.9", severity=Severity.HIGH)
    other = msgspec.structs.replace(
        finding(id="name", entity_type="dns.question.name", entity="x.example", rule_id="dns_tunnel"),
        evidence=Evidence(event_ids=[names["dns"]]),
    )
    for each in (about, other):
        await store(
            stage.postgres, msgspec.structs.replace(each, first_seen_at=begin, last_seen_at=end, created_at=end)
        )
    assert await listed(stage, "&suspicious=true") == [names["syn"], names["dns"]]
    assert await listed(stage, "&suspicious=false") == [names["mqtt"], names["tls"]]
    assert (await get(stage, f"/stats/summary?{DAY}"))["suspicious"] == 2
    await stage.client.put("/api/v1/findings/scan/false-positive", headers=await stage.bearer("analyst"))
    assert await listed(stage, "&suspicious=true") == [names["dns"]]


async def test_pages_list_every_session_once_also_where_many_begin_together(stage: Stage) -> None:
    ids = [await add_flow(stage.postgres, number // 5, f"192.0.2.{number + 1}") for number in range(23)]
    seen, query = [], f"?{DAY}&limit=4"
    while True:
        page = await get(stage, query)
        seen += [session["id"] for session in page["sessions"]]
        if page["next_cursor"] is None:
            break
        query = f"?{DAY}&limit=4&cursor={page['next_cursor']}"
    assert len(seen) == 23
    assert set(seen) == set(ids)


async def test_sums_equal_those_of_sql(stage: Stage) -> None:
    await four(stage)
    stats = await get(stage, f"/stats/summary?{DAY}")
    assert stats == {
        "since": "2026-01-16T00:00:00.000Z",
        "until": "2026-01-17T00:00:00.000Z",
        "sessions": 4,
        "by_protocol": {"dns": 1, "mqtt": 1, "tcp": 1, "tls": 1},
        "by_transport": {"tcp": 3, "udp": 1},
        "encrypted": 1,
        "suspicious": 0,
        "total_bytes": 3100,
        "total_packets": 17,
        "top_talkers": [
            {"ip": "192.0.2.11", "sessions": 2, "sent_bytes": 200, "received_bytes": 1800},
            {"ip": "198.51.100.20", "sessions": 2, "sent_bytes": 1800, "received_bytes": 200},
            {"ip": "192.0.2.10", "sessions": 2, "sent_bytes": 100, "received_bytes": 1000},
            {"ip": "192.0.2.53", "sessions": 1, "sent_bytes": 900, "received_bytes": 100},
            {"ip": "203.0.113.9", "sessions": 1, "sent_bytes": 100, "received_bytes": 0},
        ],
    }
    raw = await stage.postgres.fetchval(
        "SELECT sum((fields ->> 'source.bytes')::int + (fields ->> 'destination.bytes')::int)"
        " FROM collector.events WHERE dataset = 'network.flow'"
    )
    assert stats["total_bytes"] == raw


async def test_a_flow_with_fields_that_are_no_numbers_hurts_nobody(stage: Stage) -> None:
    strange: dict[str, Any] = {"source.port": "many", "source.bytes": 1e300, "destination.bytes": -1}
    await add_flow(stage.postgres, 0, destination="nowhere", **strange)
    (session,) = (await get(stage, f"?{DAY}"))["sessions"]
    assert (session["source_port"], session["sent_bytes"], session["received_bytes"]) == (None, 0, 0)
    assert (await get(stage, f"/stats/summary?{DAY}"))["sessions"] == 1


async def test_without_a_span_the_last_day_counts(stage: Stage) -> None:
    await four(stage)
    assert (await get(stage, ""))["sessions"] == []


@pytest.mark.parametrize(
    "query",
    [
        "?ip=here",
        "?port=70000",
        "?state=odd",
        "?cursor=x",
        "?cursor=WzEsIngiXQ",
        "?limit=0",
        "?since=2026-01-16T00:00:00Z&until=2026-01-15T00:00:00Z",
        "?since=2025-01-16T00:00:00Z&until=2026-01-15T00:00:00Z",
        "/stats/summary?since=2025-01-16T00:00:00Z",
    ],
)
async def test_a_query_that_makes_no_sense_is_a_problem(stage: Stage, query: str) -> None:
    answer = await stage.client.get(f"/api/v1/sessions{query}", headers=await stage.bearer("analyst"))
    assert answer.status_code == 422, answer.text


async def test_a_viewer_sees_pseudonyms_and_cannot_search_for_addresses(stage: Stage) -> None:
    await four(stage)
    for session in (await get(stage, f"?{DAY}", "viewer"))["sessions"]:
        assert session["source_ip"].startswith("ip-")
        assert session["destination_ip"].startswith("ip-")
    assert all(
        talker["ip"].startswith("ip-")
        for talker in (await get(stage, f"/stats/summary?{DAY}", "viewer"))["top_talkers"]
    )
    answer = await stage.client.get("/api/v1/sessions?ip=192.0.2.10", headers=await stage.bearer("viewer"))
    assert answer.status_code == 403

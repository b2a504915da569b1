"""Stored events: listed, narrowed, searched, paged."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from gateway.stage import Stage
from sakimori_api_gateway.adapters.events import PostgresEventSearch
from sakimori_api_gateway.domain.events import EventQuery
from sakimori_common.ids import event_id
from sakimori_common.instants import to_microseconds

START = datetime(2026, 1, 16, 2, 0, tzinfo=UTC)
DAY = "since=2026-01-16T00:00:00Z&until=2026-01-17T00:00:00Z"


async def add(stage: Stage, seconds: float, dataset: str = "nginx.access", **columns: Any) -> str:
    """Store an event that happened so many seconds after START; returns its id. `fields` are its fields."""
    at = START + timedelta(seconds=seconds)
    identity = event_id(to_microseconds(at), dataset, repr(columns).encode())
    row = {"time": at, "id": identity, "dataset": dataset, **columns}
    row["fields"] = msgspec.json.encode(columns.get("fields", {})).decode()
    casts = {"id": "::text::uuid", "source_ip": "::text::inet"}
    places = ", ".join(f"${place}{casts.get(name, '')}" for place, name in enumerate(row, 1))
    await stage.postgres.execute(f"INSERT INTO collector.events ({', '.join(row)}) VALUES ({places})", *row.values())
    return identity


async def get(stage: Stage, query: str = "", role: str = "analyst") -> Any:
    answer = await stage.client.get(f"/api/v1/events?{DAY}{query}", headers=await stage.bearer(role))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def listed(stage: Stage, query: str = "") -> list[str]:
    return [event["event.id"] for event in (await get(stage, query))["events"]]


async def five(stage: Stage) -> dict[str, str]:
    """Five events of different sources; names to ids, oldest first."""
    return {
        "old": await add(stage, -7000, fields={"message": "GET /old"}),
        "page": await add(
            stage,
            0,
            source_ip="192.0.2.7",
            outcome="success",
            host="web-1",
            fields={"source.ip": "192.0.2.7", "url.original": "/wp-login.php?user=admin", "message": "from 192.0.2.7"},
        ),
        "login": await add(
            stage,
            1,
            "openssh.auth",
            source_ip="203.0.113.9",
            user_name="root",
            action="ssh_login",
            outcome="failure",
            severity="medium",
            host="web-1",
            fields={"message": "Failed password for root from 203.0.113.9 port 50000 ssh2"},
        ),
        "process": await add(stage, 2, "auditd.log", host="db-1", fields={"process.command_line": "/bin/sh -c 'id'"}),
        "six": await add(
            stage, 3, source_ip="2001:db8::1", fields={"source.ip": "2001:db8::1", "message": "100% of it"}
        ),
    }


SEARCHES: list[tuple[str, list[str]]] = [
    ("", ["six", "process", "login", "page", "old"]),
    ("&since=2026-01-16T02:00:00Z", ["six", "process", "login", "page"]),
    ("&until=2026-01-16T02:00:02Z", ["login", "page", "old"]),
    ("&dataset=openssh.auth", ["login"]),
    ("&dataset=openssh", []),
    ("&source_ip=192.0.2.7", ["page"]),
    ("&source_ip=2001:DB8:0::1", ["six"]),
    ("&user=root", ["login"]),
    ("&action=ssh_login&outcome=failure", ["login"]),
    ("&action=ssh_login&outcome=success", []),
    ("&severity=medium", ["login"]),
    ("&severity=info&host=web-1", ["page"]),
    ("&text=PASSWORD", ["login"]),
    ("&text=passwor", []),
    ("&text=root failed", ["login"]),
    ("&text=wp-login.php", ["page"]),
    ("&text=login-wp.php", []),
    ("&text=/bin/sh", ["process"]),
    ("&text=203.0.113.9", ["login"]),
    ("&text=100%25", ["six"]),
    ("&text=p_ssword", []),
]


@pytest.mark.parametrize("is_indexed", [False, True])
async def test_filters_narrow_the_list_with_indexes_and_without(stage: Stage, is_indexed: bool) -> None:
    names = await five(stage)
    if is_indexed:
        for row in await stage.postgres.fetch("SELECT statement FROM collector.indexes_to_make(now())"):
            await stage.postgres.execute(row["statement"])
    for query, expected in SEARCHES:
        assert await listed(stage, query) == [names[name] for name in expected], query


async def test_an_event_is_its_fields_with_time_id_and_dataset(stage: Stage) -> None:
    identity = await add(stage, 0.5, severity="low", fields={"event.action": "x", "http.response.status_code": 404})
    assert (await get(stage))["events"] == [
        {
            "@timestamp": "2026-01-16T02:00:00.500Z",
            "event.id": identity,
            "event.dataset": "nginx.access",
            "event.action": "x",
            "http.response.status_code": 404,
            "sakimori.severity": "low",
        }
    ]


async def test_pages_go_on_where_the_last_ended_even_within_a_microsecond(stage: Stage) -> None:
    made = [await add(stage, 5, fields={"n": number}) for number in range(5)]
    made += [await add(stage, 6 + number, fields={"n": number}) for number in range(5)]
    found, cursor = list[str](), ""
    for _ in range(20):
        page = await get(stage, f"&limit=3{cursor}")
        found += [event["event.id"] for event in page["events"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(found) == 10
    assert set(found) == set(made)
    assert found[:5] == made[:4:-1]


async def test_a_search_that_takes_too_long_says_how_far_it_came_and_goes_on_from_there(stage: Stage) -> None:
    await five(stage)
    query = EventQuery(since=0, until=to_microseconds(START + timedelta(days=1)), dataset="none.such")
    halted = await PostgresEventSearch(stage.postgres, budget_seconds=0).page(query)
    assert (halted.events, halted.is_complete, halted.searched_until) == ([], False, query.until)
    whole = await PostgresEventSearch(stage.postgres).page(query)
    assert (whole.events, whole.is_complete, whole.searched_until) == ([], True, 0)


async def test_a_viewer_sees_pseudonyms_in_place_of_addresses(stage: Stage) -> None:
    await five(stage)
    events = (await get(stage, role="viewer"))["events"]
    text = msgspec.json.encode(events).decode()
    assert "192.0.2.7" not in text
    assert "2001:db8::1" not in text
    assert "203.0.113.9" not in text
    page = next(event for event in events if "url.original" in event)
    assert page["source.ip"].startswith("ip-")
    assert page["message"] == f"from {page['source.ip']}"


async def test_a_viewer_may_not_search_for_what_is_masked(stage: Stage) -> None:
    for query in ("source_ip=192.0.2.7", "text=root"):
        answer = await stage.client.get(f"/api/v1/events?{query}", headers=await stage.bearer("viewer"))
        assert (answer.status_code, answer.json()["code"]) == (403, "role_insufficient")


async def test_what_is_no_search_is_a_problem(stage: Stage) -> None:
    for query in (
        "source_ip=nowhere",
        "since=2026-01-17T00:00:00Z&until=2026-01-16T00:00:00Z",
        "since=yesterday",
        "text=...",
        "text=",
        "text=a%00b",
        "cursor=x",
        "limit=0",
        "limit=1001",
        "outcome=odd",
        "severity=odd",
        "nonsense=1",
    ):
        answer = await stage.client.get(f"/api/v1/events?{query}", headers=await stage.bearer("analyst"))
        assert answer.status_code == 422, query
        assert answer.headers["content-type"] == "application/problem+json"

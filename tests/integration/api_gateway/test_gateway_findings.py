"""Findings: lists, paging, triage."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from gateway.stage import Stage, store
from sakimori.embedded import PostgresServer
from sakimori_api_gateway.domain.records import FindingDetail, FindingPage
from sakimori_common.contracts import Finding, Severity
from sakimori_common.instants import format_instant, to_microseconds
from sakimori_common.testing.samples import BRUTE_FORCE, finding

START = datetime(2026, 1, 16, 2, 0, tzinfo=UTC)


def at(seconds: float) -> str:
    return format_instant(to_microseconds(START + timedelta(seconds=seconds)))


MIXED = [
    finding(id="c-new", severity=Severity.CRITICAL, created_at=at(50), rule_id="sql_injection", entity="203.0.113.1"),
    finding(id="i-old", severity=Severity.INFO, created_at=at(1)),
    finding(id="h-old", severity=Severity.HIGH, created_at=at(10), dataset="nginx.access"),
    finding(id="h-new", severity=Severity.HIGH, created_at=at(40)),
    finding(id="c-old", severity=Severity.CRITICAL, created_at=at(20), title="50%_off"),
    finding(id="l-new", severity=Severity.LOW, created_at=at(60), entity="2001:db8::7"),
    finding(id="m-mid", severity=Severity.MEDIUM, created_at=at(30), entity_type="user.name", entity="taro"),
]


async def ids(stage: Stage, query: str = "", role: str = "analyst") -> list[str]:
    answer = await stage.client.get(f"/api/v1/findings{query}", headers=await stage.bearer(role))
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["findings"]]


async def test_the_most_severe_come_first_and_among_equals_those_that_waited_longest(stage: Stage) -> None:
    await store(stage.postgres, *MIXED)
    assert await ids(stage) == ["c-old", "c-new", "h-old", "h-new", "m-mid", "l-new", "i-old"]
    assert await ids(stage, "?sort=newest") == ["l-new", "c-new", "h-new", "m-mid", "c-old", "h-old", "i-old"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?severity=high&severity=info", ["h-old", "h-new", "i-old"]),
        ("?status=resolved", []),
        ("?rule_id=sql_injection", ["c-new"]),
        ("?entity=203.0.113.1", ["c-new"]),
        ("?entity_type=user.name&entity=taro", ["m-mid"]),
        ("?dataset=nginx.access", ["h-old"]),
        ("?since=2026-01-16T02:00:40Z", ["c-new", "h-new", "l-new"]),
        ("?until=2026-01-16T11:00:10%2B09:00", ["i-old"]),
        ("?q=50%25_O", ["c-old"]),
        ("?q=2001:DB8", ["l-new"]),
        ("?overdue=true", ["c-old", "c-new", "h-old", "h-new", "m-mid", "l-new"]),
        ("?overdue=false", ["i-old"]),
    ],
)
async def test_each_filter_narrows_the_list(stage: Stage, query: str, expected: list[str]) -> None:
    await store(stage.postgres, *MIXED)
    assert await ids(stage, query) == expected


async def test_a_finding_is_the_object_of_the_design_with_its_due_time(stage: Stage) -> None:
    await store(stage.postgres, BRUTE_FORCE)
    answer = await stage.client.get("/api/v1/findings?total=true", headers=await stage.bearer("analyst"))
    page = msgspec.json.decode(answer.content, type=FindingPage)
    assert page.total == 1
    assert page.next_cursor is None
    shown = answer.json()["findings"][0]
    assert {name: shown[name] for name in Finding.__struct_fields__} == msgspec.to_builtins(BRUTE_FORCE)
    assert shown["due_at"] == "2026-01-16T03:04:00.020Z"
    assert shown["triage"] is None


@pytest.mark.parametrize(
    ("severity", "due_at"),
    [
        (Severity.INFO, None),
        (Severity.LOW, at(24 * 3600)),
        (Severity.MEDIUM, at(4 * 3600)),
        (Severity.HIGH, at(3600)),
        (Severity.CRITICAL, at(0)),
    ],
)
async def test_the_due_time_follows_from_the_severity(stage: Stage, severity: Severity, due_at: str | None) -> None:
    await store(stage.postgres, finding(severity=severity, created_at=at(0)))
    headers = await stage.bearer("analyst")
    shown = (await stage.client.get("/api/v1/findings", headers=headers)).json()["findings"][0]
    assert shown["due_at"] == due_at


@pytest.mark.parametrize("sort", ["severity", "newest"])
async def test_paging_lists_every_finding_once_whatever_arrives_in_between(stage: Stage, sort: str) -> None:
    severities = list(Severity)
    many = [
        finding(id=f"{number:03}", severity=severities[number % 5], created_at=at(number // 4)) for number in range(100)
    ]
    await store(stage.postgres, *many)
    headers = await stage.bearer("analyst")
    listed: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = f"?sort={sort}&limit=7" + (f"&cursor={cursor}" if cursor else "")
        page = (await stage.client.get(f"/api/v1/findings{query}", headers=headers)).json()
        listed += [each["id"] for each in page["findings"]]
        cursor = page["next_cursor"]
        late = finding(
            id=f"late-{len(listed)}", severity=Severity.CRITICAL, created_at=at(0.5 + 100 * (sort == "newest"))
        )
        await store(stage.postgres, late)
    assert sorted(each for each in listed if not each.startswith("late")) == [f"{number:03}" for number in range(100)]
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(
    "query",
    [
        "?limit=0",
        "?limit=1001",
        "?limit=x",
        "?severity=worst",
        "?since=yesterday",
        "?since=2026-01-16T02:00:00",
        "?cursor=x",
        "?cursor=WyJuZXdlc3QiLDAsMSwieCJd",
        "?q=%00",
        "?severty=high",
        "?entity=" + "x" * 513,
    ],
)
async def test_a_query_that_makes_no_sense_is_a_problem(stage: Stage, query: str) -> None:
    answer = await stage.client.get(f"/api/v1/findings{query}", headers=await stage.bearer("analyst"))
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


async def test_triage_goes_forward_and_says_who_and_why(stage: Stage) -> None:
    await store(stage.postgres, BRUTE_FORCE)
    headers = await stage.bearer("analyst")
    path = f"/api/v1/findings/{BRUTE_FORCE.id}"
    seen = await stage.client.put(f"{path}/acknowledge", json={"note": "looking"}, headers=headers)
    assert seen.status_code == 200
    assert seen.json()["status"] == "acknowledged"
    assert seen.json()["triage"]["changed_by"] == "analyst"
    assert (await stage.client.put(f"{path}/resolve", headers=headers)).json()["status"] == "resolved"
    again = await stage.client.put(f"{path}/resolve", headers=headers)
    assert again.status_code == 409
    assert again.json()["code"] == "triage_conflict"
    assert (await stage.client.put(f"{path}/acknowledge", headers=headers)).status_code == 409
    assert await stage.audit(f"finding:{BRUTE_FORCE.id}") == [
        ("analyst", "finding_acknowledged", {"status": "open"}, {"status": "acknowledged", "note": "looking"}),
        ("analyst", "finding_resolved", {"status": "acknowledged"}, {"status": "resolved"}),
    ]


async def test_of_many_who_resolve_at_once_one_does(stage: Stage) -> None:
    await store(stage.postgres, BRUTE_FORCE)
    headers = await stage.bearer("analyst")
    path = f"/api/v1/findings/{BRUTE_FORCE.id}/resolve"
    answers = await asyncio.gather(*(stage.client.put(path, headers=headers) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert len(await stage.audit(f"finding:{BRUTE_FORCE.id}")) == 1


async def test_a_finding_that_does_not_exist_cannot_be_triaged(stage: Stage) -> None:
    answer = await stage.client.put("/api/v1/findings/none/resolve", headers=await stage.bearer("analyst"))
    assert answer.status_code == 404
    assert await stage.postgres.fetchval("SELECT count(*) FROM gateway.triage") == 0


async def test_false_positives_count_against_their_rule_and_stats_add_up(stage: Stage) -> None:
    await store(stage.postgres, *MIXED)
    headers = await stage.bearer("analyst")
    for identity in ("h-old", "h-new"):
        await stage.client.put(f"/api/v1/findings/{identity}/false-positive", headers=headers)
    await stage.client.put("/api/v1/findings/c-old/mitigate", headers=headers)
    stats = (await stage.client.get("/api/v1/findings/stats", headers=headers)).json()
    assert stats == {
        "by_severity": {"critical": 2, "high": 2, "medium": 1, "low": 1, "info": 1},
        "by_status": {
            "open": 4,
            "acknowledged": 0,
            "investigating": 0,
            "mitigated": 1,
            "resolved": 0,
            "false_positive": 2,
        },
        "overdue": 3,
        "false_positives": {"brute_force_attack": 2},
    }


async def test_the_detail_shows_notices_decisions_and_history(stage: Stage) -> None:
    await store(stage.postgres, BRUTE_FORCE)
    await stage.postgres.execute(
        "INSERT INTO notifier.deliveries"
        " (finding_id, channel, status, attempts, delivered_at, suppression_key, payload)"
        " VALUES ($1, 'slack', 'sent', 2, now(), 'k', '{}')",
        BRUTE_FORCE.id,
    )
    headers = await stage.bearer("analyst")
    new = {"entity": "203.0.113.42", "expires_in_seconds": 60, "reason": "x", "finding_id": BRUTE_FORCE.id}
    await stage.client.post("/api/v1/decisions", json=new, headers=headers)
    await stage.client.put(f"/api/v1/findings/{BRUTE_FORCE.id}/investigate", headers=headers)
    answer = await stage.client.get(f"/api/v1/findings/{BRUTE_FORCE.id}", headers=headers)
    detail = msgspec.json.decode(answer.content, type=FindingDetail)
    assert detail.finding.status == "investigating"
    assert [(each.channel, each.status, each.attempts) for each in detail.deliveries] == [("slack", "sent", 2)]
    assert [(each.entity, each.origin) for each in detail.decisions] == [("203.0.113.42", "analyst")]
    assert [each.action for each in detail.history] == ["finding_investigating"]
    assert (await stage.client.get("/api/v1/findings/none", headers=headers)).status_code == 404


async def test_a_viewer_sees_pseudonyms_in_place_of_addresses(stage: Stage) -> None:
    await store(stage.postgres, BRUTE_FORCE)
    viewer, analyst = await stage.bearer("viewer"), await stage.bearer("analyst")
    for path in ("/api/v1/findings", f"/api/v1/findings/{BRUTE_FORCE.id}"):
        masked = await stage.client.get(path, headers=viewer)
        assert "203.0.113.42" not in masked.text
        assert "ip-" in masked.text
        assert "203.0.113.42" in (await stage.client.get(path, headers=analyst)).text


@pytest.mark.parametrize("query", ["?entity=203.0.113.42", "?q=203.0", "?entity=::ffff:203.0.113.42"])
async def test_a_viewer_cannot_find_an_address_out_by_searching(stage: Stage, query: str) -> None:
    answer = await stage.client.get(f"/api/v1/findings{query}", headers=await stage.bearer("viewer"))
    assert answer.status_code == 403


async def test_without_postgresql_every_operation_answers_503(stage: Stage, postgres_server: PostgresServer) -> None:
    headers = await stage.bearer("analyst")
    admin = await stage.bearer("admin")
    postgres_server.stop()
    requests: Sequence[tuple[str, str, dict[str, str]]] = [
        ("GET", "/api/v1/findings", headers),
        ("GET", "/api/v1/findings/stats", headers),
        ("PUT", "/api/v1/findings/x/resolve", headers),
        ("GET", "/api/v1/decisions", headers),
        ("DELETE", "/api/v1/decisions/x", headers),
        ("GET", "/api/v1/users", admin),
    ]
    for method, path, asking in requests:
        answer = await stage.client.request(method, path, headers=asking)
        assert answer.status_code == 503, (method, path, answer.text)
        assert answer.headers["retry-after"]
        assert answer.json()["code"] == "system_unavailable"
    assert (await stage.login("admin", "whatever it is")).status_code == 503
    postgres_server.start()
    assert (await stage.client.get("/api/v1/findings", headers=headers)).status_code == 200

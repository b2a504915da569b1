"""The quarantine through the gateway: what the collector is asked, and what the audit says."""

from collections.abc import AsyncIterator

import pytest

from gateway.stage import EDGE_TOKEN, Stage
from sakimori_common.context import Valkey

from .test_gateway_proxy import Behind, in_front_of

LINE = "26efd4dc-c269-8450-be14-5f884c6129d9"


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
async def front(behind: Behind, postgres_url: str, valkey: Valkey) -> AsyncIterator[Stage]:
    async with in_front_of(behind, postgres_url, valkey) as stage:
        yield stage


async def test_the_collector_gets_the_query_and_the_gateways_token_but_not_the_operators(
    front: Stage, behind: Behind
) -> None:
    query = {"source": "/var/log/auth.log", "since": "2026-01-16T02:00:00Z", "limit": "5"}
    answer = await front.client.get("/api/v1/quarantine", params=query, headers=await front.bearer("analyst"))
    assert answer.status_code == 200
    request = behind.requests[-1]
    assert (request.url.path, dict(request.query_params)) == ("/quarantine", query)
    assert request.headers["x-sakimori-edge"] == EDGE_TOKEN
    assert "authorization" not in request.headers
    await front.client.get("/api/v1/quarantine/stats/summary", headers=await front.bearer("analyst"))
    assert behind.requests[-1].url.path == "/quarantine/stats/summary"


async def test_raw_bytes_replays_and_deletions_are_audited(front: Stage, behind: Behind) -> None:
    admin = await front.bearer("admin")
    assert (await front.client.get(f"/api/v1/quarantine/{LINE}/raw", headers=admin)).status_code == 200
    assert behind.requests[-1].url.path == f"/quarantine/{LINE}/raw"
    order = {"source": "/var/log/auth.log", "format": "nginx.access", "limit": 10}
    assert (await front.client.post("/api/v1/quarantine/replay", json=order, headers=admin)).status_code == 200
    assert behind.requests[-1].url.path == "/quarantine/replay"
    assert b'"format":"nginx.access"' in behind.bodies[-1]
    gone = await front.client.delete("/api/v1/quarantine", params={"reason": "not JSON"}, headers=admin)
    assert gone.status_code == 200
    assert (behind.requests[-1].method, behind.requests[-1].url.path) == ("DELETE", "/quarantine")
    assert await front.audit(f"quarantine:{LINE}") == [("admin", "rejected_line_read", None, None)]
    assert [entry[1] for entry in await front.audit("quarantine")] == [
        "rejected_lines_replayed",
        "rejected_lines_deleted",
    ]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v1/quarantine?limit=0", None),
        ("GET", "/api/v1/quarantine?other=1", None),
        ("GET", "/api/v1/quarantine?since=yesterday", None),
        ("GET", "/api/v1/quarantine/x/raw", None),
        ("POST", "/api/v1/quarantine/replay", {"limit": 100_000}),
        ("POST", "/api/v1/quarantine/replay", {"other": 1}),
    ],
)
async def test_what_makes_no_sense_does_not_reach_the_collector(
    front: Stage, behind: Behind, method: str, path: str, body: dict[str, object] | None
) -> None:
    answer = await front.client.request(method, path, json=body, headers=await front.bearer("admin"))
    assert answer.status_code == 422
    assert behind.requests == []

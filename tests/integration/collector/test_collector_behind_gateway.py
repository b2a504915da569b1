"""A source from its token to the inventory: issued by the gateway, used through its port, revoked."""

import gzip
import json

import httpx
from pydantic import SecretStr

from gateway.stage import Stage, staged
from sakimori_common.context import Valkey
from servers.eventually import eventually

from .conftest import EDGE, Collector, Start

LINE = "2026-01-16T02:00:00Z web-1 sshd[1]: Failed password for root from 192.0.2.7 port {} ssh2"


async def ship(stage: Stage, token: str) -> dict[str, int]:
    """Ship by every way in through the gateway's port; returns the statuses."""
    document = json.dumps({"message": LINE.format(1), "event.dataset": "openssh.auth"})
    basic = httpx.BasicAuth("web-1", token)
    bulk = gzip.compress(f'{{"create":{{}}}}\n{document}\n'.encode())
    asked = {
        "root": stage.client.get("/elasticsearch/", auth=basic),
        "bulk": stage.client.post(
            "/elasticsearch/_bulk", content=bulk, headers={"content-encoding": "gzip"}, auth=basic
        ),
        "ingest": stage.client.post("/ingest", content=document, headers={"authorization": f"Bearer {token}"}),
        "hec": stage.client.post(
            "/services/collector", json={"event": LINE.format(2)}, headers={"authorization": f"Splunk {token}"}
        ),
    }
    return {name: (await answer).status_code for name, answer in asked.items()}


async def test_a_token_of_the_gateway_is_good_until_it_is_revoked_and_the_source_is_listed(
    start: Start, postgres_url: str, valkey: Valkey
) -> None:
    collector: Collector = await start()
    place = str(collector.client.base_url)
    async with staged(postgres_url, valkey, collector_url=place, edge_token=SecretStr(EDGE)) as stage:
        admin = await stage.bearer("admin")
        made = await stage.client.post("/api/v1/sources", json={"name": "web-1"}, headers=admin)
        token = made.json()["token"]

        async def _is_good() -> bool:
            return await ship(stage, token) == {"root": 200, "bulk": 200, "ingest": 202, "hec": 200}

        await eventually(_is_good, 5)

        async def _is_listed() -> bool:
            listed = (await stage.client.get("/api/v1/sources", headers=admin)).json()["sources"]
            return [each["lines"] >= 3 for each in listed if each["name"] == "web-1"] == [True]

        await eventually(_is_listed, 15)
        assert (await stage.client.delete("/api/v1/sources/web-1", headers=admin)).status_code == 200

        async def _is_refused() -> bool:
            return await ship(stage, token) == {"root": 401, "bulk": 401, "ingest": 401, "hec": 403}

        await eventually(_is_refused, 5)
    rows = [json.loads(row["fields"]) for row in await collector.rows()]
    assert {row["sakimori.source"] for row in rows} == {"web-1"}
    assert {row["sakimori.input"] for row in rows} == {"http", "elasticsearch", "splunk_hec"}
    assert all(len(row["trace.id"]) == 32 for row in rows)  # the gateway's request ids: it proved itself

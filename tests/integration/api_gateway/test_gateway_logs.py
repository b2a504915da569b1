"""What the gateway writes about those who come: each request once, refusals with the address, no secret anywhere."""

import asyncio
import json
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from gateway.stage import Stage
from servers.eventually import eventually
from servers.own_logs import lines_of

CANARY = "canary123-of-the-tests"


async def test_each_request_is_one_access_line_whoever_answers_it(log_folder: Path, stage: Stage) -> None:
    viewer = await stage.bearer("viewer")
    before = len(lines_of(log_folder / "access.log"))
    paths = ["/login", "/api/v1/findings", "/nothing/here", "/chat", f"/api/v1/findings?token={CANARY}"]
    for path in paths * 20:
        await stage.client.get(path, headers={**viewer, "user-agent": "curl/8.5.0", "x-forwarded-for": "203.0.113.42"})
    await asyncio.gather(*(stage.client.get("/openapi.json") for _ in range(50)))
    url = stage.url.replace("http", "ws", 1) + "/api/v1/findings/live"
    async with connect(url, additional_headers=viewer):
        pass
    await eventually(lambda: len(lines_of(log_folder / "access.log")) == before + 151)
    lines = lines_of(log_folder / "access.log")[before:]
    asked = [(line["path"], line["status"], line["user"]) for line in lines]
    assert asked.count(("/api/v1/findings", 200, "viewer")) == 20
    assert asked.count(("/api/v1/findings", 422, "viewer")) == 20  # for the query, which is not shown
    assert asked.count(("/nothing/here", 404, "")) == 20
    assert asked[-1][:2] == ("/api/v1/findings/live", 101)
    assert len({line["request_id"] for line in lines}) == 151
    assert {line["ip"] for line in lines[:100]} == {lines[0]["ip"]}
    assert lines[0]["ip"].startswith("ip-")
    assert lines[0]["user_agent"] == "curl/8.5.0"


async def test_refusals_stand_in_the_security_stream_with_the_address(log_folder: Path, stage: Stage) -> None:
    viewer = await stage.bearer("viewer")
    from_outside = {"x-forwarded-for": "203.0.113.42"}
    await stage.login("ann", CANARY, **from_outside)
    await stage.client.get("/api/v1/findings", headers={"authorization": f"Bearer {CANARY}", **from_outside})
    await stage.client.get("/api/v1/users", headers={**viewer, **from_outside})
    lines = [line for line in lines_of(log_folder / "security.log") if line["ip"] == "203.0.113.42"]
    assert [(line["action"], line["user"], line["outcome"]) for line in lines] == [
        ("console_login", "ann", "failure"),
        ("token_refused", "", "failure"),
        ("role_refused", "viewer", "failure"),
    ]


async def test_no_password_and_no_token_is_in_any_log_on_the_bus_or_in_the_database(
    log_folder: Path, stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    await stage.login("ann", CANARY)
    await stage.client.get(f"/api/v1/findings?token={CANARY}", headers={"authorization": f"Bearer {CANARY}"})
    await stage.client.get("/api/v1/findings", headers={"cookie": f"session={CANARY}"})
    await eventually(lambda: bool(stage.events()))
    written = "".join(path.read_text() for path in log_folder.iterdir())
    assert CANARY not in written
    assert CANARY not in "".join(capfd.readouterr())
    assert CANARY not in json.dumps([event.to_flat() for event in stage.events()])
    tables = await stage.postgres.fetch(
        "SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE schemaname IN ('gateway', 'collector')"
    )
    for table in tables:
        rows = await stage.postgres.fetch(f"SELECT t::text AS row FROM {table['name']} t")
        assert CANARY not in "".join(row["row"] for row in rows)

"""The debug API: there in debug mode only, for this machine only, with the token only (S0-41..43, S0-69)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from integration.chat.conftest import EDGE_TOKEN, OpenChat, chat_running
from sakimori.embedded import ValkeyServer
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually
from servers.own_logs import lines_of

TOKEN = {"x-admin-token": "the developer's token"}
ROUTES = [
    ("GET", "/debug/whoami"),
    ("POST", "/debug/unblock-me"),
    ("POST", "/debug/block"),
    ("POST", "/debug/unblock"),
    ("POST", "/debug/reset-risk"),
]


@pytest.fixture
async def debugged(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> AsyncIterator[OpenChat]:
    """The chat in debug mode."""
    settings: dict[str, Any] = {"debug_mode": True, "debug_admin_token": "the developer's token"}
    async with chat_running(valkey, postgres, tmp_path / "spool", **settings) as opened:
        yield opened


@pytest.fixture
async def developer(debugged: OpenChat) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody on this machine, at the chat's own port."""
    async with httpx.AsyncClient(base_url=debugged.url, headers=TOKEN, trust_env=False) as http:
        yield http


async def test_without_debug_mode_nothing_is_there_even_with_a_token(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"debug_admin_token": "the developer's token"}
    async with (
        chat_running(valkey, postgres, tmp_path / "spool", **settings) as chat,
        httpx.AsyncClient(base_url=chat.url, headers=TOKEN, trust_env=False) as http,
    ):
        for method, path in [*ROUTES, ("GET", "/debug"), ("GET", "/debug/")]:
            assert (await http.request(method, path)).status_code == 404, path


@pytest.mark.parametrize("token", [None, "", "wrong", "the developer's toke", "the developer's token2"])
async def test_without_the_right_token_every_route_is_403_and_told(
    debugged: OpenChat, developer: httpx.AsyncClient, token: str | None
) -> None:
    developer.headers.pop("x-admin-token")
    headers = {} if token is None else {"x-admin-token": token}
    for method, path in ROUTES:
        answer = await developer.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "debug_refused"), path
    await eventually(lambda: len(debugged.of("debug.refused")) == len(ROUTES))
    assert {event.fields["event.outcome"] for event in debugged.of("debug.refused")} == {"failure"}


async def test_an_empty_token_in_the_settings_lets_nobody_in(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"debug_mode": True}
    async with (
        chat_running(valkey, postgres, tmp_path / "spool", **settings) as chat,
        httpx.AsyncClient(base_url=chat.url, trust_env=False) as http,
    ):
        for headers in ({}, {"x-admin-token": ""}, {"x-admin-token": "x"}):
            assert (await http.get("/debug/whoami", headers=headers)).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"x-sakimori-edge": EDGE_TOKEN, "x-forwarded-for": "203.0.113.7"},
        {"x-forwarded-for": "127.0.0.1"},
        {"x-forwarded-for": "203.0.113.7"},
        {"forwarded": "for=203.0.113.7"},
        {"x-sakimori-edge": "a guess", "x-forwarded-for": "127.0.0.1"},
    ],
)
async def test_whoever_comes_from_elsewhere_finds_nothing(
    debugged: OpenChat, developer: httpx.AsyncClient, headers: dict[str, str], log_folder: Path
) -> None:
    for method, path in ROUTES:
        answer = await developer.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    await eventually(lambda: len(debugged.of("debug.refused")) == len(ROUTES))
    lines = [line for line in lines_of(log_folder / "security.log") if line["action"] == "debug.refused"]
    assert {line["reason"] for line in lines} == {"not from this machine"}


async def test_a_get_changes_nothing(developer: httpx.AsyncClient) -> None:
    for method, path in ROUTES:
        if method == "POST":
            assert (await developer.get(path)).status_code == 405


async def test_a_developer_sees_and_undoes_what_the_limits_did(
    debugged: OpenChat, developer: httpx.AsyncClient, valkey: Valkey, log_folder: Path
) -> None:
    await developer.get("/chat")
    token = developer.cookies["csrf_token"]

    async def post(text: str) -> int:
        return (await developer.post("/chat/post", data={"text": text}, headers={"x-csrf-token": token})).status_code

    statuses = [await post(f"post {number}") for number in range(6)]
    assert statuses[-1] == 429
    me = (await developer.get("/debug/whoami")).json()
    assert me["ban_seconds"] > 20
    assert (me["address"], me["risk"], me["mute_seconds"]) == ("127.0.0.1", 0, 0)
    assert (await developer.post("/debug/unblock-me")).status_code == 200
    assert (await developer.get("/debug/whoami")).json()["ban_seconds"] == 0

    await valkey.set(f"risk:fp:{me['fingerprint']}", "9.5", ex=600)
    assert (await developer.get("/debug/whoami")).json()["risk"] == 9.5
    reset = (await developer.post("/debug/reset-risk")).json()
    assert reset == {"fingerprint": me["fingerprint"], "reset": True}
    assert (await developer.get("/debug/whoami")).json()["risk"] == 0

    for target in ({"anon_id": me["anon_id"]}, {"fingerprint": me["fingerprint"]}, {"address": "127.0.0.1"}):
        await valkey.delete(*await valkey.keys("rate:*"))
        assert (await developer.post("/debug/block", json={**target, "seconds": 60})).status_code == 200
        assert await post("blocked?") in {403, 429}
        assert (await developer.post("/debug/unblock", json=target)).status_code == 200
        assert await post("free?") == 303
    told = ["whoami", "unblock_me", "whoami", "whoami", "reset_risk", "whoami", *["block", "unblock"] * 3]
    await eventually(lambda: [name for name in debugged.actions() if "debug." in name] == [f"debug.{n}" for n in told])
    (blocked, *_) = debugged.of("debug.block")
    assert (blocked.fields["user.target.id"], blocked.fields["chat.block_seconds"]) == (me["anon_id"], 60)
    assert "127.0.0.1" not in str([event.fields for event in debugged.events])
    lines = [line for line in lines_of(log_folder / "security.log") if line["action"].startswith("debug.")]
    assert {line["ip"] for line in lines} == {"127.0.0.1"}
    assert len(lines) == len(told)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"anon_id": "x"},
        {"fingerprint": "../x"},
        {"address": "nowhere"},
        {"anon_id": "11111111-1111-4111-8111-111111111111", "address": "192.0.2.1"},
        {"address": "192.0.2.1", "seconds": 0},
        {"address": "192.0.2.1", "seconds": 86_401},
        {"address": "192.0.2.1", "why": "x"},
    ],
)
async def test_a_block_of_nobody_is_422(developer: httpx.AsyncClient, body: dict[str, object]) -> None:
    answer = await developer.post("/debug/block", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_without_valkey_it_is_503(developer: httpx.AsyncClient, valkey_server: ValkeyServer) -> None:
    valkey_server.kill()
    for method, path in ROUTES:
        body = {"address": "192.0.2.1"} if path.endswith("block") else {}
        answer = await developer.request(method, path, json=body)
        assert answer.status_code == 503, path
        assert answer.headers["retry-after"] == "1"
    valkey_server.start()

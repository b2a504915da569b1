"""Rooms, messages and the queue of held ones, from the gateway's API to what visitors see."""

from pathlib import Path

import httpx
import pytest

from gateway.pair import Pair, together
from gateway.stage import EDGE_TOKEN
from sakimori.embedded import PostgresServer
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually

HOLDING = {"checks": {"words": {"reaction": "hold"}}, "words": ["casino"]}


async def test_a_room_is_opened_changed_closed_and_opened_again_and_each_step_is_audited(pair: Pair) -> None:
    visitor = await pair.visitor()
    policy = {"title": "The garden", "slow_seconds": 0}
    made = (await pair.ask("admin", "POST", "/chat/rooms", {"name": "garden", "policy": policy}, 201)).json()
    assert (made["name"], made["is_open"], made["changed_by"]) == ("garden", True, "admin")
    await eventually(lambda: _poll(visitor.http, "garden", 200), 1)

    locked = {"policy": {"is_locked": True, "checks": {"links": {"reaction": "refuse"}}}}
    changed = (await pair.ask("admin", "PATCH", "/chat/rooms/garden", locked, 200)).json()
    assert changed["policy"]["title"] == "The garden"
    assert changed["policy"]["checks"] == {"links": {"reaction": "refuse", "threshold": None, "bots": None}}

    async def is_locked() -> bool:
        return (await visitor.post("anybody?", room="garden")).status_code == 403

    await eventually(is_locked, 1)
    await pair.ask("admin", "PATCH", "/chat/rooms/garden", {"is_open": False}, 200)
    await eventually(lambda: _poll(visitor.http, "garden", 404), 1)
    await pair.ask("admin", "PATCH", "/chat/rooms/garden", {"is_open": True, "policy": {"is_locked": None}}, 200)
    await eventually(lambda: _poll(visitor.http, "garden", 200), 1)

    rooms = (await pair.ask("viewer", "GET", "/chat/rooms")).json()["rooms"]
    assert [(room["name"], room["policy"]["is_locked"]) for room in rooms] == [("lobby", False), ("garden", False)]
    rows = await pair.stage.audit("room:garden")
    assert [(actor, action) for actor, action, _, _ in rows] == [
        ("admin", "room_opened"),
        *[("admin", "room_changed")] * 3,
    ]
    _, _, before, after = rows[1]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert (before["policy"]["is_locked"], after["policy"]["is_locked"]) == (False, True)
    await eventually(lambda: len(pair.chat.of("chat.room_changed")) == 4)
    states = [event.fields["chat.room_state"] for event in pair.chat.of("chat.room_changed")]
    assert states == ["open", "locked", "closed", "open"]


async def _poll(http: httpx.AsyncClient, room: str, status: int) -> bool:
    return (await http.get(f"/chat/poll?room={room}")).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/chat/rooms", {"name": "lobby"}, 409),
        ("POST", "/chat/rooms", {"name": "Garden"}, 422),
        ("POST", "/chat/rooms", {"name": "garden", "policy": {"colour": "red"}}, 422),
        ("POST", "/chat/rooms", {"name": "garden", "policy": {"checks": {"mood": {"reaction": "hold"}}}}, 422),
        ("POST", "/chat/rooms", {"name": "garden", "policy": {"checks": 5}}, 422),
        ("PATCH", "/chat/rooms/cellar", {"is_open": False}, 404),
        ("PATCH", "/chat/rooms/lobby", {"is_open": False}, 409),
        ("PATCH", "/chat/rooms/lobby", {"policy": {"slow_seconds": -1}}, 422),
        ("PATCH", "/chat/rooms/lobby", {"policy": {"words": ["x" * 65]}}, 422),
        ("POST", "/chat/rooms/cellar/trial", {"text": "x"}, 404),
        ("POST", "/chat/rooms/lobby/trial", {"text": "x", "policy": {"checks": {"mood": {}}}}, 422),
        ("POST", "/chat/rooms/lobby/trial", {"text": "x" * 16_385}, 422),
        ("DELETE", "/chat/rooms/lobby/messages/5", None, 404),
        ("POST", "/chat/held/lobby/5/release", None, 404),
    ],
)
async def test_what_makes_no_sense_changes_nothing_and_says_why(
    pair: Pair, method: str, path: str, body: object, status: int
) -> None:
    answer = await pair.ask("admin", method, path, body, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    rooms = (await pair.ask("viewer", "GET", "/chat/rooms")).json()["rooms"]
    assert [(room["name"], room["changed_by"]) for room in rooms] == [("lobby", "")]
    assert await pair.stage.postgres.fetchval("SELECT count(*) FROM gateway.audit WHERE action LIKE 'room_%'") == 0


async def test_a_text_is_tried_under_the_rooms_policy_or_another_and_nothing_is_kept(pair: Pair) -> None:
    path, text = "/chat/rooms/lobby/trial", "Win at the CAS1NO, see example.com"
    free = (await pair.ask("analyst", "POST", path, {"text": text}, 200)).json()
    assert free == {"text": text, "refusal": "", "reaction": "off", "objections": []}
    policy = {"words": ["casino"], "checks": {"links": {"reaction": "hold", "bots": "off"}}}
    found = (await pair.ask("analyst", "POST", path, {"text": text, "policy": policy}, 200)).json()
    assert (found["refusal"], found["reaction"]) == ("words", "refuse")
    assert [(each["check"], each["score"], each["reasons"]) for each in found["objections"]] == [
        ("words", 1.0, ["casino"]),
        ("links", 1.0, ["example.com"]),
    ]
    of_bot = {"text": text, "policy": policy, "is_bot": True}
    found = (await pair.ask("analyst", "POST", path, of_bot, 200)).json()
    assert [each["check"] for each in found["objections"]] == ["words"]
    assert (await pair.ask("analyst", "POST", path, {"text": "x" * 301}, 200)).json()["refusal"] == "too_long"
    assert (await pair.ask("viewer", "POST", path, {"text": text})).status_code == 403
    assert await (await pair.visitor()).texts() == []
    assert (await pair.ask("viewer", "GET", "/chat/rooms")).json()["rooms"][0]["changed_by"] == ""
    assert [event for event in pair.chat.events if event.dataset.startswith("chat.")] == []


async def test_a_message_is_looked_up_and_deleted_for_everybody(pair: Pair) -> None:
    author, reader = await pair.visitor(), await pair.visitor("203.0.113.8")
    await author.post("call me on this number", name="ann")
    shown = (await pair.ask("analyst", "GET", "/chat/rooms/lobby/messages/1", None, 200)).json()
    assert (shown["author_id"], shown["name"], shown["kind"]) == (author.anon_id, "ann", "person")
    assert shown["text"] == "call me on this number"
    assert len(shown["fingerprint"]) == 16
    gone = await pair.ask("analyst", "DELETE", "/chat/rooms/lobby/messages/1?reason=personal+data", None, 200)
    assert gone.json() == shown
    assert await reader.texts() == []
    assert (await reader.http.get("/chat/poll")).json()["deleted"] == [1]
    ((actor, action, old, new),) = await pair.stage.audit("message:lobby/1")
    assert (actor, action, old, new) == ("analyst", "message_deleted", shown, {"reason": "personal data"})
    await eventually(lambda: pair.chat.of("chat.message_deleted"))
    fields = pair.chat.of("chat.message_deleted")[0].fields
    assert (fields["user.name"], fields["user.target.id"]) == ("analyst", author.anon_id)
    assert "call me" not in str(fields)


async def test_a_held_message_waits_with_its_reasons_and_is_released_or_discarded(
    postgres_url: str, postgres: Postgres, valkey: Valkey, tmp_path: Path
) -> None:
    async with together(postgres_url, postgres, valkey, tmp_path / "spool", post_limit=1000) as pair:
        await _hold_release_discard(pair)


async def _hold_release_discard(pair: Pair) -> None:
    await pair.ask("admin", "PATCH", "/chat/rooms/lobby", {"policy": HOLDING}, 200)
    author, reader = await pair.visitor(), await pair.visitor("203.0.113.8")

    async def is_held() -> bool:
        await author.post("the best casino in town")
        return bool((await pair.ask("analyst", "GET", "/chat/held")).json()["held"])

    await eventually(is_held, 5)
    (first, *_) = (await pair.ask("analyst", "GET", "/chat/held")).json()["held"]
    assert (first["text"], first["author_id"]) == ("the best casino in town", author.anon_id)
    assert first["objections"][0]["check"] == "words"
    assert (await pair.ask("viewer", "GET", "/chat/held")).status_code == 403
    await reader.post("hello")
    public = (await reader.http.get("/chat/poll")).json()["messages"][-1]["id"]
    await pair.ask("analyst", "POST", f"/chat/held/lobby/{public}/discard", None, 404)
    before = len(await reader.texts())
    path = f"/chat/held/{first['room']}/{first['number']}"
    released = (await pair.ask("analyst", "POST", f"{path}/release", None, 200)).json()
    assert released["number"] > first["number"]
    assert len(await reader.texts()) == before + 1
    await pair.ask("analyst", "POST", f"{path}/release", None, 404)
    assert (await pair.ask("analyst", "GET", "/chat/held")).json() == {"held": []}
    ((_, action, _, new),) = await pair.stage.audit(f"message:lobby/{first['number']}")
    assert (action, new) == ("message_released", released)

    await author.post("another casino")
    (second,) = (await pair.ask("analyst", "GET", "/chat/held")).json()["held"]
    path = f"/chat/held/{second['room']}/{second['number']}"
    assert (await pair.ask("analyst", "POST", f"{path}/discard", None, 200)).json()["text"] == "another casino"
    assert (await pair.ask("analyst", "GET", "/chat/held")).json() == {"held": []}
    assert "another casino" not in await author.texts()


@pytest.mark.parametrize(
    "path",
    [
        "/moderation/rooms",
        "/chat/../moderation/rooms",
        "/chat/%2e%2e/moderation/rooms",
        "/chat/..%2fmoderation/rooms",
        "/chat//moderation/rooms",
        "/chat/moderation/rooms",
        "/bots/../moderation/bots",
        "/bots/%2e%2e/debug/whoami",
        "/debug/whoami",
        "/chat/../debug/whoami",
        "/chat/debug/whoami",
    ],
)
async def test_nobody_gets_at_the_inner_api_through_the_gateway(pair: Pair, path: str) -> None:
    headers = {"x-sakimori-operator": "admin", "x-sakimori-edge": "a guess"}
    for method in ("GET", "POST"):
        request = httpx.Request(method, pair.stage.url, headers=headers, extensions={"target": path.encode()})
        answer = await pair.stage.client.send(request)
        assert answer.status_code in {404, 405}, (method, path, answer.text)
        assert "lobby" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-sakimori-operator": "admin"},
        {"x-sakimori-edge": EDGE_TOKEN},
        {"x-sakimori-edge": EDGE_TOKEN, "x-sakimori-operator": ""},
        {"x-sakimori-edge": EDGE_TOKEN + "x", "x-sakimori-operator": "admin"},
        {"x-sakimori-edge": EDGE_TOKEN, "x-sakimori-operator": "two words"},
        {"x-sakimori-edge": EDGE_TOKEN, "x-sakimori-operator": "x" * 65},
    ],
)
async def test_without_edge_token_and_operator_the_inner_api_is_not_there(pair: Pair, headers: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=pair.chat.url) as http:
        for path in ("/moderation/rooms", "/moderation/bots", "/moderation/nothing"):
            answer = await http.get(path, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        proof = {"x-sakimori-edge": EDGE_TOKEN, "x-sakimori-operator": "admin"}
        assert (await http.get("/moderation/rooms", headers=proof)).status_code == 200


async def test_nothing_is_changed_while_the_audit_cannot_be_written(
    pair: Pair, postgres_server: PostgresServer
) -> None:
    author = await pair.visitor()
    await author.post("hello")
    headers = await pair.stage.bearer("analyst")
    assert (await pair.ask("analyst", "GET", "/chat/rooms/lobby/messages/1")).status_code == 200
    postgres_server.stop()
    answer = await pair.stage.client.delete("/api/v1/chat/rooms/lobby/messages/1", headers=headers)
    assert answer.status_code == 503
    assert await author.texts() == ["hello"]
    postgres_server.start()

    async def is_deleted() -> bool:
        path = "/api/v1/chat/rooms/lobby/messages/1"
        return (await pair.stage.client.delete(path, headers=headers)).status_code == 200

    await eventually(is_deleted)
    assert await author.texts() == []

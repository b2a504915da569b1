"""Logging in, roles, users."""

import asyncio
import time

import pytest

from gateway.stage import ADMIN_PASSWORD, JWT_SECRET, PASSWORD, Stage, staged
from sakimori.embedded import ValkeyServer
from sakimori_api_gateway.adapters.passwords import Argon2Passwords
from sakimori_api_gateway.domain.roles import Role
from sakimori_api_gateway.domain.tokens import Token, sign
from sakimori_common.context import Valkey
from servers.eventually import eventually


async def test_the_first_admin_logs_in_with_the_password_that_was_set(stage: Stage) -> None:
    answer = await stage.login("admin", ADMIN_PASSWORD)
    assert answer.status_code == 200
    body = answer.json()
    assert body["token_type"] == "bearer"
    assert body["role"] == "admin"
    assert answer.headers["cache-control"] == "no-store"
    users = await stage.client.get("/api/v1/users", headers={"authorization": f"Bearer {body['access_token']}"})
    assert [(user["name"], user["role"]) for user in users.json()["users"]] == [("admin", "admin")]
    assert await stage.audit("user:admin") == [("system", "user_added", None, {"role": "admin"})]


async def test_a_second_start_keeps_the_users_and_their_passwords(postgres_url: str, valkey: Valkey) -> None:
    async with staged(postgres_url, valkey):
        pass
    async with staged(postgres_url, valkey, admin_password="another password than before") as stage:
        assert (await stage.login("admin", "another password than before")).status_code == 401
        assert (await stage.login("admin", ADMIN_PASSWORD)).status_code == 200


@pytest.mark.parametrize(
    ("user", "password"),
    [("admin", "wrong password"), ("nobody", ADMIN_PASSWORD), ("Ad'min; --", "x"), ("admin", "x" * 1024)],
)
async def test_wrong_credentials_all_get_the_same_answer(stage: Stage, user: str, password: str) -> None:
    answer = await stage.login(user, password)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "login_failed"


async def test_an_unknown_user_costs_as_much_as_a_wrong_password(postgres_url: str, valkey: Valkey) -> None:
    async def fastest(stage: Stage, user: str) -> float:
        times = []
        for _ in range(5):
            started = time.perf_counter()
            await stage.login(user, "wrong password")
            times.append(time.perf_counter() - started)
        return min(times)

    async with staged(postgres_url, valkey, passwords=Argon2Passwords()) as stage:
        known, unknown = await fastest(stage, "admin"), await fastest(stage, "nobody")
    assert unknown > known / 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"username": "admin"}',
        b'{"username": "", "password": "x"}',
        b'{"username": "a\\u0000", "password": "x"}',
        b'{"username": "\\ud800", "password": "x"}',
        b'{"username": "admin", "password": "hunter2hunter2\\u0000"}',
        b'{"username": "admin", "password": "hunter2hunter2", "role": "admin"}',
        b'{"username": 1, "password": ["hunter2hunter2"]}',
        b"\xff\xfe",
    ],
)
async def test_what_is_no_login_is_a_problem_that_names_the_field_and_repeats_no_value(
    stage: Stage, body: bytes
) -> None:
    answer = await stage.client.post("/api/v1/login", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "hunter2" not in answer.text


async def test_logins_are_events_that_the_detector_gets(stage: Stage) -> None:
    await stage.login("admin", "wrong password", **{"x-forwarded-for": "203.0.113.9", "user-agent": "tests"})
    await stage.login("admin", ADMIN_PASSWORD)
    await eventually(lambda: len(stage.events()) == 2, 2)
    failure, success = stage.events()
    assert failure.dataset == "gateway.auth"
    fields = {
        name: failure.get(name)
        for name in ("event.category", "event.action", "event.outcome", "source.ip", "user.name", "user_agent.original")
    }
    assert fields == {
        "event.category": "authentication",
        "event.action": "console_login",
        "event.outcome": "failure",
        "source.ip": "203.0.113.9",
        "user.name": "admin",
        "user_agent.original": "tests",
    }
    assert success.get("event.outcome") == "success"
    assert "password of the tests" not in repr(stage.taken)


async def test_an_address_that_tries_too_often_waits(postgres_url: str, valkey: Valkey) -> None:
    async with staged(postgres_url, valkey, login_attempts_per_address=3) as stage:
        headers = {"x-forwarded-for": "203.0.113.9"}
        answers = [await stage.login(f"user{number}", "wrong password", **headers) for number in range(4)]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
        assert 0 < int(answers[-1].headers["retry-after"]) <= 300
        assert (await stage.login("admin", ADMIN_PASSWORD, **{"x-forwarded-for": "203.0.113.10"})).status_code == 200


async def test_a_user_that_is_guessed_at_from_many_addresses_is_closed_but_not_to_operators_networks(
    postgres_url: str, valkey: Valkey
) -> None:
    async with staged(postgres_url, valkey, login_failures_per_user=3) as stage:
        statuses = [
            (await stage.login("admin", "wrong password", **{"x-forwarded-for": f"203.0.113.{n}"})).status_code
            for n in range(5)
        ]
        assert statuses == [401, 401, 401, 429, 429]
        assert (await stage.login("admin", ADMIN_PASSWORD, **{"x-forwarded-for": "203.0.113.77"})).status_code == 429
        assert (await stage.login("admin", ADMIN_PASSWORD)).status_code == 200


async def test_many_guesses_at_once_gain_nothing(postgres_url: str, valkey: Valkey) -> None:
    async with staged(postgres_url, valkey, login_failures_per_user=3) as stage:
        answers = await asyncio.gather(
            *(stage.login("admin", "wrong password", **{"x-forwarded-for": f"203.0.113.{n}"}) for n in range(10))
        )
        assert sorted(answer.status_code for answer in answers) == [401] * 3 + [429] * 7


async def test_nobody_logs_in_while_valkey_is_away_and_it_is_never_a_500(
    postgres_url: str, valkey: Valkey, valkey_server: ValkeyServer
) -> None:
    async with staged(postgres_url, valkey) as stage:
        headers = await stage.bearer("admin")
        valkey_server.stop()
        answer = await stage.login("admin", ADMIN_PASSWORD)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert answer.json()["code"] == "system_unavailable"
        assert (await stage.client.get("/api/v1/findings", headers=headers)).status_code == 200
        valkey_server.start()
        assert (await stage.login("admin", ADMIN_PASSWORD)).status_code == 200


OPERATIONS = [
    ("GET", "/api/v1/findings", "viewer"),
    ("GET", "/api/v1/findings/stats", "viewer"),
    ("GET", "/api/v1/findings/none", "viewer"),
    ("GET", "/api/v1/decisions", "viewer"),
    ("PUT", "/api/v1/findings/none/acknowledge", "analyst"),
    ("PUT", "/api/v1/findings/none/investigate", "analyst"),
    ("PUT", "/api/v1/findings/none/mitigate", "analyst"),
    ("PUT", "/api/v1/findings/none/resolve", "analyst"),
    ("PUT", "/api/v1/findings/none/false-positive", "analyst"),
    ("POST", "/api/v1/decisions", "analyst"),
    ("DELETE", "/api/v1/decisions/none", "analyst"),
    ("POST", "/api/v1/captures", "analyst"),
    ("GET", "/api/v1/devices", "viewer"),
    ("GET", "/api/v1/devices/stats/summary", "viewer"),
    ("GET", "/api/v1/devices/00-00-5E-00-53-01", "viewer"),
    ("GET", "/api/v1/devices/00-00-5E-00-53-01/activity", "viewer"),
    ("PUT", "/api/v1/devices/00-00-5E-00-53-01", "analyst"),
    ("GET", "/api/v1/events", "viewer"),
    ("GET", "/api/v1/sessions", "viewer"),
    ("GET", "/api/v1/sessions/stats/summary", "viewer"),
    ("GET", "/api/v1/packets", "analyst"),
    ("POST", "/api/v1/recordings", "analyst"),
    ("GET", "/api/v1/recordings", "analyst"),
    ("GET", "/api/v1/recordings/none", "analyst"),
    ("PUT", "/api/v1/recordings/none/stop", "analyst"),
    ("GET", "/api/v1/recordings/none/packets", "analyst"),
    ("GET", "/api/v1/sources", "viewer"),
    ("POST", "/api/v1/sources", "admin"),
    ("DELETE", "/api/v1/sources/none", "admin"),
    ("GET", "/api/v1/quarantine", "analyst"),
    ("GET", "/api/v1/quarantine/stats/summary", "analyst"),
    ("POST", "/api/v1/quarantine/replay", "analyst"),
    ("GET", "/api/v1/quarantine/none/raw", "admin"),
    ("DELETE", "/api/v1/quarantine", "admin"),
    ("GET", "/api/v1/chat/rooms", "viewer"),
    ("POST", "/api/v1/chat/rooms", "admin"),
    ("PATCH", "/api/v1/chat/rooms/{room}", "admin"),
    ("GET", "/api/v1/chat/rooms/{room}/messages/{number}", "analyst"),
    ("DELETE", "/api/v1/chat/rooms/{room}/messages/{number}", "analyst"),
    ("POST", "/api/v1/chat/rooms/{room}/trial", "analyst"),
    ("GET", "/api/v1/chat/held", "analyst"),
    ("POST", "/api/v1/chat/held/{room}/{number}/release", "analyst"),
    ("POST", "/api/v1/chat/held/{room}/{number}/discard", "analyst"),
    ("GET", "/api/v1/chat/mutes", "analyst"),
    ("GET", "/api/v1/chat/mutes/{user_id}", "analyst"),
    ("PUT", "/api/v1/chat/mutes/{user_id}", "analyst"),
    ("DELETE", "/api/v1/chat/mutes/{user_id}", "analyst"),
    ("GET", "/api/v1/chat/bans", "analyst"),
    ("POST", "/api/v1/chat/bans", "analyst"),
    ("DELETE", "/api/v1/chat/bans", "analyst"),
    ("GET", "/api/v1/bots", "viewer"),
    ("GET", "/api/v1/bots/{bot_id}", "viewer"),
    ("POST", "/api/v1/bots/{bot_id}/approve", "admin"),
    ("POST", "/api/v1/bots/{bot_id}/deny", "admin"),
    ("POST", "/api/v1/bots/{bot_id}/revoke", "admin"),
    ("PUT", "/api/v1/bots/{bot_id}/rooms", "admin"),
    ("POST", "/api/v1/bots/{bot_id}/secret", "admin"),
    ("POST", "/api/v1/bots/block", "analyst"),
    ("GET", "/api/v1/users", "admin"),
    ("POST", "/api/v1/users", "admin"),
    ("PATCH", "/api/v1/users/none", "admin"),
    ("GET", "/api/v1/audit", "admin"),
]


async def test_each_role_may_what_its_row_says_and_no_more(stage: Stage) -> None:
    for role in Role:
        for method, path, needed in OPERATIONS:
            body: dict[str, str] | None = {} if method in {"POST", "PATCH"} else None
            plain = path.replace("{", "").replace("}", "")
            answer = await stage.client.request(method, plain, headers=await stage.bearer(role.value), json=body)
            assert (answer.status_code != 403) is role.may(Role(needed)), (role, method, path, answer.text)
            assert answer.status_code != 500


async def test_every_documented_operation_wants_a_token(stage: Stage) -> None:
    schema = (await stage.client.get("/openapi.json")).json()
    operations = [
        (method.upper(), path)
        for path, methods in schema["paths"].items()
        for method in methods
        if path != "/api/v1/login"
    ]
    assert sorted(operations) == sorted(
        (method, path.replace("/findings/none", "/findings/{finding_id}").replace("/users/none", "/users/{name}")
         .replace("/decisions/none", "/decisions/{decision_id}").replace("00-00-5E-00-53-01", "{mac}")
         .replace("/recordings/none", "/recordings/{recording_id}").replace("/sources/none", "/sources/{name}")
         .replace("/quarantine/none", "/quarantine/{line_id}"))
        for method, path, _ in OPERATIONS
    )  # fmt: skip
    for method, path in operations:
        for headers in ({}, {"authorization": "Bearer x.y.z"}, {"authorization": "Basic YTpi"}):
            answer = await stage.client.request(method, path.replace("{", "").replace("}", ""), headers=headers)
            assert answer.status_code == 401, (method, path, answer.text)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/problem+json"


async def test_a_token_that_has_expired_is_refused(stage: Stage) -> None:
    now = time.time_ns() // 1000
    token = sign(Token("admin", Role.ADMIN, now - 2_000_000, now - 1_000_000), JWT_SECRET)
    answer = await stage.client.get("/api/v1/findings", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]


async def test_the_role_in_the_database_counts_not_the_one_in_the_token(stage: Stage) -> None:
    await stage.bearer("viewer")
    now = time.time_ns() // 1000
    token = sign(Token("viewer", Role.ADMIN, now, now + 60_000_000), JWT_SECRET)
    answer = await stage.client.get("/api/v1/users", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 403


async def test_a_user_who_is_disabled_is_out_at_once(stage: Stage) -> None:
    viewer, admin = await stage.bearer("viewer"), await stage.bearer("admin")
    assert (await stage.client.get("/api/v1/findings", headers=viewer)).status_code == 200
    changed = await stage.client.patch("/api/v1/users/viewer", json={"disabled": True}, headers=admin)
    assert changed.json()["disabled_at"]
    assert (await stage.client.get("/api/v1/findings", headers=viewer)).status_code == 401
    assert (await stage.login("viewer", PASSWORD)).status_code == 401
    await stage.client.patch("/api/v1/users/viewer", json={"disabled": False}, headers=admin)
    assert (await stage.login("viewer", PASSWORD)).status_code == 200


async def test_a_changed_password_ends_all_sessions(stage: Stage) -> None:
    viewer, admin = await stage.bearer("viewer"), await stage.bearer("admin")
    new = "a new password of the viewer"
    answer = await stage.client.patch("/api/v1/users/viewer", json={"password": new}, headers=admin)
    assert answer.status_code == 200
    assert (await stage.client.get("/api/v1/findings", headers=viewer)).status_code == 401
    assert (await stage.login("viewer", PASSWORD)).status_code == 401
    assert (await stage.login("viewer", new)).status_code == 200
    assert (await stage.audit("user:viewer"))[-1] == (
        "admin",
        "user_changed",
        {"role": "viewer", "disabled": False},
        {"password_changed": True},
    )


async def test_changes_of_users_are_audited_with_before_and_after(stage: Stage) -> None:
    await stage.bearer("viewer")
    admin = await stage.bearer("admin")
    await stage.client.patch("/api/v1/users/viewer", json={"role": "analyst"}, headers=admin)
    assert await stage.audit("user:viewer") == [
        ("admin", "user_added", None, {"role": "viewer"}),
        ("admin", "user_changed", {"role": "viewer", "disabled": False}, {"role": "analyst"}),
    ]
    first = (await stage.client.get("/api/v1/audit?limit=2", headers=admin)).json()
    assert [entry["action"] for entry in first["entries"]] == ["user_changed", "user_added"]
    assert first["entries"][0]["address"] == "127.0.0.1"
    rest = (await stage.client.get(f"/api/v1/audit?before={first['before']}", headers=admin)).json()
    assert [entry["target"] for entry in rest["entries"]] == ["user:admin"]
    assert rest["before"] is None


@pytest.mark.parametrize("change", [{"disabled": True}, {"role": "viewer"}])
async def test_the_last_admin_stays_one(stage: Stage, change: dict[str, object]) -> None:
    answer = await stage.client.patch("/api/v1/users/admin", json=change, headers=await stage.bearer("admin"))
    assert answer.status_code == 409
    assert (await stage.client.get("/api/v1/users", headers=await stage.bearer("admin"))).status_code == 200


async def test_users_are_refused_with_a_reason(stage: Stage) -> None:
    admin = await stage.bearer("admin")
    good = {"username": "taro", "password": PASSWORD, "role": "viewer"}
    for change, status in (
        ({"username": "Taro"}, 422),
        ({"password": "short"}, 422),
        ({"password": "aaaaaaaaaaaaaaaa"}, 422),
        ({"role": "root"}, 422),
        ({"username": "admin"}, 409),
    ):
        answer = await stage.client.post("/api/v1/users", json=good | change, headers=admin)
        assert answer.status_code == status, answer.text
    assert (await stage.client.patch("/api/v1/users/nobody", json={}, headers=admin)).status_code == 404

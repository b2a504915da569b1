"""Bans and mutes by operators, from the gateway's API to the chat's refusal."""

from pathlib import Path

import pytest

from gateway.pair import Pair, together
from integration.chat.conftest import Visitor
from sakimori_common.context import Postgres, Valkey
from sakimori_common.contracts import DecisionAction
from servers.eventually import eventually
from servers.promptness import quickest


async def test_a_ban_by_message_refuses_and_unban_allows_and_both_are_audited(pair: Pair) -> None:
    visitor, other = await pair.visitor(), await pair.visitor("203.0.113.8")
    assert (await visitor.post("buy now")).status_code == 200
    whom = {"room": "lobby", "message": 1}
    made = (await pair.ask("analyst", "POST", "/chat/bans", {**whom, "seconds": 3600, "reason": "spam"}, 201)).json()

    async def is_refused() -> bool:
        return (await visitor.post("again")).status_code == 429

    await eventually(is_refused, 1)
    refusal = (await visitor.post("again")).json()
    assert refusal["code"] == "blocked"
    assert 3590 <= refusal["block_sec"] <= 3600
    assert (await other.post("hello")).status_code == 200
    assert (made["entity_type"], made["entity"], made["origin"]) == ("user.id", visitor.anon_id, "analyst")

    lifted = (await pair.ask("analyst", "DELETE", "/chat/bans?room=lobby&message=1", None, 200)).json()

    async def is_let_in() -> bool:
        return (await visitor.post("thanks")).status_code == 200

    await eventually(is_let_in, 1)
    decisions = (await pair.ask("viewer", "GET", "/decisions?active=false")).json()["decisions"]
    assert {each["id"]: each["lifted_at"] is not None for each in decisions}[made["id"]]
    taken = await pair.stage.audit(f"decision:{made['id']}")
    assert [(actor, action) for actor, action, _, _ in taken] == [("analyst", "decision_taken")]
    assert await pair.stage.audit(f"user.id:{visitor.anon_id}") == [
        ("analyst", "ban_lifted", None, {"lifted_by": lifted["id"], "lifted": [made["id"]]})
    ]


async def test_a_ban_refuses_within_a_second_and_unban_allows_as_soon(pair: Pair) -> None:
    banned = []

    async def is_banned() -> None:
        visitor = await pair.visitor()
        await visitor.post("buy now")
        whom = {"room": "lobby", "message": (await visitor.http.get("/chat/poll")).json()["messages"][-1]["id"]}
        banned.append((visitor, whom))
        await pair.ask("analyst", "POST", "/chat/bans", {**whom, "seconds": 3600, "reason": "spam"}, 201)
        await eventually(lambda: _gets(visitor, 429))

    async def is_unbanned() -> None:
        visitor, whom = banned.pop()
        await pair.ask("analyst", "DELETE", f"/chat/bans?room=lobby&message={whom['message']}", None, 200)
        await eventually(lambda: _gets(visitor, 200))

    assert await quickest(is_banned) < 1
    assert await quickest(is_unbanned) < 1


async def _gets(visitor: Visitor, status: int) -> bool:
    return (await visitor.post("hello?")).status_code == status


async def test_a_ban_of_the_fingerprint_holds_against_a_new_cookie(pair: Pair) -> None:
    visitor = await pair.visitor()
    await visitor.post("buy now")
    ban = {"room": "lobby", "message": 1, "scope": "fingerprint", "seconds": 60, "reason": "evades bans"}
    made = (await pair.ask("analyst", "POST", "/chat/bans", ban, 201)).json()
    assert made["entity_type"] == "client.fingerprint"
    newcomer, neighbour = await pair.visitor(), await pair.visitor("203.0.113.8")

    async def is_refused() -> bool:
        return (await newcomer.post("it is not me")).status_code == 403

    await eventually(is_refused, 1)
    assert (await neighbour.post("hello")).status_code == 200
    by_message = {"room": "lobby", "message": 1, "scope": "fingerprint"}
    await pair.ask("analyst", "DELETE", "/chat/bans?" + "&".join(f"{k}={v}" for k, v in by_message.items()), None, 200)

    async def is_let_in() -> bool:
        return (await newcomer.post("thanks")).status_code == 200

    await eventually(is_let_in, 1)


async def test_whom_the_allow_list_lets_in_stays_in_whatever_is_decided(
    postgres_url: str, postgres: Postgres, valkey: Valkey, tmp_path: Path
) -> None:
    allowed = {"never_block": "203.0.113.0/25"}
    async with together(postgres_url, postgres, valkey, tmp_path / "spool", **allowed) as pair:
        friend, other = await pair.visitor("203.0.113.7"), await pair.visitor("203.0.113.200")
        for number, visitor in enumerate((friend, other), 1):
            await visitor.post("hello")
            for scope in ("identity", "fingerprint"):
                ban = {"room": "lobby", "message": number, "scope": scope, "seconds": 60, "reason": "a mistake"}
                await pair.ask("analyst", "POST", "/chat/bans", ban, 201)

        async def is_refused() -> bool:
            return (await other.post("again")).status_code in {403, 429}

        await eventually(is_refused, 1)
        assert (await friend.post("still here")).status_code == 200


async def test_unban_by_identity_ends_the_chats_own_ban_too(pair: Pair) -> None:
    visitor = await pair.visitor()
    statuses = [(await visitor.post(f"post {number}")).status_code for number in range(6)]
    assert statuses[-1] == 429
    await pair.ask("analyst", "DELETE", f"/chat/bans?user_id={visitor.anon_id}", None, 200)
    await eventually(lambda: _ban_seconds(pair, visitor.anon_id), 1)


async def _ban_seconds(pair: Pair, anon_id: str) -> bool:
    return await pair.chat.context.valkey.pttl(f"block:{anon_id}") == -2


@pytest.mark.parametrize(
    ("ban", "status", "code"),
    [
        ({"seconds": 60, "reason": "x"}, 422, "invalid_request"),
        ({"room": "lobby", "seconds": 60, "reason": "x"}, 422, "invalid_request"),
        ({"message": 1, "seconds": 60, "reason": "x"}, 422, "invalid_request"),
        ({"user_id": "not one", "seconds": 60, "reason": "x"}, 422, "invalid_request"),
        (
            {"user_id": "11111111-1111-4111-8111-111111111111", "scope": "fingerprint", "seconds": 1, "reason": "x"},
            422,
            "invalid_request",
        ),
        ({"user_id": "11111111-1111-4111-8111-111111111111", "seconds": 60}, 422, "invalid_request"),
        (
            {"user_id": "11111111-1111-4111-8111-111111111111", "seconds": 99_999_999, "reason": "x"},
            422,
            "invalid_request",
        ),
        ({"room": "lobby", "message": 99, "seconds": 60, "reason": "x"}, 404, "no_such_message"),
        ({"room": "LOBBY", "message": 1, "seconds": 60, "reason": "x"}, 422, "invalid_request"),
    ],
)
async def test_a_ban_that_makes_no_sense_bans_nobody(
    pair: Pair, ban: dict[str, object], status: int, code: str
) -> None:
    answer = await pair.ask("analyst", "POST", "/chat/bans", ban, status)
    assert answer.json()["code"] == code
    assert (await pair.ask("viewer", "GET", "/decisions?active=false")).json() == {"decisions": []}


async def test_a_ban_is_published_as_the_decision_that_it_is(pair: Pair) -> None:
    anon_id = "11111111-1111-4111-8111-111111111111"
    ban = {"user_id": anon_id, "seconds": 60, "reason": "threats"}
    made = (await pair.ask("analyst", "POST", "/chat/bans", ban, 201)).json()
    assert (made["action"], made["rule_id"], made["reason"]) == (DecisionAction.BLOCK, "operator", "threats")
    active = (await pair.ask("viewer", "GET", "/decisions")).json()["decisions"]
    assert [each["id"] for each in active] == [made["id"]]


async def test_a_mute_is_unseen_by_others_and_unnoticed_by_the_muted(pair: Pair) -> None:
    muted, other = await pair.visitor(), await pair.visitor("203.0.113.8")
    path = f"/chat/mutes/{muted.anon_id}"
    new = {"seconds": 600, "reason": "provokes"}
    made = (await pair.ask("analyst", "PUT", path, new, 200)).json()
    assert made == {
        "user_id": muted.anon_id,
        "seconds": 600,
        "by": "analyst",
        "reason": "provokes",
        "muted_at": made["muted_at"],
    }
    assert (await muted.post("does anybody see this?")).status_code == 200
    assert (await muted.texts(), await other.texts()) == (["does anybody see this?"], [])
    left = (await pair.ask("analyst", "GET", path)).json()["seconds"]
    assert 590 <= left <= 600

    await pair.ask("analyst", "DELETE", f"{path}?reason=said+sorry", None, 200)
    await muted.post("and this?")
    assert await other.texts() == ["and this?"]
    (actor, first, old, now), (_, second, left_over, ended) = await pair.stage.audit(f"user:{muted.anon_id}")
    assert (actor, first, old, now) == ("analyst", "user_muted", {"user_id": muted.anon_id, "seconds": 0}, made)
    assert (second, ended) == ("user_unmuted", {"user_id": muted.anon_id, "seconds": 0, "reason": "said sorry"})
    assert isinstance(left_over, dict)
    assert {**left_over, "seconds": 600} == made
    await eventually(lambda: pair.chat.of("chat.user_muted") and pair.chat.of("chat.user_unmuted"))
    event = pair.chat.of("chat.user_muted")[0].fields
    assert (event["user.name"], event["user.target.id"], event["chat.block_seconds"]) == (
        "analyst",
        muted.anon_id,
        600,
    )
    assert "provokes" not in str(event)


async def test_the_muted_are_listed_with_who_muted_them_and_why(pair: Pair, valkey: Valkey) -> None:
    short, long, ended = (f"{digit * 8}-1111-4111-8111-111111111111" for digit in "123")
    for anon_id, seconds in ((short, 60), (long, 3600), (ended, 600)):
        body = {"seconds": seconds, "reason": f"for {seconds} s"}
        await pair.ask("analyst", "PUT", f"/chat/mutes/{anon_id}", body, 200)
    assert (await pair.ask("viewer", "GET", "/chat/mutes")).status_code == 403
    await pair.ask("analyst", "DELETE", f"/chat/mutes/{ended}", None, 200)
    listed = (await pair.ask("analyst", "GET", "/chat/mutes", None, 200)).json()["mutes"]
    assert [(mute["user_id"], mute["by"], mute["reason"]) for mute in listed] == [
        (long, "analyst", "for 3600 s"),
        (short, "analyst", "for 60 s"),
    ]
    assert [0 < mute["seconds"] <= limit for mute, limit in zip(listed, (3600, 60), strict=True)] == [True, True]
    await valkey.delete(f"mute:{long}")  # as when it has expired
    listed = (await pair.ask("analyst", "GET", "/chat/mutes", None, 200)).json()["mutes"]
    assert [mute["user_id"] for mute in listed] == [short]
    assert await valkey.ttl("chat:mutes") > 0


async def test_who_is_kept_from_posting_is_listed_with_who_decided_it_and_why(pair: Pair) -> None:
    hasty, banned = await pair.visitor(), await pair.visitor("203.0.113.8")
    for number in range(6):
        await hasty.post(f"post {number}")
    ban = {"user_id": banned.anon_id, "seconds": 3600, "reason": "threats"}
    made = (await pair.ask("analyst", "POST", "/chat/bans", ban, 201)).json()
    block = {"entity": "2001:db8:1:2::3", "expires_in_seconds": 600, "reason": "floods"}
    await pair.ask("analyst", "POST", "/decisions", block, 201)

    async def listed() -> list[dict[str, object]]:
        found: list[dict[str, object]] = (await pair.ask("analyst", "GET", "/chat/bans", None, 200)).json()["bans"]
        return found if len(found) == 3 else []

    operators, of_network, own = await eventually(listed, 5)
    assert {name: operators[name] for name in ("entity_type", "entity", "action", "by", "reason", "decision_id")} == {
        "entity_type": "user.id",
        "entity": banned.anon_id,
        "action": "block",
        "by": "operator",
        "reason": "threats",
        "decision_id": made["id"],
    }
    assert str(operators["decided_at"])[:19] == made["created_at"][:19]
    assert (of_network["entity_type"], of_network["entity"]) == ("source.ip", "2001:db8:1:2::/64")
    assert of_network["reason"] == "floods"
    assert (own["entity"], own["by"], own["step"], own["decided_at"]) == (hasty.anon_id, "chat", 1, "")
    assert 0 < int(str(own["seconds"])) <= 30
    assert (await pair.ask("viewer", "GET", "/chat/bans")).status_code == 403

    await pair.ask("analyst", "DELETE", f"/chat/bans?user_id={banned.anon_id}&reason=appealed", None, 200)

    async def is_gone() -> bool:
        found = (await pair.ask("analyst", "GET", "/chat/bans", None, 200)).json()["bans"]
        return [each["by"] for each in found] == ["operator", "chat"]

    await eventually(is_gone, 5)
    ((_, _, _, noted),) = await pair.stage.audit(f"user.id:{banned.anon_id}")
    assert isinstance(noted, dict)
    assert noted["reason"] == "appealed"

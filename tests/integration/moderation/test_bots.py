"""Bots between operators and their own requests, all through the gateway."""

import time

from gateway.pair import Pair
from integration.chat.bots import TestBot
from servers.eventually import eventually


async def _approve(pair: Pair, bot: TestBot, **body: object) -> None:
    await pair.ask("admin", "POST", f"/bots/{bot.id}/approve", body, 200)
    await eventually(lambda: _stands(bot, "approved"), 5)


async def _stands(bot: TestBot, status: str) -> bool:
    return bool((await bot.me()).json().get("status") == status)


async def test_a_bot_waits_until_an_admin_approves_it_and_then_speaks(pair: Pair) -> None:
    bot = await pair.bot()
    (listed,) = (await pair.ask("viewer", "GET", "/bots")).json()["bots"]
    assert (listed["id"], listed["status"], listed["rooms"]) == (bot.id, "pending", ["lobby"])
    assert "secret" not in str(listed)
    assert (await bot.post("may I?")).status_code == 403
    for role in ("viewer", "analyst"):
        assert (await pair.ask(role, "POST", f"/bots/{bot.id}/approve", {})).status_code == 403
    assert await _stands(bot, "pending")
    await _approve(pair, bot)
    assert (await bot.post("It will rain.")).status_code == 201
    assert [message["text"] for message in (await bot.read()).json()["messages"]] == ["It will rain."]
    ((actor, action, old, new),) = await pair.stage.audit(f"bot:{bot.id}")
    assert isinstance(old, dict)
    assert isinstance(new, dict)
    assert (actor, action, old["status"], new["status"]) == ("admin", "bot_approved", "pending", "approved")
    detail = (await pair.ask("viewer", "GET", f"/bots/{bot.id}")).json()
    assert [(each["status"], each["by"]) for each in detail["record"]][-1] == ("approved", "admin")


async def test_approval_and_block_reach_an_open_session_within_five_seconds(pair: Pair) -> None:
    bot = await pair.bot()
    async with pair.session(bot) as session:
        assert (await session.greet())["approved"] is False
        started = time.monotonic()
        await pair.ask("admin", "POST", f"/bots/{bot.id}/approve", {}, 200)

        async def may_post() -> bool:
            return bool((await session.post("hello"))["type"] == "posted")

        await eventually(may_post, 5)
        assert time.monotonic() - started < 5
        started = time.monotonic()
        reason = "Suspicious activity"
        answer = await pair.ask("analyst", "POST", "/bots/block", {"ids": [bot.id], "reason": reason}, 200)
        await session.end(seconds=5)
        assert time.monotonic() - started < 5
    (blocked,) = answer.json()["blocked"]
    assert (blocked["status"], blocked["blocked_reason"]) == ("blocked", reason)
    assert blocked["blocked_at"] is not None
    assert (await bot.post("let me in")).status_code == 403
    _, (actor, action, old, new) = await pair.stage.audit(f"bot:{bot.id}")
    assert isinstance(old, dict)
    assert isinstance(new, dict)
    assert (actor, action) == ("analyst", "bot_blocked")
    assert (old["status"], new["status"], new["blocked_reason"]) == ("approved", "blocked", reason)


async def test_a_list_of_bots_is_blocked_at_once_and_says_which_were_not(pair: Pair) -> None:
    bots = [await pair.bot(name) for name in ("One", "Two")]
    for bot in bots:
        await _approve(pair, bot)
    unknown = "bot-0000000000000000"
    wanted = {"ids": [*(bot.id for bot in bots), unknown, bots[0].id], "reason": "a key leaked"}
    answer = (await pair.ask("analyst", "POST", "/bots/block", wanted, 200)).json()
    assert [each["id"] for each in answer["blocked"]] == [bot.id for bot in bots]
    assert list(answer["refused"]) == [unknown]
    for bot in bots:
        assert (await bot.post("x")).status_code == 403
    await pair.ask("analyst", "POST", f"/bots/{bots[0].id}/approve", {}, 403)
    await _approve(pair, bots[0])
    assert (await bots[0].post("back again")).status_code == 201


async def test_a_rotated_secret_is_shown_once_and_the_old_one_overlaps_unless_it_leaked(pair: Pair) -> None:
    bot = await pair.bot()
    await _approve(pair, bot)
    old = bot.secret
    issued = (await pair.ask("admin", "POST", f"/bots/{bot.id}/secret", {}, 200)).json()
    assert issued["previous_expires_at"] is not None
    bot.secret = issued["secret"]
    await eventually(lambda: _stands(bot, "approved"), 5)
    assert (await bot.me(secret=old)).status_code == 200
    leaked = (await pair.ask("admin", "POST", f"/bots/{bot.id}/secret", {"at_once": True}, 200)).json()
    assert leaked["previous_expires_at"] is None
    bot.secret = leaked["secret"]
    await eventually(lambda: _stands(bot, "approved"), 5)
    assert (await bot.me(secret=old)).status_code == 401
    rows = await pair.stage.audit(f"bot:{bot.id}")
    assert [(action, new) for _, action, _, new in rows[1:]] == [
        ("bot_secret_rotated", {"at_once": False}),
        ("bot_secret_rotated", {"at_once": True}),
    ]
    assert "sbk_" not in str(rows)


async def test_rooms_denial_and_revocation(pair: Pair) -> None:
    await pair.ask("admin", "POST", "/chat/rooms", {"name": "garden"}, 201)
    bot, other = await pair.bot(), await pair.bot("Other")
    await _approve(pair, bot, rooms=["garden"])
    assert (await bot.post("x", "lobby")).status_code == 403
    assert (await bot.post("x", "garden")).status_code == 201
    changed = await pair.ask("admin", "PUT", f"/bots/{bot.id}/rooms", {"rooms": ["lobby"]}, 200)
    assert changed.json()["rooms"] == ["lobby"]
    await pair.ask("admin", "POST", f"/bots/{other.id}/deny", {"reason": "nobody knows it"}, 200)
    await pair.ask("admin", "POST", f"/bots/{bot.id}/revoke", {"reason": "retired"}, 200)
    answer = await pair.ask("admin", "POST", f"/bots/{bot.id}/approve", {}, 409)
    assert "revoked" in answer.json()["detail"]
    await pair.ask("admin", "POST", "/bots/bot-0000000000000000/approve", {}, 404)
    await pair.ask("admin", "POST", "/bots/nonsense/approve", {}, 422)


async def test_a_request_that_was_altered_on_the_way_is_refused_through_the_gateway_too(pair: Pair) -> None:
    bot = await pair.bot()
    await _approve(pair, bot)
    target = "/bots/messages?limit=1&room=lob%62y&after=0"
    proof = bot.proof("GET", target)
    assert (await bot.http.get(target.replace("%62", "b"), headers=proof)).status_code == 401
    assert (await bot.http.get(target, headers=proof)).status_code == 200
    replayed = await bot.http.get(target, headers=proof)
    assert replayed.status_code == 401
    assert replayed.headers["x-request-id"]
    event = await eventually(lambda: pair.chat.of("bot.replay_refused"))
    assert event[0].fields["source.ip"] == "198.51.100.20"
    assert event[0].fields["trace.id"] == replayed.headers["x-request-id"]

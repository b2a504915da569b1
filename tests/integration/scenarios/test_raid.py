"""Ten thousand cookies from one address: what a raid costs, and whom."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from starlette.responses import Response

from integration.chat.conftest import EDGE_TOKEN, SECRET_KEY
from sakimori_chat.api.cookies import ANON_ID, Cookies, Identity
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually

from .conftest import SPAM, Scene, scene

RAIDER = "203.0.113.66"
COOKIES = 10_000
CONNECTIONS = 20
BODY = b"text=hello"
REFUSALS = frozenset(
    {"security.rate_limit_hit", "security.identity_flood", "security.high_risk_block", "security.requests_shed"}
)


async def test_ten_thousand_cookies_of_one_address_say_a_hundred_things_and_nobody_else_notices(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with scene(valkey, postgres, tmp_path) as stage:
        honest = await stage.chat.visitor("198.51.100.7")
        async with asyncio.TaskGroup() as group:
            raid = group.create_task(_raid(stage, [_cookie() for _ in range(COOKIES)]))
            said = [(await honest.post(line)).status_code for line in SPAM[:5]]
        statuses = raid.result()
        assert said == [200] * 5
        assert sum(statuses.values()) == COOKIES
        assert set(statuses) == {200, 429}
        assert 20 <= statuses[200] <= 100
        await eventually(lambda: _refused(stage) == statuses[429], 15)  # each is accounted for,
        assert len(stage.events) < COOKIES / 10  # and few are told one by one
        assert stage.chat.metric("sakimori_chat_events_dropped_total", reason="spool_full") == 0
        assert await valkey.dbsize() < 500
        await stage.evaluated()
        honest_event = next(event for event in stage.events if event.fields.get("user.id") == honest.anon_id)
    assert honest_event.fields["client.fingerprint"] not in {decision.entity for decision in stage.decisions}


def _refused(stage: Scene) -> int:
    events = [event for event in stage.events if event.fields["event.action"] in REFUSALS]
    return sum(int(str(event.fields.get("chat.attempts", 1))) for event in events)


def _cookie() -> str:
    """Collect a good cookie, as a raider does in the days before."""
    response = Response()
    cookies = Cookies(SECRET_KEY, secure=False, same_site="lax")
    cookies.set_identity(response, Identity(str(uuid.uuid4()), is_new=True, issued_at=1_768_528_800))
    return response.headers["set-cookie"].partition(";")[0].removeprefix(f"{ANON_ID}=")


async def _raid(stage: Scene, cookies: list[str]) -> "Counter[int]":
    port = urlsplit(stage.chat.url).port
    assert port is not None
    shares = [cookies[start::CONNECTIONS] for start in range(CONNECTIONS)]
    answers = await asyncio.gather(*(_post_all(port, share) for share in shares))
    return sum(answers, Counter())


async def _post_all(port: int, cookies: Iterable[str]) -> "Counter[int]":
    """Post with one cookie after the other, each in another browser's name; the statuses of the answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    statuses: Counter[int] = Counter()
    for number, cookie in enumerate(cookies):
        writer.write(_request(cookie, f"Firefox/{number % 10}"))
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = head.partition("content-length:")[2].partition("\r\n")[0]
        await reader.readexactly(int(length))
        statuses[int(head.split()[1])] += 1
    writer.close()
    return statuses


def _request(cookie: str, agent: str) -> bytes:
    token = "a token of twenty characters".replace(" ", "-")
    lines = [
        "POST /chat/post HTTP/1.1",
        "Host: chat",
        f"X-Sakimori-Edge: {EDGE_TOKEN}",
        f"X-Forwarded-For: {RAIDER}",
        f"User-Agent: {agent}",
        f"Cookie: {ANON_ID}={cookie}; csrf_token={token}",
        f"X-CSRF-Token: {token}",
        "X-Requested-With: fetch",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(BODY)}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + BODY

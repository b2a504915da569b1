"""What is played: each scenario sends something real and names the finding that must come of it."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import httpx
import msgspec

from sakimori.demo.capture import port_scan_capture

BLOCKED_ADDRESS: Final = "198.51.100.7"
"""Stands in rules/lists/blocked_addresses.txt; a documentation address, as all that the demo uses."""
_COMPILING_SECONDS: Final = 240.0
"""How long a sensor may be compiled, which its very first start does."""
_PATIENCE_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 1.0
AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64) demo"


@dataclass(frozen=True, slots=True)
class Tools:
    """What a scenario may use; `address` is its own, so that runs do not mix."""

    client: httpx.AsyncClient
    token: str
    ingest_token: str
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class Expectation:
    """A finding that must come: its rule, and its entity where that is known beforehand."""

    rule_id: str
    entity: str | None = None


Play = Callable[[Tools], Awaitable[str]]
"""Sends; returns what was sent, in words. Raises DemoError when something was not accepted."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One section of the demo; nothing expected means that it must stay quiet."""

    key: str
    title: str
    play: Play
    expected: Callable[[Tools], tuple[Expectation, ...]]


class DemoError(Exception):
    """The instance did not take what a scenario sent; the message says what it answered."""


def new_address() -> str:
    """Make up a client address out of the documentation ranges (RFC 5737), so that runs do not meet."""
    network = random.choice(("192.0.2", "203.0.113"))  # noqa: S311  # nothing depends on it being unguessable
    return f"{network}.{random.randint(1, 254)}"  # noqa: S311


async def normal_access(tools: Tools) -> str:
    """Twenty ordinary requests of one visitor."""
    pages = ("/", "/about", "/news?page=2", "/static/site.css", "/search?q=union+of+students")
    await _send_lines(tools, "nginx.access", [_access_line(tools, page) for page in pages * 4])
    return "20 ordinary page views"


async def brute_force(tools: Tools) -> str:
    """Five failed logins of one account within seconds."""
    moment = datetime.now(UTC).isoformat(timespec="microseconds")
    line = f"{moment} web-1 sshd[4242]: Failed password for admin from {tools.address} port 51514 ssh2"
    await _send_lines(tools, "openssh.auth", [line] * 5)
    return "5 failed SSH logins as admin"


async def sql_injection(tools: Tools) -> str:
    """One request with a UNION SELECT in it, percent-encoded."""
    path = "/products?id=1%27%20UNION%20SELECT%20username,password%20FROM%20users--%20"
    await _send_lines(tools, "nginx.access", [_access_line(tools, path)])
    return "GET /products?id=1' UNION SELECT username,password FROM users--"


async def rate_violation(tools: Tools) -> str:
    """One request more than a minute may have."""
    await _send_lines(tools, "nginx.access", [_access_line(tools, f"/page/{number}") for number in range(101)])
    return "101 requests within a minute"


async def blocked_address(tools: Tools) -> str:
    """One request of an address on the list."""
    await _send_lines(tools, "nginx.access", [_access_line(tools, "/", BLOCKED_ADDRESS)])
    return f"1 request from {BLOCKED_ADDRESS}, which is on the list"


async def chat_troll(tools: Tools) -> str:
    """Post too fast, be banned, come back twice with a new cookie."""
    refused = 0
    for _ in range(3):
        async with httpx.AsyncClient(
            base_url=tools.client.base_url, headers={"user-agent": tools.agent}, trust_env=False
        ) as troll:
            page = await _patiently(partial(troll.get, "/chat"))
            if page.status_code != 200:
                raise DemoError(f"GET /chat: HTTP {page.status_code}")
            headers = {"x-csrf-token": troll.cookies.get("csrf_token") or "", "x-requested-with": "fetch"}
            for number in range(7):
                said = {"text": f"hello hello {number}"}
                answer = await _patiently(partial(troll.post, "/chat/post", data=said, headers=headers))
                refused += answer.status_code in {403, 429}
    if not refused:
        raise DemoError("the chat took 21 posts in a row: it has no limit")
    return f"3 x 7 fast posts, the cookie deleted in between; {refused} refused"


async def port_scan(tools: Tools) -> str:
    """A capture of 40 connection attempts within two seconds."""
    ports = list(range(20, 60))
    capture = port_scan_capture(tools.address, "192.0.2.200", ports, time.time_ns() // 1000)
    headers = {"authorization": f"Bearer {tools.token}", "content-type": "application/vnd.tcpdump.pcap"}
    send = partial(tools.client.post, "/api/v1/captures", content=capture, headers=headers)
    answer = await _patiently(send, _COMPILING_SECONDS)
    if answer.status_code != 202:
        raise DemoError(f"POST /api/v1/captures: HTTP {answer.status_code} {answer.text[:200]}")
    return f"a capture with {len(ports)} ports of one host tried"


async def _patiently(
    send: Callable[[], Awaitable[httpx.Response]], seconds: float = _PATIENCE_SECONDS
) -> httpx.Response:
    """Send something, and again while the answer is to come back later (503)."""
    deadline = time.monotonic() + seconds
    while True:
        answer = await send()
        if answer.status_code != 503 or time.monotonic() > deadline:
            return answer
        await asyncio.sleep(_PAUSE_SECONDS)


def _expect(*rules: str) -> Callable[[Tools], tuple[Expectation, ...]]:
    return lambda tools: tuple(Expectation(rule, tools.address) for rule in rules)


SCENARIOS: Final = (
    Scenario("normal", "Normal access", normal_access, lambda _: ()),
    Scenario("brute-force", "Brute force", brute_force, _expect("brute_force_attack")),
    Scenario("sql-injection", "SQL injection", sql_injection, _expect("sql_injection")),
    Scenario("rate", "Rate violation", rate_violation, _expect("request_rate")),
    Scenario(
        "blocked-address",
        "Blacklisted address",
        blocked_address,
        lambda _: (Expectation("blocked_address", BLOCKED_ADDRESS),),
    ),
    Scenario(
        "chat",
        "Chat flood with ban evasion",
        chat_troll,
        lambda _: (Expectation("chat_flood"), Expectation("chat_ban_evasion")),
    ),
    Scenario("port-scan", "Port scan in a capture", port_scan, _expect("port_scan")),
)


def _access_line(tools: Tools, path: str, address: str | None = None) -> str:
    moment = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'{address or tools.address} - - [{moment}] "GET {path} HTTP/1.1" 200 512 "-" "{AGENT}"'


async def _send_lines(tools: Tools, dataset: str, lines: list[str]) -> None:
    body = b"\n".join(msgspec.json.encode({"message": line, "event.dataset": dataset}) for line in lines)
    headers = {"authorization": f"Bearer {tools.ingest_token}", "content-type": "application/x-ndjson"}
    answer = await _patiently(partial(tools.client.post, "/ingest", content=body, headers=headers))
    if answer.status_code != 202 or answer.json()["rejected"]:
        raise DemoError(f"POST /ingest: HTTP {answer.status_code} {answer.text[:300]}")

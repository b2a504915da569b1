"""Events as sensors send them, made up: 60 % requests, 20 % logins, 20 % flows, and one in a hundred meets a rule."""

import random
import uuid
from collections.abc import Sequence
from typing import Any, Final

from bench.engine.rules import Rule
from bench.engine.vocabulary import DAEMONS, PORTS, USERS, address, agent, path, query, word
from sakimori_common.contracts import Event

MEETING_SHARE: Final = 0.01
_START: Final = 1_768_528_800_000_000
SOURCE_OF: Final = {
    "nginx.access": "webserver",
    "openssh.auth": "authentication",
    "network.flow": "network_connection",
}


def generate(count: int, rules: Sequence[Rule], seed: int) -> list[Event]:
    """Make events one millisecond apart; those that are meant to meet a rule meet one of `rules`."""
    dice = random.Random(seed)
    by_source: dict[str, list[Rule]] = {}
    for rule in rules:
        by_source.setdefault(rule.source, []).append(rule)
    events = []
    for number in range(count):
        dataset = dice.choices(("nginx.access", "openssh.auth", "network.flow"), (6, 2, 2))[0]
        fields = _MAKERS[dataset](dice)
        known = by_source.get(SOURCE_OF[dataset])
        if known and dice.random() < MEETING_SHARE:
            fields |= _settled(dice, dice.choice(known).meets)
        identity = str(uuid.UUID(int=dice.getrandbits(128), version=4))
        events.append(Event(identity, _START + number * 1000, dataset, fields))
    return events


def _settled(dice: random.Random, meets: dict[str, Any]) -> dict[str, Any]:
    return {name: dice.choice(value) if isinstance(value, list) else value for name, value in meets.items()}


def _request(dice: random.Random) -> dict[str, Any]:
    target, asked = path(dice), query(dice) if dice.random() < 0.4 else None
    status = dice.choices((200, 301, 302, 304, 404, 500), (80, 3, 4, 5, 7, 1))[0]
    fields: dict[str, Any] = {
        "event.category": "web",
        "event.outcome": "success" if status < 400 else "failure",
        "observer.name": "edge-1",
        "source.ip": address(dice),
        "http.request.method": dice.choices(("GET", "POST", "HEAD", "PUT"), (85, 12, 2, 1))[0],
        "http.version": "1.1",
        "url.original": f"{target}?{asked}" if asked else target,
        "url.path": target,
        "http.response.status_code": status,
        "http.response.body.bytes": dice.randrange(200, 500_000),
        "user_agent.original": agent(dice),
    }
    if asked:
        fields["url.query"] = asked
    if dice.random() < 0.6:
        fields["http.request.referrer"] = f"https://shop.example{path(dice)}"
    return fields


def _login(dice: random.Random) -> dict[str, Any]:
    user = dice.choice(USERS) if dice.random() < 0.7 else word(dice, 2)
    source, port = address(dice), dice.randrange(1024, 65536)
    has_succeeded = dice.random() < 0.4
    return {
        "event.category": "authentication",
        "event.action": "ssh_login" if dice.random() < 0.7 else "ssh_disconnect",
        "event.outcome": "success" if has_succeeded else "failure",
        "observer.name": "web-1",
        "host.hostname": f"web-{dice.randrange(40)}",
        "process.name": DAEMONS[0] if dice.random() < 0.9 else dice.choice(DAEMONS),
        "process.pid": dice.randrange(300, 4_000_000),
        "source.ip": source,
        "source.port": port,
        "user.name": user,
        "sakimori.auth.method": "publickey" if has_succeeded else "password",
        "message": f"{'Accepted' if has_succeeded else 'Failed'} password for {user} from {source} port {port} ssh2",
    }


def _flow(dice: random.Random) -> dict[str, Any]:
    sent, received = dice.randrange(60, 10**6), dice.randrange(60, 10**7)
    return {
        "event.category": "network",
        "observer.name": "tap-1",
        "network.transport": "udp" if dice.random() < 0.3 else "tcp",
        "network.type": "ipv4",
        "network.protocol": dice.choice(("tls", "http", "dns", "quic", "ssh")),
        "source.ip": address(dice),
        "source.port": dice.randrange(1024, 65536),
        "source.mac": "-".join(f"{dice.randrange(256):02X}" for _ in range(6)),
        "source.bytes": sent,
        "source.packets": sent // 700 + 1,
        "destination.ip": address(dice),
        "destination.port": dice.choice(PORTS) if dice.random() < 0.9 else dice.randrange(60_000, 65_536),
        "destination.bytes": received,
        "destination.packets": received // 900 + 1,
        "network.bytes": sent + received,
        "event.duration": dice.randrange(10**6, 10**11),
        "sakimori.flow.state": dice.choice(("closed", "established", "reset")),
    }


_MAKERS: Final = {"nginx.access": _request, "openssh.auth": _login, "network.flow": _flow}

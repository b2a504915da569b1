"""Sigma rules as people write them, made up: the same seed makes the same rules.

A recipe makes a rule's detection and the fields of an event that meets it. Log sources take turns, so that of N rules
a twelfth is for web requests, one for logins and one for flows; the other nine are for sources that no event of this
benchmark is of, as in any public set.
"""

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from bench.engine.vocabulary import DAEMONS, PORTS, USERS, word

Fields = dict[str, Any]
Recipe = Callable[[random.Random], tuple[Fields, Fields]]
"""Gives a detection and fields that meet it."""


@dataclass(frozen=True)
class Rule:
    """A rule as a map, the source it is for, and fields of an event that meets it."""

    document: dict[str, Any]
    source: str
    meets: Fields


def _tokens(dice: random.Random, count: int, form: str) -> list[str]:
    return [form.format(word(dice, dice.randint(2, 4)), dice.randrange(100)) for _ in range(count)]


def _query_contains(dice: random.Random) -> tuple[Fields, Fields]:
    wanted = _tokens(dice, dice.randint(2, 12), dice.choice(("cmd={}", "{}(", "../{}", "%27{}", "{}%3b")))
    return {"sel": {"url.query|contains": wanted}, "condition": "sel"}, {"url.query": f"x={wanted[0]}1"}


def _query_contains_all(dice: random.Random) -> tuple[Fields, Fields]:
    wanted = [*_tokens(dice, 2, "{}="), dice.choice(("id=", "q="))]
    return {"sel": {"url.query|contains|all": wanted}, "condition": "sel"}, {"url.query": "&".join(wanted)}


def _path_of_product(dice: random.Random) -> tuple[Fields, Fields]:
    starts = _tokens(dice, dice.randint(1, 4), "/{}/admin")
    method = dice.choice(("POST", "PUT", "GET"))
    detection: Fields = {
        "sel": {"url.path|startswith": starts, "http.request.method": method},
        "ok": {"http.response.status_code": [200, 302, 500]},
        "condition": "sel and ok",
    }
    return detection, {
        "url.path": f"{starts[0]}/x",
        "http.request.method": method,
        "http.response.status_code": 200,
    }


def _shell_upload(dice: random.Random) -> tuple[Fields, Fields]:
    ends = _tokens(dice, dice.randint(1, 6), "/{}{}.php")
    detection = {
        "sel": {"url.path|endswith": ends},
        "filter": {"source.ip|cidr": ["192.0.2.0/24", "2001:db8:ffff::/48"]},
        "condition": "sel and not filter",
    }
    return detection, {"url.path": f"/uploads{ends[0]}", "source.ip": "198.51.100.7"}


def _scanner(dice: random.Random) -> tuple[Fields, Fields]:
    names = _tokens(dice, dice.randint(2, 15), "{}/")
    detection = {
        "selection_a": {"user_agent.original|contains": names},
        "selection_b": {"user_agent.original|startswith": _tokens(dice, 2, "{} scanner")},
        "filter_main": {"url.path": "/robots.txt"},
        "condition": "1 of selection_* and not 1 of filter_*",
    }
    return detection, {"user_agent.original": f"x {names[-1]}1.0", "url.path": "/x"}


def _query_expression(dice: random.Random) -> tuple[Fields, Fields]:
    name = word(dice, 2)
    expression = dice.choice((rf"{name}\s*=\s*\d{{4,}}", rf"(?:{name}|{word(dice)})\(\w+\)", rf"\b{name}[%'\"]+or\b"))
    example = {"s": f"{name}=12345", "(": f"{name}(a)", "b": f" {name}%or "}
    key = "s" if r"\s" in expression else "(" if r"\(" in expression else "b"
    return {"sel": {"url.query|re|i": expression}, "condition": "sel"}, {"url.query": example[key]}


def _decoded_request(dice: random.Random) -> tuple[Fields, Fields]:
    wanted = _tokens(dice, dice.randint(2, 8), "<{} ")
    return (
        {"sel": {"sakimori.request.decoded|contains": wanted}, "condition": "sel"},
        {"url.original": f"/?q=%3C{wanted[0][1:-1]}%20x", "url.query": f"q=%3C{wanted[0][1:-1]}%20x"},
    )


def _big_answer(dice: random.Random) -> tuple[Fields, Fields]:
    start = f"/{word(dice)}"
    detection = {
        "sel": {"url.path|startswith": start, "http.response.body.bytes|gt": dice.randrange(10**6, 10**8)},
        "condition": "sel",
    }
    return detection, {"url.path": start, "http.response.body.bytes": 10**9}


def _login_of_account(dice: random.Random) -> tuple[Fields, Fields]:
    names = [f"{word(dice, 2)}{dice.choice(('', '_svc', '-adm'))}" for _ in range(dice.randint(1, 6))]
    meets = {"event.action": "ssh_login", "event.outcome": dice.choice(("success", "failure")), "user.name": names}
    return {"sel": meets, "condition": "sel"}, meets


def _message_words(dice: random.Random) -> tuple[Fields, Fields]:
    words = _tokens(dice, dice.randint(2, 6), "{} {}")
    return (
        {"sel": {"process.name": dice.choice(DAEMONS), "message|contains": words}, "condition": "sel"},
        {"process.name": list(DAEMONS), "message": f"note: {words[0]}"},
    )


def _message_expression(dice: random.Random) -> tuple[Fields, Fields]:
    name = word(dice)
    return (
        {"sel": {"message|re": rf"{name}\[\d+\]: (?:fatal|error)"}, "condition": "sel"},
        {"message": f"{name}[17]: fatal"},
    )


def _login_from_network(dice: random.Random) -> tuple[Fields, Fields]:
    network = f"203.0.{dice.randrange(256)}.0/24"
    return (
        {"sel": {"source.ip|cidr": network, "user.name": list(USERS[:2])}, "condition": "sel"},
        {"source.ip": network.replace(".0/24", ".9"), "user.name": "root"},
    )


def _login_from_host(dice: random.Random) -> tuple[Fields, Fields]:
    hosts = _tokens(dice, dice.randint(1, 4), "{}-{}")
    detection = {
        "sel": {"host.hostname|startswith": hosts},
        "filter_a": {"user.name": ["deploy", "git"]},
        "filter_b": {"sakimori.auth.method": "publickey"},
        "condition": "sel and not 1 of filter_*",
    }
    return detection, {"host.hostname": hosts[0], "user.name": "root", "sakimori.auth.method": "password"}


def _flow_to_port(dice: random.Random) -> tuple[Fields, Fields]:
    ports = [dice.randrange(20_000, 60_000) for _ in range(dice.randint(1, 5))]
    return (
        {"sel": {"network.transport": "tcp", "destination.port": ports}, "condition": "sel"},
        {"network.transport": "tcp", "destination.port": ports[0]},
    )


def _flow_to_network(dice: random.Random) -> tuple[Fields, Fields]:
    network = f"203.{dice.randrange(256)}.0.0/16"
    return (
        {"sel": {"destination.ip|cidr": network, "destination.port": list(PORTS)}, "condition": "sel"},
        {"destination.ip": network.replace(".0.0/16", ".4.5"), "destination.port": 443},
    )


def _flow_of_size(dice: random.Random) -> tuple[Fields, Fields]:
    detection = {
        "sel": {"source.bytes|gte": dice.randrange(10**8, 10**10), "destination.port|gt": 1024},
        "filter": {"destination.ip|cidr": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]},
        "condition": "sel and not filter",
    }
    return detection, {"source.bytes": 10**11, "destination.port": 40_000, "destination.ip": "198.51.100.9"}


def _flow_of_device(dice: random.Random) -> tuple[Fields, Fields]:
    mac = "-".join(f"{dice.randrange(256):02X}" for _ in range(3))
    return (
        {"sel": {"source.mac|startswith": mac, "network.protocol": ["smb", "rdp"]}, "condition": "sel"},
        {"source.mac": f"{mac}-00-00-01", "network.protocol": "smb"},
    )


def _process(dice: random.Random) -> tuple[Fields, Fields]:
    words = _tokens(dice, dice.randint(2, 8), " -{} ")
    return {"sel": {"Image|endswith": f"\\{word(dice)}.exe", "CommandLine|contains": words}, "condition": "sel"}, {}


RECIPES: Final[dict[str, tuple[Recipe, ...]]] = {
    "webserver": (
        _query_contains,
        _query_contains,
        _query_contains_all,
        _path_of_product,
        _path_of_product,
        _shell_upload,
        _scanner,
        _query_expression,
        _decoded_request,
        _big_answer,
    ),
    "authentication": (
        _login_of_account,
        _message_words,
        _message_words,
        _message_expression,
        _login_from_network,
        _login_from_host,
    ),
    "network_connection": (_flow_to_port, _flow_to_network, _flow_of_size, _flow_of_device),
}
OTHERS: Final = (
    "process_creation",
    "file_event",
    "registry_set",
    "dns_query",
    "image_load",
    "ps_script",
    "pipe_created",
    "driver_load",
    "create_remote_thread",
)


def generate(count: int, seed: int) -> list[Rule]:
    """Make rules; each source has as many of them, and each of its recipes, too."""
    dice = random.Random(seed)
    sources = (*RECIPES, *OTHERS)
    return [_rule(dice, number, sources[number % len(sources)], number // len(sources)) for number in range(count)]


def _rule(dice: random.Random, number: int, source: str, turn: int) -> Rule:
    recipes = RECIPES.get(source, (_process,))
    detection, meets = recipes[turn % len(recipes)](dice)
    document = {
        "title": f"Made up {number}",
        "name": f"made_up_{number}",
        "id": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "status": "test",
        "level": "medium",
        "logsource": {"category": source},
        "detection": detection,
        "sakimori": {"entity": "source.ip", "confidence": 0.5, "message": "m", "why": "w", "response": "r"},
    }
    return Rule(document, source, meets)

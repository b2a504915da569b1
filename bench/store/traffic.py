"""Events as a small site makes them: four in five requests, one in five logins, each with a message."""

import random
from collections.abc import Iterator
from typing import Final

from sakimori_common.contracts import EVENTS, Event, FieldValue
from sakimori_common.ids import event_id

_BATCH: Final = 200
_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"


def events(count: int, start: int, *, a_second: int = 2_000, seed: int = 1) -> list[Event]:
    """Make so many events from an instant (microseconds) on; the same for the same seed."""
    chance, made = random.Random(seed), list[Event]()
    for number in range(count):
        time = start + number * 1_000_000 // a_second
        address = f"198.51.{chance.randrange(256)}.{chance.randrange(256)}"
        is_login = chance.random() < 0.2
        fields = _login(chance, address) if is_login else _request(chance, address)
        fields |= {
            "source.ip": address,
            "host.hostname": f"web-{chance.randrange(40)}",
            "observer.name": "collector-1",
            "log.offset": number * 190,
        }
        identity = event_id(time, b"bench", b"%d:%d" % (seed, number))
        made.append(Event(identity, time, "openssh.auth" if is_login else "nginx.access", fields))
    return made


def messages(made: list[Event]) -> Iterator[bytes]:
    """Write events as the bus carries them."""
    for first in range(0, len(made), _BATCH):
        yield EVENTS.encode(made[first : first + _BATCH])


def _login(chance: random.Random, address: str) -> dict[str, FieldValue]:
    user = chance.choice(["root", "admin", "alice", f"user{chance.randrange(10_000)}"])
    port = chance.randrange(1024, 65_536)
    return {
        "event.category": "authentication",
        "event.action": "ssh_login",
        "event.outcome": "failure",
        "user.name": user,
        "source.port": port,
        "process.name": "sshd",
        "process.pid": chance.randrange(65_536),
        "message": f"Failed password for {user} from {address} port {port} ssh2",
    }


def _request(chance: random.Random, address: str) -> dict[str, FieldValue]:
    path, size = f"/shop/{chance.randrange(100_000)}", chance.randrange(90_000)
    return {
        "event.category": "web",
        "event.outcome": "success",
        "url.original": f"{path}?q={chance.randrange(1000)}",
        "url.path": path,
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.response.body.bytes": size,
        "user_agent.original": _AGENT,
        "message": f'{address} - - "GET {path} HTTP/1.1" 200 {size}',
    }

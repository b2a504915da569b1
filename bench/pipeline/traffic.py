"""Real-looking traffic: access and sshd lines of many clients, with attacks strewn in."""

import random
from datetime import UTC, datetime

import msgspec

BODY_LINES = 500
_ACCESS_MARK = b"01/Jan/2000:00:00:00 +0000"
_SSHD_MARK = b"2000-01-01T00:00:00.000000+00:00"
_PATHS = (
    "/",
    "/index.html",
    "/news?page=3",
    "/static/app.css?v=81",
    "/search?q=winter+boots+size+42",
    "/api/v2/items/81123",
)
_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "curl/8.14.1",
)
_ATTACK = "/item?id=1%27%20UNION%20SELECT%20login,pass%20FROM%20users--"


def bodies(count: int, seed: int) -> list[bytes]:
    """Make NDJSON bodies of 500 lines each, 80 % access and 20 % sshd lines, of clients that hardly repeat."""
    dice = random.Random(seed)
    return [b"\n".join(_line(dice) for _ in range(BODY_LINES)) for _ in range(count)]


def stamped(body: bytes) -> bytes:
    """Put the present time into a body."""
    now = datetime.now(UTC)
    access, sshd = now.strftime("%d/%b/%Y:%H:%M:%S +0000"), now.isoformat(timespec="microseconds")
    return body.replace(_ACCESS_MARK, access.encode()).replace(_SSHD_MARK, sshd.encode())


def attack(address: str) -> bytes:
    """Make one line that must raise a finding about the address."""
    return stamped(_access(address, _ATTACK, _AGENTS[2]))


def _line(dice: random.Random) -> bytes:
    address = f"10.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(1, 255)}"
    if dice.random() < 0.8:
        return _access(address, dice.choice(_PATHS), dice.choice(_AGENTS))
    user = dice.choice(("deploy", "git", "backup", "alice"))
    pid, port = dice.randrange(1000, 60000), dice.randrange(1024, 65535)
    message = f"Accepted publickey for {user} from {address} port {port} ssh2"
    text = f"{_SSHD_MARK.decode()} web-1 sshd[{pid}]: {message}"
    return msgspec.json.encode({"message": text, "event.dataset": "openssh.auth"})


def _access(address: str, path: str, agent: str) -> bytes:
    text = f'{address} - - [{_ACCESS_MARK.decode()}] "GET {path} HTTP/1.1" 200 5316 "https://shop.example/" "{agent}"'
    return msgspec.json.encode({"message": text, "event.dataset": "nginx.access"})

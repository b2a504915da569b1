"""Made-up log lines in the shapes that fill logs, from a seed."""

import random
from collections.abc import Callable
from typing import Final

NOW: Final = 1_768_528_800_000_000
"""When the lines are read: 2026-01-16T02:00Z, in microseconds."""

_AGENTS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "curl/8.14.1",
)
_SAID: Final = (
    "Failed password for invalid user user{u} from {a} port {p} ssh2",
    "Failed password for root from {a} port {p} ssh2",
    "Invalid user user{u} from {a} port {p}",
    "Connection closed by authenticating user root {a} port {p} [preauth]",
    "Received disconnect from {a} port {p}:11: Bye Bye [preauth]",
    "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={a}  user=root",
)


def nginx(count: int, seed: int = 2026) -> list[bytes]:
    """Make access log lines of 4,000 clients, one in a hundred with something escaped."""
    dice = random.Random(seed)
    return [_access(n, dice) for n in range(count)]


def _access(n: int, dice: random.Random) -> bytes:
    target = f"/articles/{dice.randrange(9999)}?page={n % 9}"
    if dice.random() < 0.01:
        target += r"&q=\x22\xe3\x81\x82\x22"
    begin = f"{_address(dice)} - - [15/Jan/2026:{_clock(n)} +0000]"
    answer = f"{dice.choice((200, 200, 304, 404))} {dice.randrange(50_000)}"
    return f'{begin} "GET {target} HTTP/1.1" {answer} "https://example.com/" "{dice.choice(_AGENTS)}"'.encode()


def sshd(count: int, seed: int = 2026) -> list[bytes]:
    """Make auth log lines: password guessing, as most of them are."""
    dice = random.Random(seed)
    lines = []
    for n in range(count):
        said = dice.choice(_SAID).format(u=n % 500, a=_address(dice), p=dice.randrange(1024, 65536))
        lines.append(f"Jan 15 {_clock(n)} web-1 sshd[{n % 32768}]: {said}".encode())
    return lines


MAKERS: Final[dict[str, Callable[[int, int], list[bytes]]]] = {"nginx.access": nginx, "openssh.auth": sshd}
"""By format."""


def _clock(number: int) -> str:
    """Time of day of the n-th line, twenty lines a second."""
    return f"{number // 72000 % 24:02}:{number // 1200 % 60:02}:{number // 20 % 60:02}"


def _address(dice: random.Random) -> str:
    return f"198.18.{dice.randrange(16)}.{dice.randrange(250)}"

"""Words that generated rules and events are made of: no two runs of a seed differ, and hardly two values are equal."""

import random
from typing import Final

_SYLLABLES: Final = (
    "ka",
    "ro",
    "mi",
    "te",
    "sul",
    "ban",
    "der",
    "vex",
    "lo",
    "qua",
    "ny",
    "pri",
    "zet",
    "og",
    "hal",
    "um",
)

AGENTS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_{} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0",
    "Mozilla/5.0 (compatible; Googlebot/2.{}; +http://www.google.com/bot.html)",
    "okhttp/4.{}.0",
    "curl/8.{}.1",
)
FOLDERS: Final = ("api", "v1", "v2", "static", "img", "assets", "user", "account", "cart", "product", "search", "admin")
ENDINGS: Final = ("", "", "", ".html", ".php", ".js", ".css", ".png", ".json")
USERS: Final = ("root", "admin", "deploy", "git", "backup", "alice", "bob", "carol", "postgres", "test", "www-data")
DAEMONS: Final = ("sshd", "sudo", "su", "login")
PORTS: Final = (22, 53, 80, 123, 443, 445, 993, 3306, 3389, 5432, 6379, 8080, 8443, 9200)


def word(dice: random.Random, syllables: int = 3) -> str:
    """Make a word that no language has."""
    return "".join(dice.choice(_SYLLABLES) for _ in range(syllables))


def address(dice: random.Random) -> str:
    """Make an address that hardly comes again, one in eight of them IPv6."""
    if dice.random() < 0.125:
        return f"2001:db8:{dice.randrange(65536):x}::{dice.randrange(65536):x}"
    return f"{dice.choice((10, 100, 172, 198))}.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(1, 255)}"


def path(dice: random.Random) -> str:
    """Make the path of an ordinary request."""
    parts = [dice.choice(FOLDERS) for _ in range(dice.randint(1, 3))]
    parts.append(word(dice) + (f"-{dice.randrange(10_000)}" if dice.random() < 0.5 else ""))
    return "/" + "/".join(parts) + dice.choice(ENDINGS)


def query(dice: random.Random) -> str:
    """Make an ordinary query, now and then with something percent-encoded."""
    pairs = [f"{dice.choice(('id', 'q', 'page', 'sort', 'lang', word(dice, 1)))}={_value(dice)}" for _ in range(3)]
    return "&".join(pairs[: dice.randint(1, 3)])


def _value(dice: random.Random) -> str:
    kind = dice.random()
    if kind < 0.5:
        return str(dice.randrange(1_000_000))
    return f"{word(dice)}%20{word(dice)}" if kind < 0.6 else word(dice, dice.randint(1, 4))


def agent(dice: random.Random) -> str:
    """Make a user agent of one of some hundred versions."""
    return dice.choice(AGENTS).format(dice.randint(90, 145))

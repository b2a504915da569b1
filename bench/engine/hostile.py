"""What an attacker may send to make the engine slow: each kind of event, and what it costs."""

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

from bench.engine.rules import Rule
from bench.engine.vocabulary import word
from sakimori_common.contracts import Event

_LONG: Final = 65_536


def _literals(rules: Sequence[Rule], field: str) -> list[str]:
    """List what the rules look for in a field."""
    found: list[str] = []
    for rule in rules:
        for selection in rule.document["detection"].values():
            if isinstance(selection, dict):
                for name, value in selection.items():
                    if name.startswith(field + "|") and "|re" not in name and "|all" not in name:
                        found += map(str, value if isinstance(value, list) else [value])
    return found


def kinds(rules: Sequence[Rule]) -> dict[str, Callable[[random.Random], dict[str, Any]]]:
    """Name kinds of requests; each makes the fields of one."""
    wanted = _literals(rules, "url.query")
    every = " ".join(wanted)[:_LONG]
    return {
        "64 KB of one literal again and again": lambda dice: {"url.query": (wanted[0] * _LONG)[:_LONG]},
        "64 KB of one character": lambda dice: {"url.query": "=" * _LONG},
        "64 KB of random words": lambda dice: {"url.query": " ".join(word(dice) for _ in range(_LONG // 7))[:_LONG]},
        "64 KB percent-encoded thrice": lambda dice: {"url.original": ("%25253C" * _LONG)[:_LONG]},
        "every literal of every rule in one value": lambda dice: {"url.query": every},
        "1,000 characters of literals": lambda dice: {"url.query": "".join(dice.sample(wanted, 60))[:1000]},
        "a literal with a case that only folds": lambda dice: {"url.query": wanted[0].replace("k", "\N{KELVIN SIGN}")},
        "256 fields of new names": lambda dice: {f"{word(dice, 4)}.{n}": word(dice) for n in range(256)},
        "256 fields, each a list": lambda dice: {f"field.{n}": [word(dice), n, None] for n in range(256)},
        "values of every type in turn": lambda dice: {"url.query": dice.choice([1, 1.5, True, ["a", 2], None, "x"])},
    }


def events(make: Callable[[random.Random], dict[str, Any]], count: int) -> list[Event]:
    """Make requests of a kind."""
    dice = random.Random(5)
    return [Event(str(n), 1_768_528_800_000_000 + n, "nginx.access", make(dice)) for n in range(count)]

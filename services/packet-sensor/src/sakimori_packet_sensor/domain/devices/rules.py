"""Rules for the certain: a sign that tells what a device is (models/device_rules.toml)."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from sakimori_packet_sensor.domain.devices.opinion import TYPES, Ground

MAX_REMEMBERED: Final = 16_384
"""Signs whose rules are remembered: devices of one kind show the same."""


class RuleError(ValueError):
    """The rules cannot be read; the message says which and why."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule. It speaks of a device that shows one of `signs`, or a sign of a kind in `words` with one of the words.

    Words are a regular expression, surrounded by anything but letters. `type` and `probability` say what it is then,
    `system` which operating system; `says` is the reason in words. `positive` and `negative` are its cases.
    """

    says: str
    type: str = ""
    probability: float = 0.0
    system: str = ""
    signs: tuple[str, ...] = ()
    words: Mapping[str, str] = {}
    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[Rule, ...]


class Verdict(NamedTuple):
    """What the rules say of all signs of a device."""

    grounds: tuple[Ground, ...]
    system: str


class RuleTable:
    """Rules ready to be asked; each sign's are looked up once."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._exact: dict[str, list[int]] = {}
        self._words: dict[str, list[tuple[re.Pattern[str], int]]] = {}
        self._remembered: dict[str, tuple[int, ...]] = {}
        for place, rule in enumerate(self.rules):
            _check(rule)
            for sign in rule.signs:
                self._exact.setdefault(sign, []).append(place)
            for kind, words in rule.words.items():
                self._words.setdefault(kind, []).append((_compiled(rule, words), place))

    def of(self, sign: str) -> tuple[int, ...]:
        """Give the places of the rules that a sign meets."""
        known = self._remembered.get(sign)
        if known is None:
            kind, _, text = sign.partition(":")
            known = (
                *self._exact.get(sign, ()),
                *(place for words, place in self._words.get(kind, ()) if words.search(text)),
            )
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[sign] = known
        return known

    def verdict(self, signs: Iterable[str]) -> Verdict:
        """Ask all rules; each speaks once, the surest first. The system is that of the first rule of the file."""
        met = sorted({place for sign in signs for place in self.of(sign)})
        rules = [self.rules[place] for place in met]
        grounds = [Ground(rule.type, rule.probability, rule.says) for rule in rules if rule.type]
        grounds.sort(key=lambda ground: -ground.probability)
        return Verdict(tuple(grounds), next((rule.system for rule in rules if rule.system), ""))


def read_rules(text: str) -> RuleTable:
    """Read a file of rules. Raises RuleError."""
    try:
        return RuleTable(msgspec.convert(tomllib.loads(text), _File).rule)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise RuleError(str(error)) from None


def _check(rule: Rule) -> None:
    if rule.type and rule.type not in TYPES:
        raise RuleError(f"{rule.says}: no type {rule.type!r}")
    if bool(rule.type) != (0 < rule.probability < 1):
        raise RuleError(f"{rule.says}: a type needs a probability between 0 and 1, and a probability a type")
    if not (rule.type or rule.system) or not (rule.signs or rule.words):
        raise RuleError(f"{rule.says}: says nothing, or of no sign")


def _compiled(rule: Rule, words: str) -> re.Pattern[str]:
    try:
        return re.compile(f"(?<![a-z])(?:{words})(?![a-z])")
    except re.error as error:
        raise RuleError(f"{rule.says}: {words!r}: {error}") from None

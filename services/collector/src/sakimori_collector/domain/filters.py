"""What the operator does not want: rules by which events are dropped before anybody sees them (S2-22).

    log.level=debug|trace; event.dataset=nginx.access url.path=/healthz|/ready* http.response.status_code=200

Rules are parted by `;`. An event is dropped that meets all conditions of one rule: `field=value`, or `field!=value`.
`|` parts values of which one suffices, `*` stands for anything, case does not matter; a value with blanks or `;` in it
goes in quotes. A field that the event does not have equals nothing, not even `*`.
"""

import fnmatch
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sakimori_common.contracts import Event, FieldValue

_CONDITION = re.compile(r"([\w@.-]{1,256}?)(!?=)(.*)", re.DOTALL)
_LOOKED_AT = 4096
"""Characters of a value that are compared."""
_ENVELOPE = ("event.dataset", "event.id", "@timestamp")


class BadFilter(ValueError):
    """A rule cannot be read; the message says which and why."""


@dataclass(frozen=True, slots=True)
class _Condition:
    field: str
    is_meant: Callable[[str], bool]
    is_negated: bool

    def holds(self, event: Event) -> bool:
        value = event.fields.get(self.field)
        if value is None and self.field in _ENVELOPE:
            value = event.get(self.field)
        if isinstance(value, str):
            return self.is_meant(value[:_LOOKED_AT].lower()) is not self.is_negated
        return any(map(self.is_meant, _texts(value))) is not self.is_negated


@dataclass(frozen=True, slots=True)
class Filter:
    """Drop rules. Each rule is a tuple of conditions that must all hold."""

    rules: tuple[tuple[_Condition, ...], ...]

    def drops(self, event: Event) -> bool:
        """Tell whether nobody wants this event."""
        for rule in self.rules:
            for condition in rule:
                if not condition.holds(event):
                    break
            else:
                return True
        return False


def parse_filter(text: str) -> Filter:
    """Read COLLECTOR_DROP. Raises BadFilter."""
    lexer = shlex.shlex(text.replace("\n", ";"), posix=True, punctuation_chars=";")
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    rules: list[list[_Condition]] = [[]]
    try:
        for word in lexer:
            if word.strip(";"):
                rules[-1].append(_condition(word))
            else:
                rules.append([])
    except ValueError as error:
        raise BadFilter(f"rule {len(rules)}: {error}") from None
    return Filter(tuple(tuple(rule) for rule in rules if rule))


def _condition(word: str) -> _Condition:
    match = _CONDITION.fullmatch(word)
    if match is None:
        raise ValueError(f"{word[:64]!r} is no condition such as log.level=debug")
    field, sign, values = match.groups()
    if not values:
        raise ValueError(f"{word[:64]!r} compares with nothing; {field}!=* means that the field is absent")
    return _Condition(field, _meaning(values.lower().split("|")), sign == "!=")


def _meaning(values: Sequence[str]) -> Callable[[str], bool]:
    exact = frozenset(value for value in values if "*" not in value)
    patterns = [value.replace("[", "[[]").replace("?", "[?]") for value in values if "*" in value]
    if not patterns:
        return exact.__contains__
    either = re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns))
    return lambda text: text in exact or either.match(text) is not None


def _texts(value: FieldValue) -> list[str]:
    if isinstance(value, str):
        return [value[:_LOOKED_AT].lower()]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [] if value is None else [str(value).lower()]

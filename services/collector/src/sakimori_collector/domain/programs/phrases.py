"""Messages as expressions, and what each means: what most programs need to be understood.

A text is an expression with words in it: `@user` (one word), `@name` (anything, the longest), `@known` (anything, the
shortest), `@address`, `@port`, `@tty`, and a rest that nobody reads (`@rest`). Other groups are named as their field
with two underscores for the dot: `(?P<postfix__queue_id>\\w+)`; each may stand in several branches. All quantifiers
are bounded or possessive: whoever chooses a name cannot make a line slow.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sakimori_collector.domain.addresses import put_source
from sakimori_common.contracts import FieldValue

Outcome = Literal["success", "failure", "unknown"]
Meaning = tuple[str, str, Outcome]
"""`event.category`, `event.action`, `event.outcome`."""

MESSAGE_LIMIT: Final = 8192
"""Characters of a message that is taken apart; longer ones are kept as they are."""

_WORDS: Final = {
    "@user": r"(?P<user__name>[^\s,;]{1,256})",
    "@name": r"(?P<user__name>.{0,256})",
    "@known": r"(?P<user__name>.{0,256}?)",
    "@address": r"(?P<address>[^\s,;()<>\[\]'\"]{1,255})",
    "@port": r"(?P<source__port>\d{1,5})",
    "@tty": r"(?P<auth__tty>[^\s']{1,64})",
    "@rest": r"(?:.*+)",
}
_NUMBERS: Final = frozenset({"port", "pid", "count", "attempts", "bytes", "uid", "code", "id_number", "status"})
_EXPLICIT: Final = re.compile("@[a-z]+")
_GROUP: Final = re.compile(r"\(\?P<(\w+)>")


@dataclass(frozen=True, slots=True)
class Phrase:
    """One kind of message: how it reads and what it means."""

    expression: re.Pattern[str]
    category: str
    action: str
    outcome: Outcome
    fields: tuple[tuple[str, str, bool], ...]
    """Group, field, and whether it is a number."""


def compiled(said: Mapping[Meaning, Sequence[str]]) -> tuple[Phrase, ...]:
    """Make phrases of texts; the first that fits a whole message counts."""
    return tuple(_phrase(meaning, text) for meaning, texts in said.items() for text in texts)


def _phrase(meaning: Meaning, text: str) -> Phrase:
    source = _EXPLICIT.sub(lambda word: _WORDS.get(word[0], word[0]), text) + r"\Z"
    expression = re.compile(_numbered(source), re.DOTALL)
    fields = []
    for group in expression.groupindex:
        name = group.partition("___")[0]
        fields.append((group, name.replace("__", "."), name.rpartition("__")[2] in _NUMBERS))
    return Phrase(expression, *meaning, tuple(fields))


def _numbered(source: str) -> str:
    """Let a group stand in several branches: the second `address` becomes `address___1`."""
    seen: Counter[str] = Counter()

    def name(match: re.Match[str]) -> str:
        seen[match[1]] += 1
        return match[0] if seen[match[1]] == 1 else f"(?P<{match[1]}___{seen[match[1]] - 1}>"

    return _GROUP.sub(name, source)


def explain(message: str, phrases: Sequence[Phrase]) -> dict[str, FieldValue] | None:
    """Say what a message means; None where none of the phrases fits."""
    if len(message) > MESSAGE_LIMIT:
        return None
    for phrase in phrases:
        match = phrase.expression.match(message)
        if match is not None:
            return _fields(phrase, match)
    return None


def _fields(phrase: Phrase, match: re.Match[str]) -> dict[str, FieldValue]:
    fields: dict[str, FieldValue] = {
        "event.category": phrase.category,
        "event.action": phrase.action,
        "event.outcome": phrase.outcome,
    }
    for group, field, is_number in phrase.fields:
        value = match[group]
        if not value:
            continue
        if field == "address":
            put_source(fields, value)
        else:
            fields[field] = int(value) if is_number and value.isdecimal() else value
    if "log.level" in fields:
        fields["log.level"] = str(fields["log.level"]).lower()
    return fields


def other(category: str, action: str) -> dict[str, FieldValue]:
    """Give the fields of a message that no phrase fits."""
    return {"event.category": category, "event.action": action, "event.outcome": "unknown"}

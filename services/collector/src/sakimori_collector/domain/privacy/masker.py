"""Masks what must not be stored or published, in events and in texts.

A batch is written as JSON lines once and searched once for the triggers of all kinds: 1 to 2 us an event in which there
is nothing, nearly all. What has a trigger is then looked at by its values.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

import msgspec
import re2

from sakimori_collector.domain.privacy.attacks import masked_value
from sakimori_collector.domain.privacy.cards import CARDS, is_card_number
from sakimori_collector.domain.privacy.contacts import EMAIL, PHONE
from sakimori_collector.domain.privacy.headers import HEADERS, masked_cookies
from sakimori_collector.domain.privacy.keyed import KEYED
from sakimori_collector.domain.privacy.kind import APART, MASK, Kind, Pattern, Replace, compiled
from sakimori_collector.domain.privacy.names import NAME_TRIGGER, is_card_name, is_cookie_name, is_secret_name
from sakimori_collector.domain.privacy.shapes import SHAPES
from sakimori_common.contracts import Event, FieldValue

CLASSES: Final[dict[str, tuple[Kind, ...]]] = {
    "secrets": (SHAPES, HEADERS, KEYED),
    "cards": (CARDS,),
    "email": (EMAIL,),
    "phone": (PHONE,),
}
"""What can be switched, and what it consists of; the order is that of masking."""
SUBJECTS: Final = ("user.name", "user.email", "source.user.*", "destination.user.*", "email.*")
"""Where an address or number is whom the event is about: rules count by it, and roles decide who sees it."""

_encoder = msgspec.json.Encoder()
_APART: Final = APART.decode()
_NAMES: Final = 4096
"""Field names whose meaning is remembered."""
Special = Callable[[str, str], str]
"""Masks the text of a field, given its name."""
_Rule = tuple[Pattern, Replace]


class Masker:
    """Mask the chosen classes. `subjects`: fields, or beginnings with `*`, in which e-mail and phone stay.

    Raises KeyError for a class that there is none of.
    """

    def __init__(self, classes: Iterable[str] = tuple(CLASSES), subjects: Sequence[str] = SUBJECTS) -> None:
        chosen = [name for name in CLASSES if name in set(classes)]
        self._has_secrets, self._has_cards = "secrets" in chosen, "cards" in chosen
        self._always = _Masks([kind for name in chosen for kind in CLASSES[name] if name in ("secrets", "cards")])
        self._all = _Masks([kind for name in chosen for kind in CLASSES[name]])
        self._special = lru_cache(maxsize=_NAMES)(self._kind_of_name)
        self._names = frozenset(name for name in subjects if not name.endswith("*"))
        self._beginnings = tuple(name[:-1] for name in subjects if name.endswith("*"))

    def text(self, text: str) -> str:
        """Mask a text of any kind: a raw line, a reason, an error."""
        return self._all.masked(text.replace("\0", "\\x00").encode(errors="replace")).decode()

    def change(self, events: Sequence[Event]) -> None:
        """Mask the fields of events in place."""
        if not events or self._all.trigger is None:
            return
        lines = bytes(_encoder.encode_lines([event.fields for event in events]))
        at, number, begin = 0, 0, 0
        while (found := self._all.trigger.search(lines, at)) is not None:
            number += lines.count(b"\n", begin, found.end())
            self._change(events[number].fields)
            begin = at = lines.index(b"\n", found.end() - 1) + 1
            number += 1

    def _change(self, fields: dict[str, FieldValue]) -> None:
        """Mask all texts of an event at once; lists, names that say secret and subjects apart."""
        names: list[str] = []
        texts: list[str] = []
        for name, value in fields.items():
            if isinstance(value, str):
                special = self._special(name)
                if special is None:
                    names.append(name)
                    texts.append(value)
                else:
                    fields[name] = special(name, value)
            elif value.__class__ is list or value.__class__ is int:
                fields[name] = self._other(name, value)
        joined = _APART.join(texts)
        if joined.count(_APART) >= len(texts) > 0:
            joined = _APART.join([text.replace(_APART, "\\x00") for text in texts])
        masked = self._all.masked(joined.encode(errors="replace")).decode()
        if masked != joined:
            fields.update(zip(names, masked.split(_APART), strict=True))

    def _kind_of_name(self, name: str) -> "Special | None":
        """Tell how a text field is masked that is not masked as most are."""
        if self._has_secrets and (is_secret_name(name) or is_cookie_name(name)):
            return _masked_by_name
        return self._masked_subject if self._is_subject(name) else None

    def _masked_subject(self, _: str, text: str) -> str:
        return self._always.masked(_bytes(text)).decode()

    def _other(self, name: str, value: FieldValue) -> FieldValue:
        if self._has_secrets and is_secret_name(name):
            return MASK.decode()
        if not isinstance(value, list):
            return MASK.decode() if self._is_card(name, value) else value
        masks = self._always if self._is_subject(name) else self._all
        return [masks.masked(_bytes(item)).decode() if isinstance(item, str) else item for item in value]

    def _is_card(self, name: str, value: FieldValue) -> bool:
        return self._has_cards and is_card_name(name) and is_card_number(str(value).encode())

    def _is_subject(self, name: str) -> bool:
        return name in self._names or name.startswith(self._beginnings)


class _Masks:
    """Some kinds, compiled."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        triggers = [*(kind.trigger for kind in kinds), NAME_TRIGGER]
        self.trigger = compiled("|".join(f"(?:{trigger})" for trigger in triggers)) if kinds else None
        found = [rule for kind in kinds for rule in kind.patterns]
        self._rules: list[_Rule] = [(compiled(pattern), replace) for pattern, replace in found]
        self._which = _set_of([pattern for pattern, _ in found])

    def masked(self, text: bytes) -> bytes:
        for number in self._which(text):
            pattern, replace = self._rules[number]
            text = pattern.sub(replace, text)
        return text


def _set_of(patterns: Sequence[str]) -> Callable[[bytes], Sequence[int]]:
    """Tell which patterns match somewhere in a text, in one pass."""
    if not patterns:
        return lambda _: ()
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = 32 << 20
    found = re2.Set.SearchSet(options)
    for pattern in patterns:
        found.Add(pattern)
    found.Compile()
    return lambda text: sorted(found.Match(text) or ())


def _masked_by_name(name: str, value: str) -> str:
    raw = _bytes(value)
    if is_cookie_name(name) and b"=" in raw:
        return masked_cookies(raw).decode()
    scheme, blank, rest = raw.partition(b" ")
    if blank and rest and name.lower().endswith("authorization"):
        return (scheme + blank + masked_value(rest)).decode()
    return masked_value(raw).decode()


def _bytes(text: str) -> bytes:
    """Encode; nothing may look like the boundary between two values."""
    return text.encode(errors="replace").replace(APART, b"\\x00")

"""Keyed hashes in place of what the operator does not want to be known (X-05)."""

import hmac
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final

from sakimori_common.contracts import Event, FieldValue

_PURPOSE: Final = b"sakimori-collector-pseudonyms"
_HASH_CHARACTERS: Final = 16
_REMEMBERED: Final = 65_536
_SHORTEST: Final = 2
"""Characters of a value that is looked for in the other texts of its event: one letter stands everywhere."""
_KINDS: Final = {"ip": "ip", "address": "ip", "email": "email", "mac": "mac", "hostname": "host"}
_OURS: Final = ("event.", "observer.", "log.", "sakimori.")


class Pseudonyms:
    """Replace fields by `user-` (or `ip-`, `email-`, ...) and 16 hex digits of an HMAC-SHA256 under a key.

    The same value under the same key is always the same token, in every field of the same kind, so counting and
    correlating go on. It is keyed since names and addresses could be tried out against a plain hash.
    """

    def __init__(self, key: str, fields: Sequence[str]) -> None:
        self._key = hmac.digest(key.encode(), _PURPOSE, sha256)
        self._kinds = {name: _kind_of(name) for name in fields}
        self._token = lru_cache(maxsize=_REMEMBERED)(self._made)

    def change(self, events: Sequence[Event]) -> None:
        """Replace in place, in the fields and wherever else their values stand in the texts of the same event."""
        for event in events:
            fields = event.fields
            known: dict[str, str] = {}
            for name, kind in self._kinds.items():
                if name in fields:
                    fields[name] = self._replaced(kind, fields[name], known)
            for value, token in known.items():
                self._elsewhere(fields, value, token)

    def _replaced(self, kind: str, value: FieldValue, known: dict[str, str]) -> FieldValue:
        if isinstance(value, list):
            return [self._replaced(kind, item, known) for item in value]  # type: ignore[misc]  # items are no lists
        if value is None or value == "" or isinstance(value, bool):
            return value
        text = str(value)
        known[text] = self._token(kind, text)
        return known[text]

    def _elsewhere(self, fields: dict[str, FieldValue], value: str, token: str) -> None:
        if len(value) < _SHORTEST:
            return
        for name, text in fields.items():
            if isinstance(text, str) and value in text and name not in self._kinds and not name.startswith(_OURS):
                fields[name] = _replaced_alone(text, value, token)

    def _made(self, kind: str, value: str) -> str:
        canonical = value.lower() if kind in {"email", "host", "mac"} else value
        digest = hmac.digest(self._key, f"{kind}\0{canonical}".encode(errors="replace"), sha256)
        return f"{kind}-{digest.hex()[:_HASH_CHARACTERS]}"


def _kind_of(name: str) -> str:
    """`user.name`, `source.user.name` and `user.id` are users; two fields of addresses are of one kind."""
    *before, last = name.split(".")
    if name.startswith("email.") and last == "address":
        return "email"
    if last in ("name", "id") and before:
        return before[-1]
    return _KINDS.get(last, last)


def _replaced_alone(text: str, value: str, token: str) -> str:
    """Replace a value where it is no part of a longer word or address; compiling an expression would cost more."""
    pieces, start = [], 0
    while (at := text.find(value, start)) >= 0:
        end = at + len(value)
        pieces += [text[start:at], value if _goes_on(text, at, end) else token]
        start = end
    return "".join(pieces) + text[start:]


def _goes_on(text: str, at: int, end: int) -> bool:
    before, after = text[at - 1 : at], text[end : end + 2]
    if before.isalnum() or before in ("_", "."):
        return True
    return after[:1].isalnum() or after[:1] == "_" or (after[:1] == "." and after[1:].isalnum())

"""Bytes of unknown origin to text that PostgreSQL, JSON and a terminal can hold."""

import re

from sakimori_common.contracts import FieldValue
from sakimori_common.contracts.event import MAX_VALUE_CHARACTERS

_ESCAPED = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+|\\[\"\\bfnrtv]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def decode(raw: bytes) -> str:
    r"""Read UTF-8; what is none stays visible as `\xff`, and so does NUL, which a jsonb column refuses."""
    text = raw.decode("utf-8", "backslashreplace")
    return without_nul(text) if "\0" in text else text


def without_nul(text: str) -> str:
    r"""Show each NUL as `\x00`."""
    return text.replace("\0", "\\x00") if "\0" in text else text


def unescape(text: str) -> str:
    r"""Undo the escapes that web servers log with: `\x22` (nginx), `\"`, `\\` and `\xc3` (Apache).

    Control characters stay escaped, so a request cannot write to the terminal of whoever reads it; bytes that are no
    UTF-8 do too.
    """
    return _ESCAPED.sub(_plain, text) if "\\" in text else text


def _plain(match: re.Match[str]) -> str:
    escaped = match[0]
    if escaped[1] != "x":
        return escaped[1] if escaped[1] in '"\\' else escaped
    decoded = bytes.fromhex(escaped.replace("\\x", "")).decode("utf-8", "backslashreplace")
    return _CONTROL.sub(lambda control: f"\\x{ord(control[0]):02x}", decoded)


def cut(value: FieldValue) -> FieldValue:
    """Shorten a text to what an event may hold, with an ellipsis to show it."""
    if isinstance(value, str) and len(value) > MAX_VALUE_CHARACTERS:
        return value[: MAX_VALUE_CHARACTERS - 1] + "…"
    return value


def storable(value: FieldValue) -> FieldValue:
    """Make a value that came as JSON or from another service fit for a jsonb column."""
    if isinstance(value, str):
        return without_nul(value)
    if isinstance(value, list):
        return [without_nul(item) if isinstance(item, str) else item for item in value]
    return value

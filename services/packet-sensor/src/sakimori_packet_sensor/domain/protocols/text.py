"""Bytes that are meant to be read: bounded, and printable whatever they are."""

from typing import Final

MOST_CHARACTERS: Final = 4096
_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}


def text_of(raw: bytes, limit: int = MOST_CHARACTERS) -> str:
    """Write bytes as text of at most `limit` characters: UTF-8 as it is, what cannot be printed as `\\xNN`."""
    raw = raw[:limit]
    if raw.isascii() and (text := raw.decode("ascii")).isprintable():
        return text
    return raw.decode("utf-8", "backslashreplace").translate(_CONTROLS)[:limit]

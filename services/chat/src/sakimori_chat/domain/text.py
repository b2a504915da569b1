"""Make what people type fit to be shown to others, always as text."""

import unicodedata

MAX_MESSAGE_CHARACTERS = 300
MAX_NAME_CHARACTERS = 20

_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They reorder what stands around them, so one message could rewrite its neighbours on the screen."""


def clean_text(raw: str) -> str:
    """Normalise (NFC), drop control, bidi-control and unassigned characters, fold white space, trim.

    A text without any visible character becomes empty. Markup is left as it is: escaping is the page's matter.
    """
    kept = "".join(_kept(character) for character in unicodedata.normalize("NFC", raw))
    folded = " ".join(kept.split())
    return folded if any(_is_visible(character) for character in folded) else ""


def clean_name(raw: str) -> str:
    """Clean a display name and cut it to 20 characters."""
    return clean_text(raw)[:MAX_NAME_CHARACTERS].strip()


def _kept(character: str) -> str:
    if character.isspace():
        return " "
    if character in _BIDI_CONTROLS or unicodedata.category(character) in {"Cc", "Cs", "Cn"}:
        return ""
    return character


def _is_visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "ZC"

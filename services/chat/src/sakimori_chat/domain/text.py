"""Make what people type fit to be shown to others, always as text.

Lengths are counted in code points of the cleaned text, here and in the page (`[...text].length`): that is what the
limits of requirement S0-68 bound, and what a store holds. An emoji made of several counts as several.
"""

import unicodedata
from collections.abc import Callable
from typing import Final

import regex

MAX_MESSAGE_CHARACTERS = 300
MAX_NAME_CHARACTERS = 20
MAX_RAW_CHARACTERS: Final = 4096
"""Of what is looked at: NFC makes three code points of one at most, and no room takes more than 2,000."""
MAX_MARKS: Final = 4
"""Combining marks on one character; the fullest honest ones, Hebrew with accents and Thai, have three or four."""
MAX_TIBETAN_MARKS: Final = 8
"""Tibetan writes its stacked letters as marks."""
_MAX_RAW_MARKS: Final = 16
"""Before NFC, whose sorting of marks takes time that grows with the square of their number."""

_SELECTORS: Final = r"\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
_MARK: Final = rf"[[\p{{Mn}}\p{{Me}}]--[{_SELECTORS}]]"
_SHOWN_FORMATS: Final = r"\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
"""Format characters (Cf) with a shape: Arabic, Syriac and Kaithi signs that enclose a number."""

_FLAG: Final = r"\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
"""The one use of tag characters: flags of regions, as Scotland's (UTS 51, ED-14a)."""
_EMPTY: Final = r"\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufffc\U0001d159"
"""Letters, marks and symbols by category that show nothing: fillers, the object character, the null note head."""
_SPACES: Final = r"\t-\r\x1c-\x1f\x85"
_UNSEEN: Final = regex.compile(
    rf"({_FLAG})|[[\p{{C}}{_EMPTY}]--[{_SPACES}{_SHOWN_FORMATS}\u200c\u200d{_SELECTORS}]]", regex.V1
)
"""What shows nothing, or nothing that people agree on: controls, bidi controls, private use, what is unassigned."""

_STRAY_SELECTOR: Final = regex.compile(
    r"((?<=[0-9#*\p{Extended_Pictographic}\p{Emoji_Modifier}])[\ufe0e\ufe0f]"
    r"|(?<=\p{Han})[\ufe00-\ufe0d\U000e0100-\U000e01ef]"
    rf"|(?<=\p{{Mongolian}})[\u180b-\u180d\u180f])|[{_SELECTORS}]",
    regex.V1,
)
_STRAY_JOINER: Final = regex.compile(
    r"((?<=\p{ccc=9})[\u200c\u200d]"  # after a virama (UAX 31, A2 and B)
    r"|\u200d(?=\p{ccc=9})"  # Bengali ya-phalaa
    r"|(?<=\p{bc=AL}\p{Mn}{0,4})(?:\u200d|\u200c(?=\p{bc=AL}))"  # Arabic and Syriac letters (UAX 31, A1)
    r"|(?<=\p{Extended_Pictographic}[\ufe0f\p{Emoji_Modifier}]{0,2})\u200d(?=\p{Extended_Pictographic})"  # UTS 51
    r")|[\u200c\u200d]",
    regex.V1,
)
_JOINERS_OR_SELECTORS: Final = regex.compile(rf"[\u200c\u200d{_SELECTORS}]")
_BASELESS_MARKS: Final = regex.compile(rf"(?<![^\s])(?:{_MARK}|[\u200c\u200d{_SELECTORS}])+", regex.V1)
_MARKS: Final = regex.compile(rf"{_MARK}(?:{_MARK}|[\u200c\u200d{_SELECTORS}])+", regex.V1)
_IS_MARK: Final = regex.compile(_MARK, regex.V1)
_VISIBLE: Final = regex.compile(rf"[^\p{{Z}}\p{{C}}]|[{_SHOWN_FORMATS}]")


def clean_text(raw: str) -> str:
    """Normalise (NFC), drop what is unseen or rewrites its neighbours, bound combining marks, fold white space, trim.

    Joiners and variation selectors stay where they mean something: in emoji, after an Indic virama, between Arabic
    letters, on ideographs. A text without any visible character becomes empty. Markup is left as it is: escaping is
    the page's matter. Looks at MAX_RAW_CHARACTERS at most (see `is_oversized`), in time linear in them; cleaning twice
    changes nothing.
    """
    raw = raw[:MAX_RAW_CHARACTERS]
    if raw.isascii() and raw.isprintable():
        return " ".join(raw.split())
    seen = _UNSEEN.sub(r"\1", raw.replace("\u2800", " "))  # the braille pattern without dots is a space to the eye
    composed = unicodedata.normalize("NFC", _stacked(_joined(" ".join(seen.split())), _MAX_RAW_MARKS))
    text = " ".join(_joined(unicodedata.normalize("NFC", _stacked(composed, MAX_MARKS))).split())
    return text if _VISIBLE.search(text) else ""


def clean_name(raw: str) -> str:
    """Clean a display name and cut it to 20 characters, which leaves no half of an emoji's joiners behind."""
    return clean_text(clean_text(raw)[:MAX_NAME_CHARACTERS])


def is_oversized(raw: str) -> bool:
    """Tell whether a raw text is longer than what is looked at; it is too long for every room."""
    return len(raw) > MAX_RAW_CHARACTERS


def _joined(text: str) -> str:
    """Drop joiners and variation selectors that do nothing where they stand."""
    if not _JOINERS_OR_SELECTORS.search(text):
        return text
    return _STRAY_JOINER.sub(r"\1", _STRAY_SELECTOR.sub(r"\1", text))


def _stacked(text: str, most: int) -> str:
    """Keep at most `most` marks on a character, none twice and none on nothing."""
    return _MARKS.sub(_fewer(most), _BASELESS_MARKS.sub("", text))


def _fewer(most: int) -> "Callable[[regex.Match[str]], str]":
    def shortened(match: "regex.Match[str]") -> str:
        base = match.string[match.start() - 1]
        room = max(most, MAX_TIBETAN_MARKS) if "\u0f00" <= base <= "\u0fff" else most
        kept: list[str] = []
        marks: set[str] = set()
        for character in match[0]:
            if _IS_MARK.match(character):
                if character in marks or len(marks) >= room:
                    continue
                marks.add(character)
            kept.append(character)
        return "".join(kept)

    return shortened

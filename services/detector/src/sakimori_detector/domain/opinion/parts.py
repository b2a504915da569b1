"""Which parts of a decoded request the model is asked about."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from sakimori_common.contracts import FieldValue
from sakimori_detector.domain.normalise import MAX_PART_CHARACTERS, decode_request

MAX_PARTS: Final = 64
"""Of a request, the first ones: the client chooses how many parameters there are."""

_ASKED_FIELDS: Final = (
    "url.original",
    "url.path",
    "url.query",
    "http.request.body.content",
    "http.request.headers.cookie",
)
"""Where values are. Every user agent has parentheses and semicolons, so all of them would be asked about."""

_NAME = re.compile(r"[\w.\-\[\]$]{1,64}=")
_META = re.compile(r"""['"`<>();|&${}\\*#%!\[\]=]|--|\.\.[/\\]|\.\.$|/etc/""")
"""Characters that mean something to an interpreter. A value without any is a word, a number or a plain path."""

_MAYBE = re.compile(
    r"[^A-Za-z0-9_/.\-?=&+~:,@]|=[^&]*=|^=|[&?]=|[/+~:,@][^&?=]*=|&(?![\w.\-]{1,64}=)|--|\.\.[/?&]|\.\.$|/etc/|\w{60}"
)
"""Of a raw field: there may be such a character in a value. Without a hit, decoding would bring none to light: only
percent signs, backslashes, ampersands and letters beyond ASCII stand for others."""


def suspicious_parts(fields: Mapping[str, FieldValue]) -> list[str]:
    """List the values of a web event's target, cookie and body that have such characters, decoded; most have none.

    Costs 1-2 us where the raw fields show that there is nothing, 5-10 more where they must be decoded.
    """
    asked = {}
    for name in _ASKED_FIELDS:
        value = fields.get(name)
        if isinstance(value, str) and _MAYBE.search(value, 0, MAX_PART_CHARACTERS) is not None:
            asked[name] = value
    return values(decode_request(asked).split("\n")) if asked else []


def values(lines: Iterable[str]) -> list[str]:
    """Take the parameters' names off the lines of a decoded request; lines without a telling character are left out."""
    found: dict[str, None] = {}
    for line in lines:
        if _META.search(line) is not None:
            name = _NAME.match(line)
            value = line if name is None else line[name.end() :]
            if name is None or _META.search(value) is not None:
                found[value] = None
                if len(found) == MAX_PARTS:
                    break
    return list(found)

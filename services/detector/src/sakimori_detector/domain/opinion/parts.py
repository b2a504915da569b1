"""Which parts of a decoded request the model is asked about."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from sakimori_common.contracts import FieldValue
from sakimori_detector.domain.normalise import decode_request

MAX_PARTS: Final = 64
"""Of a request, the first ones: the client chooses how many parameters there are."""

_ASKED_FIELDS: Final = frozenset(
    {
        "url.original",
        "url.path",
        "url.query",
        "http.request.body.content",
        "http.request.headers.cookie",
    }
)
"""Where values are. Every user agent has parentheses and semicolons, so all of them would be asked about."""

_NAME = re.compile(r"[\w.\-\[\]$]{1,64}=")
_META = re.compile(r"""['"`<>();|&${}\\*#%!\[\]=]|--|\.\.[/\\]|\.\.$|/etc/""")
"""Characters that mean something to an interpreter. A value without any is a word, a number or a plain path."""


def suspicious_parts(fields: Mapping[str, FieldValue]) -> list[str]:
    """List the values of a web event's target, cookie and body that have such characters, decoded; most have none."""
    return values(decode_request({name: value for name, value in fields.items() if name in _ASKED_FIELDS}).split("\n"))


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

"""Which parts of a decoded request the model is asked about."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from sakimori_common.contracts import FieldValue
from sakimori_detector.domain.normalise import MAX_PART_CHARACTERS, decode_request
from sakimori_detector.domain.opinion.ngrams import MAX_CHARACTERS

MAX_PARTS: Final = 64
"""Of a request, the first ones: the client chooses how many parameters there are."""

MAX_TOTAL_CHARACTERS: Final = 8192
"""Of the parts of a request together, each to its bound; judging as many takes some milliseconds."""

_NAME = re.compile(r"[\w.\-\[\]$]{1,64}=")
_META = re.compile(r"""['"`<>();|&${}\\*#%!\[\]=]|--|\.\.[/\\]|\.\.$|/etc/""")
"""Characters that mean something to an interpreter. A value without any is a word, a number or a plain path."""

_QUIET_CHARACTERS: Final = r"A-Za-z0-9_/.\-+~:,@"
"""Stand for nothing but themselves in an address, `+` aside, and mean nothing to an interpreter."""
_QUIET_PARAMETER: Final = rf"[A-Za-z0-9_.\-]{{1,64}}=[{_QUIET_CHARACTERS}]*+"
_QUIET_PARAMETERS: Final = rf"(?:{_QUIET_PARAMETER}|[{_QUIET_CHARACTERS}?]*+)(?:&{_QUIET_PARAMETER})*+"
_TARGET = re.compile(rf"[{_QUIET_CHARACTERS}]*+(?:\?{_QUIET_PARAMETERS})?")
_PARAMETERS = re.compile(_QUIET_PARAMETERS)
"""Raw text that decoding brings nothing telling out of: no encoding, and each parameter has a name and a value."""

_Asked = tuple[tuple[str, re.Pattern[str]], ...]
_VALUES: Final[_Asked] = (("http.request.body.content", _PARAMETERS), ("http.request.headers.cookie", _PARAMETERS))
_WITH_TARGET: Final[_Asked] = (("url.original", _TARGET), *_VALUES)
_WITHOUT_TARGET: Final[_Asked] = (("url.path", _PARAMETERS), ("url.query", _PARAMETERS), *_VALUES)
"""Where values are. Every user agent has parentheses and semicolons, so all of them would be asked about."""


def suspicious_parts(fields: Mapping[str, FieldValue]) -> list[str]:
    """List the values of a web event's target, cookie and body that have such characters, decoded; most have none.

    Like decode_request, prefers `url.original` to `url.path` and `url.query`. Costs 1-2 us where the raw fields show
    that there is nothing, 5-10 more where they must be decoded.
    """
    asked = {}
    for name, quiet in _WITH_TARGET if isinstance(fields.get("url.original"), str) else _WITHOUT_TARGET:
        value = fields.get(name)
        if isinstance(value, str) and not _is_quiet(value, quiet):
            asked[name] = value
    return values(decode_request(asked).split("\n")) if asked else []


def _is_quiet(value: str, quiet: re.Pattern[str]) -> bool:
    """Say that decoding a raw field brings no telling character to light; takes time linear in its length."""
    value = value[:MAX_PART_CHARACTERS]
    return quiet.fullmatch(value) is not None and "--" not in value and ".." not in value and "/etc/" not in value


def values(lines: Iterable[str]) -> list[str]:
    """Take the parameters' names off the lines of a decoded request; lines without a telling character are left out."""
    found: dict[str, None] = {}
    left = MAX_TOTAL_CHARACTERS
    for line in lines:
        if _META.search(line) is not None:
            name = _NAME.match(line)
            value = line if name is None else line[name.end() :]
            if name is None or _META.search(value) is not None:
                found[value[:MAX_CHARACTERS]] = None
                left -= min(len(value), MAX_CHARACTERS)
                if len(found) == MAX_PARTS or left <= 0:
                    break
    return list(found)

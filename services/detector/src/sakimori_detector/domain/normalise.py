"""What a web server would make of a request: encodings undone, so that one expression sees every spelling.

The result is one text, `sakimori.request.decoded`. Its lines are the path, each query parameter, the referrer, the user
agent, the body and the headers that are logged, so `(?m)^` and `$` hold for each of them (a decoded line break counts
as one, too). What is undone, to a fixed point of at most `MAX_ROUNDS`: percent-encoding (with `%uXXXX`, overlong UTF-8
and the sloppy hex digits of old servers), HTML entities, `\\xHH` and `\\uHHHH` escapes, compatibility forms of Unicode
(NFKC) and look-alikes of quotes and slashes. Zero bytes and other invisible characters vanish; `+` is a space.

A part with a comment (`/**/`) appears twice, as it is and with its comments as spaces: a database reads past the
comment, a browser or a file system does not. A body of JSON or multipart/form-data appears as its values, lines
`name=value` (bodies.py); one of XML so and as it is, for its markup may be the attack. A browser's user agent and a
referrer without anything that could mean something to an interpreter are left out: they are most of the text and none
of the attacks.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from html import unescape
from typing import Final, Literal

from sakimori_common.contracts import FieldValue
from sakimori_detector.domain.bodies import MAX_VALUES, values_of

DECODED_FIELD: Final = "sakimori.request.decoded"

MAX_PART_CHARACTERS: Final = 8192
"""Of each raw field; of a longer one the beginning and the end are looked at, half each, as lines of their own: what is
padded to hide stands behind or before the padding. By default nginx and Apache take no longer request line."""

MAX_ROUNDS: Final = 5
"""Triple encoding is the deepest seen in attack lists; each round costs, and a client chooses how many there are."""

_REMEMBERED_CHARACTERS: Final = 256
"""Values no longer than this are decoded once; 8192 of them take some 5 MB."""

_Shape = Literal["address", "form", "cookie", "text"]

_OTHER_FIELDS: Final[tuple[tuple[str, _Shape], ...]] = (
    ("http.request.referrer", "address"),
    ("user_agent.original", "text"),
    ("http.request.body.content", "form"),
    ("http.request.headers.cookie", "cookie"),
    ("http.request.headers.x-forwarded-for", "text"),
    ("http.request.headers.content-type", "text"),
    ("http.request.headers.host", "text"),
    ("http.request.headers.x-forwarded-host", "text"),
    ("http.request.headers.origin", "text"),
    ("http.request.headers.authorization", "text"),
    ("http.request.headers.accept-language", "text"),
    ("http.request.headers.x-api-version", "text"),
)
"""Field, and what it is made of: `&` parts a form's parameters and `+` is a space there, `?` ends an address's path."""

_PLAIN_AGENT = re.compile(r"Mozilla/\d\.\d(?: \([\w .,:;/+-]*\)| \(KHTML, like Gecko\)| [A-Za-z]\w*(?:/[\w.]+)?)*")
_PLAIN_REFERRER = re.compile(r"https?://[\w.-]+(?::\d+)?(?:/[\w-]+)*(?:/|\.[a-z]{2,5})?")
_OFTEN_PLAIN: Final = {"user_agent.original": _PLAIN_AGENT, "http.request.referrer": _PLAIN_REFERRER}
_SPEAKS = re.compile(
    r"\b(?:select|union|drop|insert|delete|update|exec|execute|declare|waitfor|shutdown|by|or|and|xor|etc|proc|cat|eval)\b",
    re.IGNORECASE,
)
"""Words that an interpreter understands without a sign beside them."""

_NEXT_COOKIE = re.compile(r";\s*(?=[\w.$-]{1,64}=)")
_NEXT_PARAMETER = re.compile(r"&(?=[\w.\-\[\]$%]{1,64}=)")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\})")
_UNICODE_PERCENT = re.compile(r"%[uU]([0-9a-fA-F]{4})")
_OVERLONG = re.compile(
    r"%(?:c([01])|(?:e0|f0%80|f8%80%80|fc%80%80%80)%8([01]))(?:%([0-9a-z]{2})|([./\\]))", re.IGNORECASE
)
_SPLIT_PERCENT = re.compile(r"%([2-7])%([0-9a-fA-F])(?![0-9a-fA-F])|%bg%qf", re.IGNORECASE)
"""`%%32%%66` after one round: a digit each behind its own sign; and a slash in digits beyond F, from the same lists."""
_PERCENT_RUN = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7};?|#[xX][0-9a-fA-F]{1,6};?|[A-Za-z]{2,24};|(?:lt|gt|quot)\b)")
_COMMENT = re.compile(r"/\*!\d{0,6}|/\*.*?\*/|\*/", re.DOTALL)
"""A comment, or a bracket of MySQL's `/*!50000 ... */`, whose content the server runs."""

_ENCODED = re.compile(r"[^ -$'-*,-\[\]-~]|/\*")
"""What an address has that must be decoded or parted: `%`, `&`, `+`, backslash, `/*`, what is no printable ASCII."""

_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f\xad\u200b-\u200f\u2060\ufeff]+")
_LOOK_ALIKES: Final = str.maketrans(
    dict.fromkeys("ʹʼˈ′‘’‛", "'")
    | dict.fromkeys("“”", '"')
    | dict.fromkeys("〵∕⁄⧸", "/")
    | dict.fromkeys("∖⧵", "\\")
    | dict.fromkeys("\x85\u1680\u180e", " ")
    | dict.fromkeys("\u2028\u2029", "\n")
)
"""What databases and servers with a best-fit mapping take for ASCII and NFKC leaves alone."""


def decode_request(fields: Mapping[str, FieldValue]) -> str:
    """Join and decode what a client controls in a web event.

    Prefers `url.original` to `url.path` and `url.query`. The text is empty when the event carries none of the fields.
    Costs 1-2 us where nothing is encoded, some 10-30 us where much is; short values are remembered, for they repeat.
    """
    parts = [_decoded(_target(fields), "address")]
    for name, shape in _OTHER_FIELDS:
        if isinstance(value := fields.get(name), str) and not _is_left_out(value, name):
            parts.append(_decoded(value, shape))
    return "\n".join(parts)


def decode_value(text: str) -> str:
    """Undo the encodings of one value, of which at most `MAX_PART_CHARACTERS` are read."""
    text = text[:MAX_PART_CHARACTERS]
    if _is_plain(text):
        return text
    decoded = _fixed_point(text).replace("\x0b", " ").replace("\x0c", " ")
    decoded = _INVISIBLE.sub("", decoded)
    bare = _COMMENT.sub(" ", decoded) if "/*" in decoded else decoded
    return decoded if bare == decoded else f"{decoded}\n{bare}"


def _decoded(value: str, shape: _Shape) -> str:
    if shape == "address" and len(value) <= MAX_PART_CHARACTERS and not _ENCODED.search(value):
        return value.replace("?", "\n", 1)  # most targets, which hardly repeat: a third of the cost of remembering them
    return (_remembered if len(value) <= _REMEMBERED_CHARACTERS else _decode_part)(value, shape)


def _decode_part(value: str, shape: _Shape) -> str:
    if len(value) > MAX_PART_CHARACTERS:
        value = f"{value[: MAX_PART_CHARACTERS // 2 - 1]}\n{value[-MAX_PART_CHARACTERS // 2 :]}"
    inside = values_of(value) if shape == "form" else []
    is_complete = 0 < len(inside) < MAX_VALUES and not value.lstrip().startswith("<")
    lines = [] if is_complete else [decode_value(_shaped(value, shape))]
    return "\n".join([*lines, *(f"{name}={decode_value(text)}" for name, text in inside)])


def _is_left_out(value: str, name: str) -> bool:
    return name in _OFTEN_PLAIN and len(value) <= _REMEMBERED_CHARACTERS and _is_without_meaning(value, name)


@lru_cache(maxsize=8192)
def _is_without_meaning(value: str, name: str) -> bool:
    return _OFTEN_PLAIN[name].fullmatch(value) is not None and not _SPEAKS.search(value)


_remembered = lru_cache(maxsize=8192)(_decode_part)


def _is_plain(text: str) -> bool:
    """Say that there is nothing to decode. Most requests are so, and scanning is ten times cheaper than decoding."""
    return (
        text.isascii()
        and "%" not in text
        and "\\" not in text
        and "&" not in text
        and "/*" not in text
        and text.replace("\n", " ").isprintable()
    )


def _target(fields: Mapping[str, FieldValue]) -> str:
    original = fields.get("url.original")
    if isinstance(original, str):
        return original
    path, query = fields.get("url.path"), fields.get("url.query")
    return f"{path or ''}?{query}" if query else str(path or "")


def _shaped(text: str, shape: _Shape) -> str:
    if shape == "cookie":
        return _NEXT_COOKIE.sub("\n", text)
    return text if shape == "text" else _parted(text, is_address=shape == "address")


def _parted(text: str, *, is_address: bool) -> str:
    """Part parameters from one another, and an address's path from its query, by line breaks; `+` becomes a space.

    This happens before anything is decoded, and only where a name follows the `&`: in `q=1&&cat /etc/passwd` the
    ampersands belong to the value.
    """
    if "+" in text:
        text = text.replace("+", " ")
    if is_address and "?" in text:
        text = text.replace("?", "\n", 1)
    return _NEXT_PARAMETER.sub("\n", text) if "&" in text else text


def _fixed_point(text: str) -> str:
    for _ in range(MAX_ROUNDS):
        decoded = _decode_once(text)
        if decoded == text:
            break
        text = decoded
    return text


def _decode_once(text: str) -> str:
    if "\\" in text:
        text = _ESCAPE.sub(_escaped, text)
    if "%" in text:
        text = _OVERLONG.sub(_overlong, _UNICODE_PERCENT.sub(_code_point, text))
        text = _SPLIT_PERCENT.sub(_split_percent, _PERCENT_RUN.sub(_percent_run, text))
    if "&" in text:
        text = _ENTITY.sub(_entity, text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_LOOK_ALIKES)[: 2 * MAX_PART_CHARACTERS]
    return text


def _escaped(match: re.Match[str]) -> str:
    """Rewrite `\\xHH`, a byte, as `%HH`, so that the bytes of one character meet; `\\u` is a character by itself."""
    byte, four, braced = match.groups()
    return f"%{byte}" if byte else _character(int(four or braced, 16))


def _code_point(match: re.Match[str]) -> str:
    return _character(int(match[1], 16))


def _character(code: int) -> str:
    """Write a code point; surrogates and numbers beyond Unicode become U+FFFD."""
    return "\ufffd" if 0xD800 <= code < 0xE000 or code > 0x10FFFF else chr(code)


def _overlong(match: re.Match[str]) -> str:
    """Read an ASCII character written in more bytes than it needs (RFC 3629, section 3, forbids it).

    The last byte may have digits beyond F, as in `%c0%9v`, that servers of the time reckoned with all the same, or may
    be no continuation byte (`%c0%2f`, `%c1%af`): where a lenient reading is a dot or a slash, that is the one meant.
    """
    high = int(match[1] or match[2] or "0")
    low = ord(match[4]) if match[4] else _sloppy_hex(match[3])
    readings = chr(high << 6 | low & 0x3F), chr(low & 0x7F), chr(low & 0x3F)
    return next((reading for reading in readings if reading in "./\\"), readings[0])


def _sloppy_hex(digits: str) -> int:
    high, low = (ord(digit) - 48 if digit.isdecimal() else ord(digit) - 87 for digit in digits.lower())
    return high * 16 + low & 0xFF


def _percent_run(match: re.Match[str]) -> str:
    """Read bytes as UTF-8; where they are none, 0xA0 is the space that databases of Latin-1 take it for."""
    raw = bytes.fromhex(match[0].replace("%", ""))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.replace(b"\xa0", b" ").decode("utf-8", "replace")


def _split_percent(match: re.Match[str]) -> str:
    return f"%{match[1]}{match[2]}" if match[1] else "/"


def _entity(match: re.Match[str]) -> str:
    return unescape(match[0])

"""Values that their names say to be secret: in queries, forms, JSON, key=value texts, URLs and command lines.

Names stay and values go: `?user=a&password=***`. A value in which an attack is stays readable (attacks.py).
"""

from typing import Final

from sakimori_collector.domain.privacy.attacks import masked_value
from sakimori_collector.domain.privacy.kind import MASK, Kind, Match

_LONG = (
    r"pass(?:word|wd|phrase|code)[0-9]{0,2}|secret(?:[_-]?(?:access)?[_-]?key)?|token|api[_-]?key|access[_-]?key|"
    r"private[_-]?key|account[_-]?key|shared[_-]?access[_-]?key|credentials?|auth[_-]?code"
)
"""Also as the end of longer names: `db_password`, `clientSecret`, `X-Auth-Token`."""
_SHORT = r"(?:\b|_)(?:pass|pwd|pw|psk|otp|mysql_pwd|pgpassword)|(?-i:[a-z](?:Pwd|Pass))"
_NAME = rf"(?:{_LONG}|{_SHORT})"
_IS = r"\\?[\"']?\]?\s{0,3}(?:=>|:=|=|:|%3[aAdD])\s{0,3}"
_BARE = r"[^\s&;,\"'<>()\[\]{}#\\\x00][^\s&;,\"'<>)\]}#\\\x00]*"
_QUOTED = r"\\\"[^\"\\\x00]*|\"(?:[^\"\\\x00]|\\[^\x00])*|'[^'\x00]*"
_KEYED: Final = rf"(?i)({_NAME}{_IS})({_QUOTED}|{_BARE})"
_QUERY: Final = (
    r"(?i)((?:^|[\x00?&;])(?:amp;)?(?:x-amz-(?:signature|credential)|x-goog-(?:signature|credential)|signature|sig|auth|key|code)"
    r"=)([^\s&;,\"'<>#\x00]{16,})"
)
"""Names that mean a secret only in a query, and only where the value is long: signed URLs, keys, OAuth's code."""
_USERINFO: Final = r"(://[^\s/?#@:\"'<>\x00]{0,256}:)([^\s/?#@\"'<>\x00]{1,256})(@)"
_OPTION: Final = (
    r"(?i)(\s--?(?:[a-z]{1,16}-)?(?:password|passwd|pass|passphrase|pwd|token|secret|api-?key|access-?key)\s{1,3})"
    r"([^\s\x00-][^\s\x00]*)"
)
_CLIENTS: Final = (
    r"(\b(?:mysql|mariadb)[a-z-]{0,12}\b[^\x00\r\n|;&]{0,512}?\s-p|\bsshpass\s{1,3}-p\s{0,3}"
    r"|\bcurl\b[^\x00\r\n|;&]{0,512}?\s(?:-u|--user|--proxy-user)[ =]?[^\s:\x00]{1,128}:)([^\s\x00-][^\s\x00]*)"
)
_NET_USER: Final = (
    r"(?i)(\bnet1?(?:\.exe)?[\"']?\s{1,3}user\s{1,3}[^\s\x00/]{1,128}\s{1,3})([^\s\x00/]\S{0,256}?)(\s{1,3}/)"
)
_SAYS_NOTHING: Final = frozenset(
    (b"yes", b"no", b"true", b"false", b"null", b"none", b"nil", b"undefined", b"-", b"*", b"x", b"[filtered]")
)
"""In place of a value, as in "using password: YES": a fact and no secret."""


def _keyed(match: Match) -> bytes:
    quote, value = _unquoted(match[2])
    if value.strip().lower() in _SAYS_NOTHING or (b"PWD=" in match[1] and value[:1] in (b"/", b"~")):
        return match[0]  # the second is the working directory, of sudo and of every shell
    return match[1] + quote + masked_value(value)


def _unquoted(value: bytes) -> tuple[bytes, bytes]:
    for quote in (b'\\"', b'"', b"'"):
        if value.startswith(quote):
            return quote, value[len(quote) :]
    return b"", value


def _value(match: Match) -> bytes:
    return match[1] + masked_value(match[2])


def _between(match: Match) -> bytes:
    return match[1] + MASK + match[3]


_TRIGGER = (
    rf"(?i:{_NAME}[^A-Za-z0-9]{{0,6}}(?:=|:|%3)"
    r"|[\"?&;](?:amp;)?(?:x-(?:amz|goog)-[a-z]{9,10}|signature|sig|auth|key|code)=[^\s&]{16}"
    r"|://[^\s/?#@:]{0,256}:[^\s/?#@]{1,256}@"
    r"|\s--?(?:[a-z]{1,16}-)?(?:passw|pass\b|passphrase|pwd|token|secret|api-?key|access-?key)"
    r"|\b(?:mysql|mariadb)[a-z-]{0,12}\b|\bsshpass\b|\bcurl\b[^/]|\bnet1?(?:\.exe)?(?:\\?[\"'])?\s{1,3}user\b)"
)
KEYED: Final = Kind(
    "keyed",
    _TRIGGER,
    (
        (_USERINFO, _between),
        (_KEYED, _keyed),
        (_QUERY, _value),
        (_OPTION, _value),
        (_CLIENTS, _value),
        (_NET_USER, _between),
    ),
)
"""Passwords, tokens and keys by name; `user:password@` of URLs; the options of programs that take a password."""

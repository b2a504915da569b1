"""What requests prove themselves with: Authorization and cookies (RFC 9110 11.6.2, RFC 6265), named or bare."""

import base64
import binascii
import re
from typing import Final

from sakimori_collector.domain.privacy.attacks import is_attack, masked_value
from sakimori_collector.domain.privacy.kind import MASK, Kind, Match

_IS = r"\\?[\"']?\s{0,3}(?:=|:|%3[aAdD])\s{0,3}\\?[\"']?"
_SCHEME = r"(?:(?:basic|bearer|digest|token|splunk|apikey|negotiate|ntlm|hawk|aws4-hmac-sha256)(?:\s|\+|%20){1,3})?"
_AUTHORIZATION: Final = rf"(?i)(\b(?:proxy-)?authorization{_IS}{_SCHEME})([^\x00\r\n\"'\\&]+)"
_BEARER: Final = r"(?i)(\bbearer(?:\s|\+|%20){1,3})([\w.~+/-]{16,}=*)"
_BASIC: Final = r"(?i)(\bbasic(?:\s|\+|%20){1,3})([\w+/]{6,}={0,2})"
_COOKIE: Final = rf"(?i)(\b(?:set-)?cookie2?{_IS})([^\x00\r\n\"']*=[^\x00\r\n\"']*)"
_SESSION: Final = (
    r"(?i)((?:\b|_)(?:j|php|asp\.net_|asp)?sess(?:ion)?_?(?:id)?(?:=|%3d)|(?:^|[\x00?&;\s])(?:connect\.)?sid(?:=|%3d))"
    r"([^\s&;,\"'<>#\x00]{12,})"
)
_INJECTED: Final = re.compile(rb"%[0-9A-Fa-f]{2}(?:[Ss]et-)?\Z")
_ATTRIBUTES: Final = (b"path", b"domain", b"expires", b"max-age", b"samesite", b"secure", b"httponly", b"priority")
"""Of Set-Cookie: say nothing of anybody."""


def _authorization(match: Match) -> bytes:
    return match[1] + masked_value(match[2])


def _bearer(match: Match) -> bytes:
    """A word behind "bearer" is no token without a digit in it."""
    return match[1] + MASK if any(48 <= byte <= 57 for byte in match[2]) else match[0]


def _basic(match: Match) -> bytes:
    """Only what decodes to `user:password` is one: "basic authentication" is not."""
    token = match[2].rstrip(b"=")
    try:
        decoded = base64.b64decode(token[:1024] + b"=" * (-len(token[:1024]) % 4))
    except binascii.Error:
        return match[0]
    return match[1] + MASK if b":" in decoded else match[0]


def _cookies(match: Match) -> bytes:
    """Behind an escaped line break it is a header that somebody injects: rules must see it whole."""
    if _INJECTED.search(match.string[max(0, match.start() - 7) : match.start()]) is not None:
        return match[0]
    return match[1] + masked_cookies(match[2])


def masked_cookies(text: bytes) -> bytes:
    """Mask the values of `name=value; name=value`; names and attributes stay."""
    return b";".join(_cookie(pair) for pair in text.split(b";"))


def _cookie(pair: bytes) -> bytes:
    name, mark, value = pair.partition(b"=")
    if not mark or name.strip().lower() in _ATTRIBUTES:
        return pair
    return name + mark + masked_value(value)


def _session(match: Match) -> bytes:
    return match[0] if is_attack(match[2]) else match[1] + MASK


HEADERS: Final = Kind(
    "headers",
    r"(?i:authorization[^A-Za-z0-9]{0,8}(?:[=:]|%3)|\bbearer(?:\s|\+|%20)|\bbasic(?:\s|\+|%20){1,3}[\w+/]{6}"
    r"|cookie2?[^A-Za-z0-9]{0,8}(?:[=:]|%3)|sess(?:ion)?_?(?:id)?(?:=|%3d)|\bsid(?:=|%3d))",
    ((_AUTHORIZATION, _authorization), (_BEARER, _bearer), (_BASIC, _basic), (_COOKIE, _cookies), (_SESSION, _session)),
)
"""Authorization, bare bearer and basic credentials, cookies and session ids of web applications."""

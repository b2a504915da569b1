"""E-mail addresses and telephone numbers."""

from typing import Final

from sakimori_collector.domain.privacy.attacks import is_attack
from sakimori_collector.domain.privacy.kind import MASK, Kind, Match

_LABEL = r"[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff-]{0,61}[A-Za-z0-9\x80-\xff])?"
_EMAIL: Final = rf"([\w.+\x80-\xff-]{{1,64}})((?:@|%40)(?:{_LABEL}\.){{1,8}}([A-Za-z\x80-\xff]{{2,24}}))\b"
_NO_TLD: Final = frozenset(
    b"service socket target timer mount automount slice scope device path swap "
    b"png jpg jpeg gif webp svg ico avif css js mjs map json html htm php xml txt pdf woff woff2 zip gz tgz".split()
)
"""Units of systemd (`user@1000.service`) and files (`logo@2x.png`, `vue@2.6.min.js`)."""
_NOBODY: Final = (b"@openssh.com", b"@libssh.org")
"""Names of algorithms in SSH (RFC 4251 section 6), which look like addresses."""


def _email(match: Match) -> bytes:
    """`//name@host` is no address but a user of a host, or the redirect of somebody who hides where it leads;
    one whose quote somebody closes is part of an injection."""
    if match[3].lower() in _NO_TLD or match[2].lower() in _NOBODY or match[1] == b"git":
        return match[0]
    before = match.string[max(0, match.start() - 4) : match.start()]
    escaped = match[1][:2] if before.endswith(b"%") else b""  # the end of %2F and the like, no part of a name
    if escaped == match[1] or (before + escaped).lower().endswith((b"//", b"%2f%2f")):
        return match[0]
    after = match.string[match.end() : match.end() + 48]
    if after[:3].upper() in (b"%27", b"%22") and is_attack(after):
        return match[0]
    return escaped + MASK + match[2]


EMAIL: Final = Kind("email", _EMAIL, ((_EMAIL, _email),))
"""The part before the @; the domain stays, since phishing and mail loops are seen by it."""

_INTERNATIONAL = r"\+[1-9](?:[0-9]{8,14}|[0-9]{0,2}[ .-]\(?[0-9]{1,4}\)?(?:[ .-][0-9]{2,4}){1,4})"
_TRUNK = r"0[0-9]{1,3}-[0-9]{2,4}-[0-9]{4}|\(0[0-9]{1,4}\) ?[0-9]{2,4}-[0-9]{4}|0[0-9]{1,4}\([0-9]{1,4}\)[0-9]{4}"
_MOBILE = r"0(?:[5789]0|1[016789])[0-9]{7,8}"
_NORTH_AMERICAN = r"(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[.-])[2-9][0-9]{2}[.-][0-9]{4}"
_PHONE: Final = rf"{_INTERNATIONAL}|{_TRUNK}|{_MOBILE}|{_NORTH_AMERICAN}"
_DIGITS: Final = b"0123456789"
_JOINS: Final = frozenset(b"0123456789.-+/_%#:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_JOINS_BEFORE: Final = _JOINS - frozenset(b":")
_JOINS_AFTER: Final = _JOINS - frozenset(b".-:/")


def _phone(match: Match) -> bytes:
    number = match[0]
    digits = sum(byte in _DIGITS for byte in number)
    least = 10 if number[:1] in b"0123456789(" and not number.startswith(b"02") else 9
    most = 15 if number[:1] == b"+" else 11
    return MASK if least <= digits <= most and _stands_alone(match) else number


def _stands_alone(match: Match) -> bool:
    """Part of an id, an address, a version, a path or a longer number: no telephone."""
    text, start, end = match.string, match.start(), match.end()
    if start and text[start - 1] in _JOINS_BEFORE:
        return False
    after = text[end : end + 2]
    return not after or not (after[0] in _JOINS_AFTER or (after[0] in b".-:/" and after[1:2].isalnum()))


PHONE: Final = Kind("phone", _PHONE, ((_PHONE, _phone),))
"""E.164 with its plus, and how numbers are written in Japan, Korea and North America. Bare digits are seldom one."""

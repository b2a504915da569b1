"""The subset of STIX patterns that are indicators one by one.

`[domain-name:value = 'evil.example' OR url:value = 'http://evil.example/a'] OR [ipv4-addr:value ISSUBSET '...']`:
comparisons with `=`, `IN` or `ISSUBSET` of an address, domain, URL, mail address or file hash with a constant, joined
by OR. What AND, FOLLOWEDBY, NOT, LIKE or a qualifier says is more than an indicator, and refused with the reason. The
kept parser, stix2-patterns, takes 0.8 ms for a pattern of one comparison: over three minutes for 250,000.
"""

import re
from collections.abc import Iterator
from typing import Final

from sakimori_detector.domain.intelligence.values import Kind

MAX_CHARACTERS: Final = 65_536
_TOKEN = re.compile(r"\s*('(?:[^'\\]|\\.)*'|[A-Za-z0-9_:.\-]+(?:'[A-Za-z0-9_\-]+')?|[\[\](),]|[!<>]?=|[<>])")
_COMBINING: Final = frozenset({"AND", "FOLLOWEDBY", "NOT", "WITHIN", "REPEATS", "START", "STOP", "EXISTS"})
_OPERATORS: Final = frozenset({"!=", "<", ">", "<=", ">=", "LIKE", "MATCHES", "ISSUPERSET"})
_PATHS: Final = {
    "ipv4-addr:value": Kind.IP,
    "ipv6-addr:value": Kind.IP,
    "network-traffic:dst_ref.value": Kind.IP,
    "network-traffic:src_ref.value": Kind.IP,
    "domain-name:value": Kind.DOMAIN,
    "url:value": Kind.URL,
    "email-addr:value": Kind.EMAIL,
    "email-message:from_ref.value": Kind.EMAIL,
}
_HASH_PATH = re.compile(r"(?:file|artifact|x509-certificate):hashes\.(?:'[A-Za-z0-9-]+'|[A-Za-z0-9_]+)")


class NotSimple(ValueError):
    """A pattern is outside the subset; says what in it is."""


_UNREADABLE: Final = "a pattern that cannot be read"


def comparisons(pattern: str) -> list[tuple[Kind, str]]:
    """List what a pattern says is bad. Raises NotSimple."""
    tokens, found = _tokens(pattern), list[tuple[Kind, str]]()
    is_inside, is_open, depth = False, True, 0  # inside [ ]; something must follow; ( that are open
    while tokens:
        token = tokens.pop()
        match token, is_inside, is_open:
            case "(", _, True:
                depth += 1
            case ")", _, False:
                depth -= 1
            case ("[", False, True) | ("]", True, False):
                is_inside = not is_inside
            case "OR", _, False:
                is_open = True
            case _ if token in _COMBINING:
                raise NotSimple(f"a pattern with {token}")
            case _, True, True:
                found += _comparison(token, tokens)
                is_open = False
            case _:
                raise NotSimple(_UNREADABLE)
    if is_inside or is_open or depth:
        raise NotSimple(_UNREADABLE)
    return found


def _comparison(path: str, tokens: list[str]) -> list[tuple[Kind, str]]:
    kind = Kind.HASH if _HASH_PATH.fullmatch(path) else _PATHS.get(path)
    operator = tokens.pop() if tokens else ""
    if operator in _OPERATORS | _COMBINING:
        raise NotSimple(f"a pattern with {operator}")
    if operator not in {"=", "IN", "ISSUBSET"}:
        raise NotSimple(_UNREADABLE)
    texts = list(_set(tokens)) if operator == "IN" else [_constant(tokens)]
    if kind is None:
        raise NotSimple("a pattern on something that is not matched")
    return [(kind, text) for text in texts]


def _set(tokens: list[str]) -> Iterator[str]:
    follows = ","
    if not tokens or tokens.pop() != "(":
        raise NotSimple(_UNREADABLE)
    while follows == ",":
        yield _constant(tokens)
        follows = tokens.pop() if tokens else ""
    if follows != ")":
        raise NotSimple(_UNREADABLE)


def _constant(tokens: list[str]) -> str:
    token = tokens.pop() if tokens else ""
    if not token.startswith("'"):
        raise NotSimple(_UNREADABLE)
    return re.sub(r"\\(.)", r"\1", token[1:-1])


def _tokens(pattern: str) -> list[str]:
    """Split a pattern, the last token first."""
    text = pattern.strip()
    if len(text) > MAX_CHARACTERS:
        raise NotSimple(f"a pattern of over {MAX_CHARACTERS} characters")
    tokens, at = [], 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise NotSimple(_UNREADABLE)
        tokens.append(found[1])
        at = found.end()
    return tokens[::-1]

"""What a domain name is made of."""

import re
from math import log2
from typing import Final

_EVERYWHERE: Final = frozenset({"ac", "co", "com", "edu", "gov", "mil", "net", "org"})
"""Second levels under which countries register names, wherever the last label is a country's."""
_BY_COUNTRY: Final[dict[str, frozenset[str]]] = {
    "jp": frozenset({"ad", "ed", "go", "gr", "lg", "ne", "or"}),
    "kr": frozenset({"es", "go", "hs", "kg", "ms", "ne", "or", "pe", "re", "sc"}),
    "uk": frozenset({"ltd", "me", "nhs", "plc", "police", "sch"}),
    "au": frozenset({"asn", "id"}),
    "br": frozenset({"blog", "eco", "ind", "jus", "leg", "mus"}),
    "id": frozenset({"go", "my", "or", "sch", "web"}),
    "il": frozenset({"k12", "muni"}),
    "in": frozenset({"firm", "gen", "ind", "nic", "res"}),
    "nz": frozenset({"geek", "gen", "govt", "health", "iwi", "kiwi", "maori", "school"}),
    "th": frozenset({"go", "in", "mi", "or"}),
    "tw": frozenset({"game", "idv"}),
    "za": frozenset({"law", "nom", "school", "web"}),
}

_ESCAPE: Final = re.compile(r"\\(?:(\d{3})|(.))")


def registered_domain(name: str) -> str:
    """Find the part of a name that somebody registered: `example.co.jp` of `www.example.co.jp`; "" where there is none.

    The last two labels, or three where the last two are a suffix that a country gives names under. This small list is
    no Public Suffix List: it knows the registries' own second levels, not those of hosting companies.
    """
    labels = name.split(".")
    if len(labels) < 2 or not labels[-1]:
        return ""
    top, second = labels[-1], labels[-2]
    is_suffix = len(top) == 2 and (second in _EVERYWHERE or second in _BY_COUNTRY.get(top, ()))
    if not is_suffix:
        return ".".join(labels[-2:])
    return ".".join(labels[-3:]) if len(labels) > 2 else ""


def subdomain(name: str, registered: str) -> str:
    """Cut the registered domain off a name; "" where nothing is left."""
    return name[: -len(registered) - 1] if registered and len(name) > len(registered) else ""


def unescaped(name: str) -> str:
    """Undo the escapes of zone files, so that every byte or character of the name is one character again."""
    return _ESCAPE.sub(lambda found: chr(int(found[1])) if found[1] else found[2], name) if "\\" in name else name


def entropy(text: str) -> float:
    """Shannon entropy in bits a character: 0 for one repeated character, 8 for 256 different ones, 0 for none."""
    shares = [text.count(character) / len(text) for character in set(text)]
    return -sum(share * log2(share) for share in shares) + 0.0

"""Display names that pretend to be somebody: roles, bots, the identities of others."""

from enum import StrEnum
from typing import Final

import regex

from sakimori_chat.domain.folding import folded, unleeted


class NameFault(StrEnum):
    """What is wrong with a display name."""

    RESERVED = "reserved"
    """It looks like a role's name, a bot's or an identity's."""
    MIXED_SCRIPTS = "mixed_scripts"
    """A word of it mixes alphabets whose letters look alike (UTS 39, section 5.2, moderately restrictive)."""


_ROLES: Final = ("admin", "administrator", "moderator", "operator", "sysop", "webmaster", "sakimori")
"""Reserved as a word anywhere in a name."""
_WHOLE: Final = (
    *("mod", "mods", "owner", "staff", "support", "system", "server", "root", "bot", "official", "security", "host"),
    *("lobby", "everyone", "here", "anon", "anonymous", "you"),
    *("管理人", "管理者", "管理員", "管理员", "運営", "運営者", "公式", "モデレーター", "モデレータ", "オペレーター"),
    *("サポート", "システム", "ボット", "관리자", "운영자", "운영진", "매니저", "시스템", "공식", "봇"),
)
"""Reserved as the whole of a name."""
_SHOWN_ID: Final = regex.compile(r"anon[-_. ]?[0-9a-f]{8}")
"""As others are shown who gave no name (see identity.shown_as)."""
_BOT: Final = regex.compile(r"bot[-_:./ ].*")
_WORD: Final = regex.compile(r"[\p{L}\p{N}@$|!]+")
_LETTERS: Final = regex.compile(r"\p{L}+")
_ALIKE: Final = tuple(
    regex.compile(rf"\p{{Script={script}}}")
    for script in ("Latin", "Cyrillic", "Greek", "Coptic", "Armenian", "Cherokee", "Lisu")
)


def fault_of(name: str) -> NameFault | None:
    """Look at a cleaned display name; None when anybody may bear it. Some 10 us for ASCII, 50 for others."""
    if not name:
        return None
    plain = folded(name)
    if _SHOWN_ID.fullmatch(plain) or _BOT.fullmatch(plain) or _is_role(plain):
        return NameFault.RESERVED
    if not name.isascii() and any(_is_mixed(word) for word in _LETTERS.findall(name)):
        return NameFault.MIXED_SCRIPTS
    return None


def _is_role(plain: str) -> bool:
    words = [_skeleton(word) for word in _WORD.findall(plain)]
    whole = "".join(words)
    if whole in _RESERVED or any(word in _RESERVED_WORDS for word in words):
        return True
    return any(word.startswith(_ADMIN) or word.endswith(_ADMIN) for word in (*words, whole))


def _skeleton(word: str) -> str:
    """Read a word as it looks at a glance; a number at its end is not part of it."""
    bare = word.rstrip("0123456789") or word
    return unleeted(bare).replace("rn", "m").replace("vv", "w")


def _is_mixed(word: str) -> bool:
    return sum(script.search(word) is not None for script in _ALIKE) > 1


_ADMIN: Final = _skeleton("admin")
_RESERVED_WORDS: Final = frozenset(_skeleton(folded(role)) for role in _ROLES)
_RESERVED: Final = _RESERVED_WORDS | frozenset(_skeleton(folded(role)) for role in _WHOLE)

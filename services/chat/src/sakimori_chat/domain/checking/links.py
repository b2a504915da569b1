"""Links in a message: addresses, bare names of hosts, and both as people write them to get around a filter."""

import unicodedata
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import regex

from sakimori_chat.domain.checks import Objection, Said
from sakimori_chat.domain.folding import folded
from sakimori_chat.domain.rooms import CheckName, RoomPolicy

ALLOWED: Final = 0.0
"""Links that a message may have where a room that looks for them does not say."""

_UNSEEN: Final = regex.compile(r"[\p{Cf}\ufe00-\ufe0f]+")
_DOTS: Final = r"[.。．｡]"
_DOT_WORD: Final = r"(?:dot|d0t|ドット|どっと|点|점|точка|punkt|punto|ponto)"
_DEFANGED_SCHEME: Final = regex.compile(r"(?i)\bh(?:xx|\*\*|\+\+|__)p(s?)(?=\s?:)")
_SPACED_SCHEME: Final = regex.compile(r"(?i)\b(https?)\s?:\s?/\s?/\s?")
_BRACKETED_DOT: Final = regex.compile(rf"(?i)\s?[\[({{<]\s?(?:{_DOTS}|{_DOT_WORD})\s?[\])}}>]\s?")
_SAID_DOT: Final = regex.compile(
    rf"(?i)(?<=[\p{{L}}\p{{N}}])\s+{_DOT_WORD}\s+(?=(?:com|org|xyz|biz|ru|gg|io|info|online|site|shop|club)\b)"
    rf"|(?<=[\p{{L}}\p{{N}}])(?:\s+{_DOTS}\s*|\s*{_DOTS}\s+)(?=(?:com|org|xyz|biz|ru|gg)\b)"
)
"""A full stop in words or between spaces, before what hosts end in and sentences do not go on with (not `net`)."""
_BEFORE_SAID_DOT: Final = frozenset({"the", "a", "an", "and", "or", "of", "this", "that", "no", "my", "your", "big"})

_HOST: Final = rf"[\w-]++(?:{_DOTS}[\w-]++)++"
_LINK: Final = regex.compile(
    rf"""(?xi)
    (?<![\w@.-]) (?P<scheme> [a-z][a-z0-9+]{{1,15}} ) :/+ (?: [^\s/?\#@]{{0,64}}+ @ )?+ (?P<named> [^\s/?\#:]++ )
    | (?<![\w@.-]) (?P<bare> {_HOST} ) (?! [\w@-] ) (?P<port> :\d{{2,5}} )?+ (?P<path> [/?\#][^\s]?+ )?+
    """
)
_ADDRESS: Final = regex.compile(r"\d{1,3}(?:\.\d{1,3}){3}")

_COMMON_ENDS: Final = frozenset(
    {
        *("com", "net", "org", "info", "biz", "io", "xyz", "online", "site", "shop", "club", "live", "top", "app"),
        *("dev", "store", "link", "click"),
    }
)
"""Endings that a name with nothing after it is believed with; most of the other long ones are words."""
_WORDLIKE_ENDS: Final = frozenset(
    {
        *("am", "as", "at", "be", "by", "do", "go", "hm", "id", "in", "is", "it", "la", "me", "my", "no", "pm", "so"),
        *("to", "us"),
        *("ai", "cc", "cs", "md", "mk", "ml", "mov", "pl", "ps", "py", "rs", "sh", "st", "zip"),  # files
    }
)
"""Countries' endings that are words, or what files end in: believed only with something after them."""


class Link(NamedTuple):
    """A link's host, in small letters, and what it looks like where that is another host."""

    host: str
    looks_like: str | None = None


class Links:
    """Objects to more links than the room allows (its threshold), and to any host that looks like another."""

    name = CheckName.LINKS

    def __init__(self, is_suffix: Callable[[str], bool]) -> None:
        """`is_suffix` says whether names may be registered under a domain (`com`, `co.uk`)."""
        self._is_suffix = is_suffix

    def objection(self, said: Said, policy: RoomPolicy) -> Objection | None:
        """See Check. Some 20 us without a full stop in the message; the reasons name the hosts."""
        found = self.links(said.text)
        set_to = policy.check(self.name).threshold
        allowed = ALLOWED if set_to is None else set_to
        if len(found) <= allowed and not any(link.looks_like for link in found):
            return None
        reasons = [f"{link.host} looks like {link.looks_like}" if link.looks_like else link.host for link in found]
        posing = sum(link.looks_like is not None for link in found)
        outline = (f"links: {len(found)}", *([f"made to look like another host: {posing}"] if posing else []))
        return Objection(self.name, float(len(found)), allowed, tuple(dict.fromkeys(reasons))[:5], outline)

    def links(self, text: str) -> list[Link]:
        """Find the links of a text, in their order."""
        plain = _plain(text)
        return [Link(host, lookalike(host)) for host in self._hosts(plain)]

    def _hosts(self, plain: str) -> Iterator[str]:
        for match in _LINK.finditer(plain):
            raw = match["named"] or match["bare"]
            host = regex.sub(_DOTS, ".", raw).strip(".").lower()
            if match["named"] or self._is_host(host, raw, has_more=bool(match["port"] or match["path"])):
                yield host

    def _is_host(self, host: str, raw: str, *, has_more: bool) -> bool:
        """Tell the name of a host from a file's, and from two sentences without a space between them."""
        labels = host.split(".")
        if _ADDRESS.fullmatch(host):
            return has_more
        end = labels[-1] if self._is_suffix(labels[-1]) else folded(labels[-1])
        if not self._is_suffix(end) or any(len(label) > 63 or label.startswith("-") for label in labels):
            return False
        if has_more or labels[0] == "www":
            return True
        begins_sentence = raw[-len(labels[-1])].isupper() and not raw.isupper()
        is_usual = len(end) == 2 or end in _COMMON_ENDS or end.startswith("xn--")
        return is_usual and end not in _WORDLIKE_ENDS and not begins_sentence and len(labels[-2]) > 1


def lookalike(host: str) -> str | None:
    """Tell which host of plain letters one looks like whose letters are of another alphabet, also as punycode."""
    shown = ".".join(_decoded(label) for label in host.split("."))
    if shown.isascii() or not regex.search(r"[^\p{Latin}\p{N}\p{M}.-]", shown):
        return None
    plain = folded(shown)
    return plain if plain.isascii() else None


def _plain(text: str) -> str:
    """Write a text so that hidden links are plain ones."""
    plain = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    plain = _SPACED_SCHEME.sub(r"\1://", _DEFANGED_SCHEME.sub(r"http\1", plain))
    return _SAID_DOT.sub(_meant, _BRACKETED_DOT.sub(".", plain))


def _meant(match: "regex.Match[str]") -> str:
    before = match.string[max(0, match.start() - 16) : match.start()]
    word = regex.split(r"[^\w]", before)[-1].lower()
    return match[0] if word in _BEFORE_SAID_DOT else "."


def _decoded(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:67].encode("ascii").decode("punycode")
    except UnicodeError:
        return label

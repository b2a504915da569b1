"""All sources together, and asking them about a value."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain, filterfalse, repeat
from operator import itemgetter
from typing import Final, NamedTuple

from sakimori_detector.domain.intelligence.keys import Keys
from sakimori_detector.domain.intelligence.networks import Networks
from sakimori_detector.domain.intelligence.quads import Quads
from sakimori_detector.domain.intelligence.stock import Origin, Stock
from sakimori_detector.domain.intelligence.values import Kind, domain_of, email_of, hash_of, host_of, url_of
from sakimori_detector.sigma.events import address_of

MAX_DOMAIN: Final = 253
_PLAIN: Final = "[A-Za-z0-9_.-]*[A-Za-z0-9]"
"""A host as the index has it, but for capitals: no port, no user, no query right behind it."""
_PLAIN_HOST = re.compile(_PLAIN).fullmatch
_PLAIN_HOSTS = re.compile(f"(?:{_PLAIN}\n)*")
Known = tuple[str, Origin]
"""An indicator and who says so."""


class Hit(NamedTuple):
    """A value is known to be bad: by which indicator, and who says so, the surest source first."""

    kind: Kind
    indicator: str
    origins: tuple[Origin, ...]


class Table:
    """The indicators of some sources. Never changes: whoever wants another builds another."""

    def __init__(self, stocks: Iterable[Stock] = ()) -> None:
        stocks = list(stocks)
        self._keys = {kind: Keys(stock.texts[kind] for stock in stocks if kind in stock.texts) for kind in Kind}
        self._networks = Networks(item for stock in stocks for item in stock.networks)
        addresses = chain.from_iterable(stock.texts.get(Kind.IP, ()) for stock in stocks)
        self._quads = Quads(addresses, self._networks.narrow, self._networks.wide)
        self._hosts = Keys(stock.hosts for stock in stocks)
        self._search: dict[Kind, Callable[[str], Sequence[Known]]] = {
            Kind.IP: self._address,
            Kind.DOMAIN: self._domain,
            Kind.URL: self._url,
            Kind.HASH: lambda text: self._exact(Kind.HASH, hash_of(text)),
            Kind.EMAIL: lambda text: self._exact(Kind.EMAIL, email_of(text)),
        }

        self._count = sum(map(len, self._keys.values())) + len(self._networks)

    def __len__(self) -> int:
        return self._count

    def known(self, kind: Kind, texts: Collection[str]) -> set[str]:
        """Choose those of different texts of which anything is known, expired or not."""
        sifted: Collection[str]
        match kind:
            case Kind.IP:
                sifted = self._quads.sift(texts)
            case Kind.DOMAIN:
                sifted = texts if self._has_domain_of(texts) else ()
            case Kind.URL:
                sifted = self._sifted_urls(texts) if self._keys[kind] else ()
            case _:
                sifted = texts if self._keys[kind] else ()
        return {text for text in sifted if self._search[kind](text)}

    def _has_domain_of(self, texts: Collection[str]) -> bool:
        """Say whether any of the texts, or of what stands behind one of its dots, is known, or has to be spelled."""
        keys, joined = self._keys[Kind.DOMAIN], "\n".join(texts)
        if not (keys and joined.isascii()):
            return bool(keys)
        ends: Collection[str] = texts
        if not joined.islower() or f"{joined}\n".find(".\n") >= 0:
            ends = {text.lower().rstrip(".") for text in texts}
        if max(map(len, ends), default=0) > MAX_DOMAIN:
            ends = {text for text in ends if len(text) <= MAX_DOMAIN}
        listed = list[str]()
        while ends:
            listed += ends
            ends = set(map(itemgetter(2), map(str.partition, ends, repeat("."))))
            ends.discard("")
        return any(keys.find(listed[place]) for place in keys.sieve.sift(listed))

    def _sifted_urls(self, texts: Collection[str]) -> set[str]:
        hosts = authorities(texts)
        known = self.hosts_with_urls(set(hosts.values()))
        return {text for text, host in hosts.items() if host in known} if known else set()

    def hosts_with_urls(self, hosts: Collection[str]) -> set[str]:
        """Choose the hosts of which a URL may be among the indicators; what is more than a host may be anything."""
        listed = list(hosts)
        odd = set[str]() if _PLAIN_HOSTS.fullmatch("\n".join([*listed, ""])) else set(filterfalse(_PLAIN_HOST, listed))
        return odd.union(listed[place] for place in self._hosts.sieve.sift(list(map(str.lower, listed))))

    def search(self, kind: Kind, text: str) -> Sequence[Known]:
        """List what is known of a value, the narrowest indicator first, expired or not."""
        return self._search[kind](text)

    def find(self, kind: Kind, text: str, at: int) -> Hit | None:
        """Say what is known of a value at an instant."""
        return hit_of(kind, self._search[kind](text), at)

    def _address(self, text: str) -> Sequence[Known]:
        if ":" in text:
            address = address_of(text)
            if address is None:
                return ()
            text = str(address)
        exact, networks = self._keys[Kind.IP].find(text), self._networks.find(text)
        return [*((text, origin) for origin in exact), *networks] if exact or networks else ()

    def _domain(self, text: str) -> Sequence[Known]:
        if not (text.islower() and text.isascii()) or text[-1] == ".":
            text = domain_of(text) or ""
        if len(text) > MAX_DOMAIN:
            return ()
        keys, found = self._keys[Kind.DOMAIN], list[Known]()
        while text:
            if origins := keys.find(text):
                found += [(text, origin) for origin in origins]
            text = text.partition(".")[2]
        return found

    def _url(self, text: str) -> Sequence[Known]:
        host = host_of(text) if self._keys[Kind.URL] else None
        return self._exact(Kind.URL, url_of(text)) if host is not None and self._hosts.find(host) else ()

    def _exact(self, kind: Kind, text: str | None) -> Sequence[Known]:
        return [] if text is None else [(text, origin) for origin in self._keys[kind].find(text)]


def authorities(texts: Collection[str]) -> dict[str, str]:
    """Find what stands between `://` and the next `/` in each text that has it: a host, perhaps with more."""
    urls = [text for text in texts if "://" in text] if "://" in "\n".join(texts) else []
    return dict(zip(urls, map(itemgetter(2), map(str.split, urls, repeat("/"), repeat(3))), strict=True))


def hit_of(kind: Kind, known: Sequence[Known], at: int) -> Hit | None:
    """Choose the surest of what holds at an instant; of two equally sure ones the narrower, which stands first."""
    live = [each for each in known if each[1].holds(at)]
    if not live:
        return None
    live.sort(key=lambda each: _sureness(each[1]), reverse=True)
    return Hit(kind, live[0][0], tuple(_one_per_source(origin for _, origin in live)))


def _sureness(origin: Origin) -> float:
    return 1.0 if origin.confidence is None else origin.confidence


def _one_per_source(origins: Iterable[Origin]) -> Iterator[Origin]:
    sources: set[str] = set()
    for origin in origins:
        if origin.source not in sources:
            sources.add(origin.source)
            yield origin

"""All sources together, and asking them about a value."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat
from operator import itemgetter
from typing import Final, NamedTuple

from sakimori_detector.domain.intelligence.keys import Keys
from sakimori_detector.domain.intelligence.networks import Networks
from sakimori_detector.domain.intelligence.sieve import Sieve
from sakimori_detector.domain.intelligence.stock import Origin, Stock
from sakimori_detector.domain.intelligence.values import Kind, domain_of, email_of, hash_of, host_of, url_of
from sakimori_detector.sigma.events import address_of

MAX_DOMAIN: Final = 253
_PLAIN_HOST = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z0-9]")
"""A host as the index has it, but for capitals: no port, no user, no query right behind it."""
Known = tuple[str, Origin]
"""An indicator and who says so."""


class Hit(NamedTuple):
    """A value is known to be bad: by which indicator, and who says so, the surest source first."""

    kind: Kind
    indicator: str
    origins: tuple[Origin, ...]


class Table:
    """The indicators of some sources. Never changes: whoever wants another builds another.

    A look-up of what is not there costs 0.2-0.4 us, of a domain that for each of its labels.
    """

    def __init__(self, stocks: Iterable[Stock] = ()) -> None:
        stocks = list(stocks)
        self._keys = {kind: Keys(stock.texts[kind] for stock in stocks if kind in stock.texts) for kind in Kind}
        self._networks = Networks(item for stock in stocks for item in stock.networks)
        addresses = chain.from_iterable(stock.texts.get(Kind.IP, ()) for stock in stocks)
        self._heads = Sieve.of({text.rpartition(".")[0] for text in addresses}.union(self._networks.heads))
        self._hosts = Keys(stock.hosts for stock in stocks)
        self._has_top_level = any("." not in text for stock in stocks for text in stock.texts.get(Kind.DOMAIN, ()))
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

    def known(self, kind: Kind, texts: Sequence[str]) -> set[str]:
        """Choose those of many values of which anything is known, expired or not. Some 0.2-0.5 us a value."""
        search = self._search[kind]
        return {text for text in self._sifted(kind, texts) if search(text)} if texts else set()

    def _sifted(self, kind: Kind, texts: Sequence[str]) -> set[str]:
        """Choose values that may be known, all that are among them."""
        keys = self._keys[kind]
        match kind:
            case Kind.IP:
                return self._heads.sift_heads(texts, 1) | self._networks.sift_wide(texts)
            case Kind.DOMAIN:
                return self._sifted_domains(texts) if keys else set()
            case Kind.URL:
                return self._sifted_urls(texts) if keys else set()
            case _:
                return {text for text in texts if keys.sieve.passes(text.lower())} if keys else set()

    def _sifted_domains(self, texts: Sequence[str]) -> set[str]:
        names, joined = texts, "\n".join(texts)
        if not joined.islower() or ".\n" in joined or joined.endswith("."):
            names = list(map(str.lower, map(str.rstrip, texts, repeat("."))))
        if max(map(len, names)) > MAX_DOMAIN:
            names = [name if len(name) <= MAX_DOMAIN else "" for name in names]
        sifted = self._keys[Kind.DOMAIN].sieve.sift_ends(names, to_the_last=self._has_top_level)
        if not joined.isascii():
            sifted |= {name for name in names if not name.isascii()}
        return {text for text, name in zip(texts, names, strict=True) if name in sifted} if sifted else set()

    def _sifted_urls(self, texts: Sequence[str]) -> set[str]:
        behind = map(itemgetter(2), map(str.partition, texts, repeat("://")))
        hosts = list(map(itemgetter(0), map(str.partition, behind, repeat("/"))))
        passing = {host for host in set(hosts) if host and self._may_have_host(host)}
        return {text for text, host in zip(texts, hosts, strict=True) if host in passing} if passing else set()

    def _may_have_host(self, host: str) -> bool:
        return not _PLAIN_HOST.fullmatch(host) or self._hosts.sieve.passes(host.lower())

    def search(self, kind: Kind, text: str) -> Sequence[Known]:
        """List what is known of a value, the narrowest indicator first, expired or not."""
        return self._search[kind](text)

    def find(self, kind: Kind, text: str, at: int) -> Hit | None:
        """Say what is known of a value at an instant."""
        return hit_of(kind, self._search[kind](text), at)

    def has_urls_of(self, host: str) -> bool:
        """Say whether a URL of a host is among the indicators."""
        return bool(self._hosts.find(host))

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
            if "." not in text and not self._has_top_level:
                break
        return found

    def _url(self, text: str) -> Sequence[Known]:
        host = host_of(text) if self._keys[Kind.URL] else None
        return self._exact(Kind.URL, url_of(text)) if host is not None and self._hosts.find(host) else ()

    def _exact(self, kind: Kind, text: str | None) -> Sequence[Known]:
        return [] if text is None else [(text, origin) for origin in self._keys[kind].find(text)]


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

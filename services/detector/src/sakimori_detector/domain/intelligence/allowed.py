"""The allow-list, which always wins: what is on it is no indicator, and nobody blocks it."""

from collections.abc import Iterable

from sakimori_detector.domain.intelligence.entries import Entry
from sakimori_detector.domain.intelligence.stock import Terms, gather
from sakimori_detector.domain.intelligence.table import Table
from sakimori_detector.domain.intelligence.values import Kind, host_of


class AllowList:
    """Addresses and networks, domains with their children, URLs, hashes, mail addresses."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = tuple(entries)
        self._table = Table([gather(self.entries, Terms("allowed"))])

    def find(self, address: str) -> str | None:
        """Give the entry that an address is allowed by; None where it is not, or is no address."""
        return self._entry(Kind.IP, address)

    def covers(self, kind: Kind, text: str) -> bool:
        """Say whether a value is allowed; a URL also by its host, a mail address by its domain."""
        if self._entry(kind, text) is not None:
            return True
        if kind is Kind.EMAIL:
            return self._entry(Kind.DOMAIN, text.rpartition("@")[2]) is not None
        host = host_of(text) if kind is Kind.URL else None
        return host is not None and any(self._entry(each, host) is not None for each in (Kind.IP, Kind.DOMAIN))

    def _entry(self, kind: Kind, text: str) -> str | None:
        known = self._table.search(kind, text)
        return known[0][0] if known else None

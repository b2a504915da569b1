"""A hosts file that sends bad names nowhere: `0.0.0.0 evil.example other.example # comment`."""

from collections.abc import Iterator
from typing import Final

from sakimori_detector.domain.intelligence.entries import Entry, Reading, Skipped, text_of
from sakimori_detector.domain.intelligence.values import Kind, domain_of
from sakimori_detector.sigma.events import address_of

_OWN_NAMES: Final = frozenset(
    {"localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost", "ip6-loopback"}
    | {"ip6-localnet", "ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters", "ip6-allhosts", "0.0.0.0"}  # noqa: S104
)
"""What such files begin with, for the machine itself."""


def read(document: bytes, reading: Reading) -> Iterator[Entry | Skipped]:
    """Read it; the address says nothing."""
    for number, line in enumerate(text_of(document).splitlines(), start=1):
        address, *names = line.partition("#")[0].split() or [""]
        if not address:
            continue
        if address_of(address.partition("%")[0]) is None or not names:
            yield Skipped(number, "no line of a hosts file", is_foreign=True)
            continue
        for name in names:
            domain = domain_of(name)
            if name.lower() in _OWN_NAMES:
                continue
            yield Skipped(number, "no domain") if domain is None else Entry(Kind.DOMAIN, domain)

"""What no feed may call bad: your own networks, everybody's resolvers, whole top-level domains, the empty file.

Public lists have had each of these: lists of bogons hold all private networks, sandboxes report the resolver they use.
"""

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from sakimori_detector.domain.intelligence.entries import Entry, Skipped
from sakimori_detector.domain.intelligence.networks import Networks
from sakimori_detector.domain.intelligence.values import Kind, host_of

IsSuffix = Callable[[str], bool]
"""Says whether anybody may register names under a domain: `com`, `co.uk`, `github.io`."""

_OWN: Final = "a private, loopback, multicast or reserved network"
_RESOLVER: Final = "a public resolver"
_GUARDED: Final[dict[str, str]] = {
    **dict.fromkeys(("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"), _OWN),
    **dict.fromkeys(("172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3"), _OWN),
    **dict.fromkeys(("::/127", "fc00::/7", "fe80::/10", "ff00::/8"), _OWN),
    **dict.fromkeys(("1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "149.112.112.112"), _RESOLVER),
    **dict.fromkeys(("208.67.222.222", "208.67.220.220"), _RESOLVER),
    **dict.fromkeys(("2606:4700:4700::1111", "2606:4700:4700::1001", "2001:4860:4860::8888"), _RESOLVER),
    **dict.fromkeys(("2001:4860:4860::8844", "2620:fe::fe"), _RESOLVER),
}
"""RFC 6890 without the documentation ranges, which nobody routes and every example uses."""
_PLACES: Final = Networks(_GUARDED.items())
_NETWORKS: Final = [(ipaddress.ip_network(text), why) for text, why in _GUARDED.items()]
_EMPTY_FILE: Final = frozenset(
    {
        "d41d8cd98f00b204e9800998ecf8427e",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
)


def guarded(found: Iterable[Entry | Skipped], is_suffix: IsSuffix) -> Iterator[Entry | Skipped]:
    """Let through what a document has, but for entries that are not to be believed."""
    for number, item in enumerate(found, start=1):
        why = refusal(item, is_suffix) if isinstance(item, Entry) else None
        yield item if why is None else Skipped(number, f"refused: {why}")


def refusal(entry: Entry, is_suffix: IsSuffix) -> str | None:
    """Say why an entry of a feed is not to be believed, or None."""
    kind, text = entry.kind, entry.text
    if kind is Kind.URL:
        return _address_refusal(host_of(f"http://{text}") or "")
    if kind is Kind.DOMAIN:
        return "a whole top-level domain or public suffix" if is_suffix(text) or text == "localhost" else None
    if kind is Kind.HASH:
        return "the empty file" if text in _EMPTY_FILE else None
    return _address_refusal(text) if kind is Kind.IP else None


def _address_refusal(text: str) -> str | None:
    if "/" not in text:
        return next((why for _, why in _PLACES.find(text)), None)
    network = ipaddress.ip_network(text)
    return next(
        (why for guarded, why in _NETWORKS if network.version == guarded.version and network.overlaps(guarded)), None
    )

"""Which addresses are in a network, and which are allowed."""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sakimori_detector.domain.intelligence.allowed import AllowList
from sakimori_detector.domain.intelligence.lists import read_list, table_of
from sakimori_detector.domain.intelligence.networks import Networks
from sakimori_detector.domain.intelligence.values import Kind


def listed(*entries: str) -> AllowList:
    return AllowList(read_list("lists/allowed.txt", "\n".join(entries)).entries)


LISTED = listed("198.51.100.7", "198.51.100.192/28", "96.0.0.0/4", "2001:db8:bad::/48")


@pytest.mark.parametrize(
    ("address", "entry"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("198.51.100.207", "198.51.100.192/28"),
        ("111.255.255.255", "96.0.0.0/4"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:DB8:0BAD:0::1", "2001:db8:bad::/48"),
    ],
)
def test_an_address_is_found_in_each_spelling(address: str, entry: str) -> None:
    assert LISTED.find(address) == entry


@pytest.mark.parametrize(
    "text",
    [
        "198.51.100.8",
        "198.51.100.70",
        "112.0.0.0",
        "2001:db8:bae::1",
        "198.51.100.07",
        "198.51.100",
        "",
        " 198.51.100.7",
    ],
)
def test_what_lies_beside_or_is_no_address_is_not_found(text: str) -> None:
    assert LISTED.find(text) is None


def networks(version: int) -> st.SearchStrategy[str]:
    bits = 32 if version == 4 else 128
    addresses = st.ip_addresses(v=version)  # type: ignore[arg-type]  # 4 or 6, as it wants
    return addresses.flatmap(lambda at: st.integers(0, bits).map(lambda n: f"{at}/{n}"))


@settings(deadline=None)
@given(
    entries=st.lists(networks(4) | networks(6), max_size=6),
    near=st.integers(-2, 2),
    address=st.ip_addresses(),
    number=st.integers(0, 5),
)
def test_an_address_is_in_just_the_networks_that_python_says(
    entries: list[str], near: int, address: ipaddress.IPv4Address | ipaddress.IPv6Address, number: int
) -> None:
    parsed = [ipaddress.ip_network(entry, strict=False) for entry in entries]
    if number < len(parsed):  # look at the edges of a network, where mistakes are
        edge = parsed[number].broadcast_address if near > 0 else parsed[number].network_address
        bits = parsed[number].max_prefixlen
        address = type(edge)(min(max(int(edge) + near, 0), 2**bits - 1))
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    expected = [str(network) for network in parsed if address in network]
    found = Networks((str(network), "tag") for network in parsed).find(str(address))
    assert sorted(text for text, _ in found) == sorted(expected)
    hit = table_of("a", read_list("lists/a.txt", "\n".join(entries)).entries).find(Kind.IP, str(address), 0)
    assert (hit is not None) is bool(expected)

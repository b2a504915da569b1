"""Which addresses are on a list."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_detector.domain.indicators import Indicators

LISTED = Indicators(["198.51.100.7", "198.51.100.192/28", "96.0.0.0/4", "2001:db8:bad::/48"])


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
    "text", ["198.51.100.8", "112.0.0.0", "2001:db8:bae::1", "198.51.100.07", "198.51.100", "198", "", " 198.51.100.7"]
)
def test_what_lies_beside_or_is_no_address_is_not_found(text: str) -> None:
    assert LISTED.find(text) is None


@given(
    entries=st.lists(
        st.ip_addresses(v=4).flatmap(lambda at: st.integers(0, 32).map(lambda n: f"{at}/{n}")), max_size=4
    ),
    address=st.ip_addresses(v=4),
)
def test_an_address_is_on_the_list_when_a_network_of_it_has_it(
    entries: list[str], address: ipaddress.IPv4Address
) -> None:
    networks = [ipaddress.ip_network(entry, strict=False) for entry in entries]
    assert (Indicators(entries).find(str(address)) is not None) == any(address in network for network in networks)

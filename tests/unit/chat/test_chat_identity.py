import pytest

from sakimori_chat.domain.identity import Hasher, canonical_address, is_anonymous_id, network_of, shown_as

KEY = "a key of the server, long enough"
OTHER_KEY = "another key of the server, as long"


def test_the_same_client_gets_the_same_hashes() -> None:
    first = Hasher(KEY).client("203.0.113.7", "Firefox", "ja")
    assert first == Hasher(KEY).client("203.0.113.7", "Firefox", "ja")


def test_hashes_change_with_the_key() -> None:
    ours, theirs = (Hasher(key).client("203.0.113.7", "Firefox", "ja") for key in (KEY, OTHER_KEY))
    assert ours.ip_hash != theirs.ip_hash
    assert ours.ua_hash != theirs.ua_hash
    assert ours.fingerprint != theirs.fingerprint


def test_hashes_are_sixteen_hex_digits_and_show_nothing_of_the_address() -> None:
    client = Hasher(KEY).client("203.0.113.7", "Firefox", "ja")
    for value in (client.ip_hash, client.network_hash, client.ua_hash, client.fingerprint):
        assert len(value) == 16
        assert int(value, 16) >= 0


@pytest.mark.parametrize(
    ("address", "user_agent", "language"),
    [("203.0.113.8", "Firefox", "ja"), ("203.0.113.7", "Chrome", "ja"), ("203.0.113.7", "Firefox", "en")],
)
def test_another_address_browser_or_language_is_another_fingerprint(
    address: str, user_agent: str, language: str
) -> None:
    assert (
        Hasher(KEY).client(address, user_agent, language).fingerprint
        != Hasher(KEY).client("203.0.113.7", "Firefox", "ja").fingerprint
    )


def test_moving_a_character_between_user_agent_and_language_is_another_fingerprint() -> None:
    hasher = Hasher(KEY)
    assert hasher.client("", "ab", "c").fingerprint != hasher.client("", "a", "bc").fingerprint


def test_an_ipv6_subscriber_keeps_its_fingerprint_within_its_network() -> None:
    hasher = Hasher(KEY)
    one, two = (hasher.client(f"2001:db8:1:2::{host}", "Firefox", "ja") for host in (1, 2))
    assert one.fingerprint == two.fingerprint
    assert one.network_hash == two.network_hash
    assert one.ip_hash != two.ip_hash


def test_addresses_have_one_form() -> None:
    assert canonical_address("::ffff:203.0.113.7") == "203.0.113.7"
    assert canonical_address("2001:DB8:0:0::1") == "2001:db8::1"
    assert canonical_address("fe80::1%eth0") == "fe80::1"
    assert canonical_address("x" * 500) == "x" * 64


def test_the_network_of_ipv4_is_the_address_and_of_ipv6_the_64() -> None:
    assert network_of("203.0.113.7") == "203.0.113.7"
    assert network_of("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::/64"
    assert network_of("nonsense") == "nonsense"


def test_only_a_uuid4_in_canonical_form_is_an_anonymous_id() -> None:
    assert is_anonymous_id("0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e")
    assert not is_anonymous_id("0B0F3C5E-7A55-4B1E-9D0A-5A4F3F1C2D3E")
    assert not is_anonymous_id("0b0f3c5e-7a55-1b1e-9d0a-5a4f3f1c2d3e")
    assert not is_anonymous_id("fp:0b0f3c5e")
    assert not is_anonymous_id("")


def test_others_see_eight_hex_digits() -> None:
    assert shown_as("0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e") == "anon-0b0f3c5e"

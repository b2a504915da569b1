"""Registered domains, subdomains, entropy."""

import random
import string

import pytest

from sakimori_packet_sensor.domain.domain_names import entropy, registered_domain, subdomain, unescaped


@pytest.mark.parametrize(
    ("name", "registered", "below"),
    [
        ("www.example.com", "example.com", "www"),
        ("a.b.example.com", "example.com", "a.b"),
        ("example.com", "example.com", ""),
        ("www.example.co.jp", "example.co.jp", "www"),
        ("example.or.kr", "example.or.kr", ""),
        ("www.example.co.uk", "example.co.uk", "www"),
        ("www.city.lg.jp", "city.lg.jp", "www"),
        ("co.jp", "", ""),
        ("t.co", "t.co", ""),
        ("www.t.co", "t.co", "www"),
        ("go.com", "go.com", ""),
        ("x.ne.com", "ne.com", "x"),
        ("localhost", "", ""),
        (".", "", ""),
        ("1.2.0.192.in-addr.arpa", "in-addr.arpa", "1.2.0.192"),
        ("printer.local", "printer.local", ""),
    ],
)
def test_registered_domain_and_what_is_below(name: str, registered: str, below: str) -> None:
    assert registered_domain(name) == registered
    assert subdomain(name, registered) == below


@pytest.mark.parametrize(("name", "plain"), [("a.b", "a.b"), ("a\\.b\\\\", "a.b\\"), ("\\200\\007x", "\xc8\x07x")])
def test_escapes_do_not_count_as_characters(name: str, plain: str) -> None:
    assert unescaped(name) == plain


@pytest.mark.parametrize(
    ("text", "bits"), [("", 0.0), ("aaaaaa", 0.0), ("ab", 1.0), ("abcd", 2.0), ("".join(map(chr, range(256))), 8.0)]
)
def test_entropy_of_what_is_known(text: str, bits: float) -> None:
    assert entropy(text) == pytest.approx(bits, abs=1e-9)


def test_encoded_data_has_more_entropy_than_words() -> None:
    encoded = "".join(random.Random(7).choices(string.ascii_lowercase + string.digits, k=60))
    assert entropy(encoded) > 4.3
    assert entropy("mail-server-tokyo-east") < 3.9

"""Who the client is, and which headers pass."""

import pytest

from sakimori_api_gateway.domain.addresses import client_of, parse_address, parse_networks
from sakimori_api_gateway.domain.headers import request_headers, response_headers

PROXIES = parse_networks("10.0.0.0/8,2001:db8:ffff::/48")


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        pytest.param("203.0.113.7", "", "203.0.113.7", id="no proxy"),
        pytest.param("203.0.113.7", "198.51.100.1", "203.0.113.7", id="a stranger's word is nothing"),
        pytest.param("10.0.0.1", "198.51.100.1", "198.51.100.1", id="a trusted proxy's word is"),
        pytest.param("10.0.0.1", "192.0.2.9, 198.51.100.1", "198.51.100.1", id="what stands before is invented"),
        pytest.param("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1", id="through two proxies"),
        pytest.param("10.0.0.1", "198.51.100.1, rubbish", "10.0.0.1", id="unreadable: the last known hop"),
        pytest.param("10.0.0.1", "", "10.0.0.1", id="the proxy itself"),
        pytest.param("2001:db8:ffff::1", "2001:DB8::5", "2001:db8::5", id="IPv6, normalised"),
        pytest.param("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1", id="IPv4 mapped into IPv6"),
        pytest.param("", "198.51.100.1", "", id="a peer without address"),
    ],
)
def test_the_client_is_the_last_hop_nobody_trusted_vouches_for(peer: str, forwarded_for: str, client: str) -> None:
    assert client_of(peer, forwarded_for, PROXIES) == client


def test_an_endless_chain_of_hops_is_cut_off() -> None:
    chain = ", ".join(["192.0.2.1"] + ["10.0.0.2"] * 100_000)
    assert client_of("10.0.0.1", chain, PROXIES) == "10.0.0.2"


def test_addresses_are_read_in_one_form() -> None:
    assert str(parse_address("::ffff:203.0.113.9")) == "203.0.113.9"
    assert str(parse_address(" 2001:0DB8::1 ")) == "2001:db8::1"
    assert parse_address("203.0.113.999") is None


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8"):
        parse_networks("192.0.2.0/24,10.0.0.1/8")


def test_headers_that_only_the_gateway_may_set_are_taken_from_clients() -> None:
    given = [
        (b"Host", b"soc.example"),
        (b"X-Forwarded-For", b"192.0.2.1"),
        (b"X-Forwarded-Host", b"evil.example"),
        (b"Forwarded", b"for=192.0.2.1"),
        (b"X-Sakimori-Edge", b"guess"),
        (b"X-Real-IP", b"192.0.2.1"),
        (b"X-Request-Id", b"mine"),
        (b"Cookie", b"a=1"),
    ]
    own = [(b"x-forwarded-for", b"203.0.113.7")]
    assert request_headers(given, own) == [(b"host", b"soc.example"), (b"cookie", b"a=1"), *own]


def test_headers_of_one_hop_do_not_reach_the_next() -> None:
    given = [
        (b"Connection", b"keep-alive, X-Hop"),
        (b"X-Hop", b"1"),
        (b"Keep-Alive", b"timeout=5"),
        (b"TE", b"trailers"),
        (b"Upgrade", b"h2c"),
        (b"Accept", b"*/*"),
    ]
    assert request_headers(given, []) == [(b"accept", b"*/*")]
    assert response_headers([*given, (b"Server", b"x"), (b"Date", b"y")]) == [(b"accept", b"*/*")]


def test_a_chunked_body_has_no_length_beside_it() -> None:
    given = [(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"5")]
    assert request_headers(given, []) == []


def test_every_cookie_that_is_set_passes() -> None:
    cookies = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    assert response_headers(cookies) == cookies

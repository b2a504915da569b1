"""Who may send, under which name, and how much."""

import pytest

from sakimori_collector.domain.reading import UnknownFormat
from sakimori_collector.domain.wire.listening import Listener, parse_listeners
from sakimori_collector.domain.wire.peers import PRIVATE_NETWORKS, Peer, Peers, Rates, parse_networks, parse_peer_names

PEERS = Peers(parse_networks("192.0.2.0/24, 2001:db8::/32"), parse_peer_names("switches=192.0.2.0/28, core=192.0.2.1"))


@pytest.mark.parametrize(
    ("host", "peer"),
    [
        ("192.0.2.99", Peer("192.0.2.99", "syslog_udp", True)),
        ("192.0.2.7", Peer("192.0.2.7", "switches", True)),
        ("192.0.2.1", Peer("192.0.2.1", "core", True)),
        ("::ffff:192.0.2.1", Peer("192.0.2.1", "core", True)),
        ("2001:db8::1", Peer("2001:db8::1", "syslog_udp", True)),
        ("fe80::1%eth0", Peer("fe80::1", "syslog_udp", False)),
        ("198.51.100.1", Peer("198.51.100.1", "syslog_udp", False)),
    ],
)
def test_a_peer_is_known_by_the_most_exact_network(host: str, peer: Peer) -> None:
    assert PEERS.find(host, "syslog_udp") == peer


def test_private_networks_may_send_and_others_only_if_told() -> None:
    peers = Peers(parse_networks(PRIVATE_NETWORKS))
    assert [peers.find(host, "x").is_allowed for host in ("127.0.0.1", "10.1.2.3", "fd00::1")] == [True] * 3
    assert not peers.find("203.0.113.9", "x").is_allowed
    assert Peers(parse_networks("0.0.0.0/0,::/0")).find("203.0.113.9", "x").is_allowed


def test_a_bucket_admits_two_seconds_at_once_and_fills_with_time() -> None:
    rates = Rates(10)
    assert [rates.admit("192.0.2.1", 5.0) for _ in range(21)] == [True] * 20 + [False]
    assert rates.admit("192.0.2.2", 5.0)
    assert [rates.admit("192.0.2.1", 5.25) for _ in range(3)] == [True, True, False]


def test_a_sender_that_can_wait_is_told_how_long() -> None:
    rates = Rates(10)
    assert rates.delay("192.0.2.1", 20, 5.0) == 0
    assert rates.delay("192.0.2.1", 5, 5.0) == 0.5
    assert rates.delay("192.0.2.1", 0, 5.5) == 0


def test_without_a_rate_there_is_no_limit() -> None:
    assert Rates(0).admit("192.0.2.1", 0.0)
    assert Rates(0).delay("192.0.2.1", 1_000_000, 0.0) == 0


def test_spoofed_addresses_do_not_fill_the_memory() -> None:
    rates, peers = Rates(1), Peers([])
    for number in range(20_000):
        address = f"203.{number >> 8 & 255}.{number & 255}.1"
        rates.admit(address, 0.0)
        peers.find(address, "x")
    assert len(rates._buckets) == len(peers._known) == 10_000


def test_listeners_are_read_with_their_formats() -> None:
    assert parse_listeners("192.0.2.9:5514, [::]:5515=nginx.access") == [
        Listener("192.0.2.9", 5514, "auto"),
        Listener("::", 5515, "nginx.access"),
    ]
    assert parse_listeners("") == []


@pytest.mark.parametrize("text", ["5514", "host:", ":5514", "0.0.0.0:70000", "0.0.0.0:-1"])
def test_what_is_no_listener_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no address and port"):
        parse_listeners(text)


def test_a_listener_of_an_unknown_format_is_refused() -> None:
    with pytest.raises(UnknownFormat):
        parse_listeners("0.0.0.0:5514=nosuch")


@pytest.mark.parametrize("text", ["firewall", "fire wall=192.0.2.1", "=192.0.2.1", "firewall=192.0.2.300"])
def test_what_names_no_peer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no name and network|no network"):
        parse_peer_names(text)

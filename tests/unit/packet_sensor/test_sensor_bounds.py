"""What there is too much of is said once and counted: anomalies, and floods of attempts."""

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from packets.frames import CLIENT, CLIENT_MAC, SERVER, SERVER_MAC
from packets.tiny import sense
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits

SECOND = 1_000_000
BROKEN = bytes(Ether(src=CLIENT_MAC, dst=SERVER_MAC) / IP(src=CLIENT, dst=SERVER) / TCP(dport=80, dataofs=2))
"""A TCP header that claims eight bytes."""


def test_a_wrong_header_is_an_event_that_says_who_and_how() -> None:
    [event] = [event.to_flat() for event in sense([BROKEN])[0] if event.dataset == "network.anomaly"]
    assert event["sakimori.anomaly.reason"] == "tcp_header_length"
    assert (event["source.ip"], event["source.mac"], event["network.type"]) == (CLIENT, "00-00-5E-00-53-01", "ipv4")


def test_ten_events_a_minute_of_one_source_and_reason_the_rest_is_counted_in_the_next() -> None:
    events, counts = sense([BROKEN] * 40, every=2 * SECOND)  # 80 seconds
    told = [event.get("sakimori.anomaly.suppressed") for event in events if event.dataset == "network.anomaly"]
    assert told == [None] * 10 + [20] + [None] * 9
    assert counts.anomalies == {"tcp_header_length": 40}


def test_a_flood_of_attempts_is_told_in_few_events_and_every_attempt_is_counted() -> None:
    flood = [
        bytes(
            Ether(src=CLIENT_MAC, dst=SERVER_MAC)
            / IPv6(src=f"2001:db8::{number:x}", dst="2001:db8:ffff::80")
            / TCP(dport=80, flags="S")
        )
        for number in range(1, 5001)
    ]
    events, counts = sense(flood, limits=FlowLimits(flows=100), every=10)
    flows = [event.fields for event in events if event.dataset == "network.flow"]
    assert sum(int(str(flow.get("sakimori.flow.attempts", 1))) for flow in flows) == 5000
    assert sum(int(str(flow["network.packets"])) for flow in flows) == 5000
    assert len(flows) < 500
    folded = max(flows, key=lambda flow: int(str(flow.get("sakimori.flow.attempts", 1))))
    assert (folded["destination.ip"], folded["destination.port"]) == ("2001:db8:ffff::80", 80)
    assert (folded["sakimori.flow.state"], folded["network.transport"]) == ("attempted", "tcp")
    assert "source.ip" not in folded
    assert 0.7 < int(str(folded["sakimori.flow.attempt_sources"])) / int(str(folded["sakimori.flow.attempts"])) <= 1
    assert counts.evicted == 4900

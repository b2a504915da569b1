"""The whole sensor: captures in, events out."""

import io
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Ether

from packets.frames import (
    CLIENT,
    CLIENT_MAC,
    SERVER,
    SERVER_MAC,
    datagram,
    datagram_reply,
    pcap_file,
    ping,
    reply,
    segment,
)
from sakimori_common.contracts import EVENTS, Event
from sakimori_packet_sensor.domain.capture.reader import read_capture
from sakimori_packet_sensor.domain.sensor import Counts, Sensor

QUERY = bytes(DNS(id=7, qd=[DNSQR(qname="Q3fk9.tunnel.Example.com", qtype="TXT")]))
ANSWER = bytes(
    DNS(id=7, qr=1, rcode=0, qd=[DNSQR(qname="www.example.com")], an=[DNSRR(rrname="www.example.com", rdata=SERVER)])
)


def sense(data: bytes) -> tuple[list[Event], Counts]:
    sensor = Sensor({"observer.name": "tap-1"})
    events = [event for batch in sensor.events(read_capture(io.BytesIO(data))) for event in batch]
    return events, sensor.counts


def of(dataset: str, frames: list[bytes]) -> list[dict[str, object]]:
    events, _ = sense(pcap_file(frames))
    return [event.to_flat() for event in events if event.dataset == dataset]


def test_a_flow_is_one_flat_event() -> None:
    [flow] = of("network.flow", [segment("S"), reply("SA"), segment("A"), reply("R")])
    assert len(str(flow.pop("event.id"))) == 36
    assert flow == {
        "@timestamp": "2026-01-16T02:00:00.000Z",
        "event.dataset": "network.flow",
        "event.category": "network",
        "observer.name": "tap-1",
        "network.type": "ipv4",
        "network.transport": "tcp",
        "network.community_id": "1:E0hfwlswAGZ/84TyC+rH1jrS8Fc=",
        "network.bytes": 160,
        "network.packets": 4,
        "source.ip": "192.0.2.10",
        "source.port": 50_000,
        "source.mac": "00-00-5E-00-53-01",
        "source.bytes": 80,
        "source.packets": 2,
        "destination.ip": "198.51.100.20",
        "destination.port": 443,
        "destination.mac": "00-00-5E-00-53-02",
        "destination.bytes": 80,
        "destination.packets": 2,
        "event.start": "2026-01-16T02:00:00.000Z",
        "event.end": "2026-01-16T02:00:00.003Z",
        "event.duration": 3_000_000,
        "sakimori.flow.state": "reset",
        "sakimori.flow.ending": "over",
        "sakimori.flow.tcp_flags": "SRA",
        "sakimori.flow.gap_mean_seconds": 0.001,
        "sakimori.flow.gap_deviation_seconds": 0.0,
        "sakimori.flow.small_packets": 4,
        "sakimori.flow.large_packets": 0,
        "sakimori.flow.sizes": [40, -40, 40, -40],
    }


def test_a_query_tells_what_a_tunnel_is_known_by() -> None:
    [query] = of("network.dns", [datagram(QUERY)])
    assert query["dns.type"] == "query"
    assert query["dns.question.name"] == "q3fk9.tunnel.example.com"
    assert query["dns.question.registered_domain"] == "example.com"
    assert query["dns.question.subdomain"] == "q3fk9.tunnel"
    assert query["sakimori.dns.subdomain_entropy"] == 3.2776
    assert query["sakimori.dns.name_length"] == 24
    assert query["network.protocol"] == "dns"
    assert "dns.response_code" not in query


def test_an_answer_is_told_from_the_side_that_asked() -> None:
    [answer] = of("network.dns", [datagram_reply(ANSWER)])
    assert (answer["source.ip"], answer["destination.ip"], answer["destination.port"]) == (CLIENT, SERVER, 53)
    assert (answer["dns.type"], answer["dns.response_code"]) == ("answer", "NOERROR")
    assert answer["dns.answers.data"] == ["198.51.100.20"]


def test_an_announcement_to_a_group_is_told_from_its_sender() -> None:
    announcement = bytes(
        DNS(qr=1, qd=[], an=[DNSRR(rrname="_http._tcp.local", type="PTR", rdata="cam._http._tcp.local")])
    )
    frame = bytes(
        Ether(src=CLIENT_MAC) / IP(src=CLIENT, dst="224.0.0.251") / UDP(sport=5353, dport=5353) / announcement
    )
    [event] = of("network.dns", [frame])
    assert (event["source.ip"], event["network.protocol"]) == (CLIENT, "mdns")
    assert event["dns.answers.name"] == ["_http._tcp.local"]
    assert "dns.question.name" not in event


def test_every_question_is_an_event_of_its_own() -> None:
    questions = bytes(DNS(qd=[DNSQR(qname="a.local"), DNSQR(qname="b.local")]))
    events = of("network.dns", [datagram(questions, port=5353)])
    assert [event["dns.question.name"] for event in events] == ["a.local", "b.local"]
    assert len({event["event.id"] for event in events}) == 2


def test_dns_over_tcp_is_read_across_segments() -> None:
    framed = len(QUERY).to_bytes(2, "big") + QUERY
    frames = [
        segment("S", 53, seq=10),
        segment("PA", 53, seq=11, load=framed[:5]),
        segment("PA", 53, seq=16, load=framed[5:]),
    ]
    [query] = of("network.dns", frames)
    assert (query["network.transport"], query["dns.id"]) == ("tcp", "7")


def test_a_flow_carries_the_protocol_that_was_recognised_in_it() -> None:
    assert of("network.flow", [datagram(QUERY)])[0]["network.protocol"] == "dns"
    assert "network.protocol" not in of("network.flow", [datagram(b"not DNS at all")])[0]


def test_an_arp_message_is_an_event_with_its_ends() -> None:
    [event] = of("network.arp", [bytes(Ether(src=CLIENT_MAC) / ARP(op=1, hwsrc=CLIENT_MAC, psrc=CLIENT, pdst=SERVER))])
    assert (event["arp.operation"], event["network.type"]) == ("request", "arp")
    assert (event["source.ip"], event["source.mac"], event["destination.ip"]) == (CLIENT, "00-00-5E-00-53-01", SERVER)


def test_a_broken_arp_message_is_an_event_too() -> None:
    [event] = of("network.arp", [bytes(Ether(src=CLIENT_MAC, type=0x0806) / bytes(ARP())[:20])]) or [{}]
    assert event == {} or event["error.code"] == "malformed"


def test_a_device_is_sighted_when_it_first_sends_and_when_it_has_another_address() -> None:
    def from_address(address: str) -> bytes:
        return bytes(Ether(src=CLIENT_MAC, dst=SERVER_MAC) / IP(src=address, dst=SERVER) / UDP(sport=4000, dport=4001))

    frames = [from_address(address) for address in ("10.0.0.7", "10.0.0.7", "10.0.0.8")]
    sightings = of("network.device", frames)
    assert [(event["device.mac"], event["device.ip"]) for event in sightings] == [
        ("00-00-5E-00-53-01", "10.0.0.7"),
        ("00-00-5E-00-53-01", "10.0.0.8"),
    ]
    assert {event["event.action"] for event in sightings} == {"device.sighted"}


def test_neighbour_discovery_is_an_event_between_its_ends() -> None:
    asks = Ether(src=CLIENT_MAC) / IPv6(src="fe80::1", dst="ff02::1:ff00:2") / ICMPv6ND_NS(tgt="fe80::2")
    [event] = of("network.ndp", [bytes(asks)])
    assert (event["ndp.type"], event["ndp.target_ip"]) == ("neighbor_solicitation", "fe80::2")
    assert (event["source.ip"], event["network.transport"]) == ("fe80::1", "ipv6-icmp")


def test_icmp_flows_have_no_ports_and_unnamed_protocols_a_number() -> None:
    [flow] = of("network.flow", [ping()])
    assert flow["network.transport"] == "icmp"
    assert "source.port" not in flow
    [other] = of("network.flow", [bytes(Ether() / IP(src=CLIENT, dst=SERVER, proto=200) / b"x")])
    assert other["network.iana_number"] == "200"
    assert "network.transport" not in other


def test_a_capture_read_twice_gives_the_same_ids_and_no_id_twice() -> None:
    frames = [
        segment("S"),
        reply("RA"),
        segment("S"),
        reply("RA"),
        datagram(QUERY),
        datagram(QUERY),
        bytes(Ether() / ARP()),
    ]
    first, _ = sense(pcap_file(frames, every=0))
    second, _ = sense(pcap_file(frames, every=0))
    assert [event.id for event in first] == [event.id for event in second]
    assert len({event.id for event in first}) == len(first)


def test_captures_that_differ_in_a_port_only_have_no_id_in_common() -> None:
    first, _ = sense(pcap_file([datagram(QUERY, client_port=40_000)]))
    second, _ = sense(pcap_file([datagram(QUERY, client_port=40_001)]))
    assert {event.id for event in first if event.dataset != "network.device"}.isdisjoint(event.id for event in second)


def test_a_capture_that_grew_gives_the_same_ids_for_what_it_held() -> None:
    frames = [datagram(QUERY, client_port=port) for port in range(40_000, 40_010)]
    before, _ = sense(pcap_file(frames[:5]))
    after, _ = sense(pcap_file(frames))
    assert {event.id for event in before} < {event.id for event in after}


def test_a_port_scan_is_a_flow_a_port() -> None:
    frames = []
    for port in range(1, 31):
        frames += [segment("S", port), reply("RA", port)] if port % 2 else [segment("S", port)]
    states = Counter(flow["sakimori.flow.state"] for flow in of("network.flow", frames))
    assert states == {"rejected": 15, "attempted": 15}


def test_what_was_seen_is_counted() -> None:
    frames = [segment("S"), datagram(b"no DNS"), b"\0" * 20, bytes(Ether(type=0x88CC)), b"short"]
    events, counts = sense(pcap_file(frames))
    assert (counts.packets, counts.bytes) == (5, sum(map(len, frames)))
    assert (counts.flows, counts.events) == (2, {"network.flow": 2, "network.device": 1, "network.anomaly": 1})
    assert counts.undecoded == {"network_protocol": 2, "truncated": 1}
    assert counts.anomalies == {"header_cut": 1}
    assert len(events) == 4


GOOD = [segment("S"), datagram(QUERY), datagram_reply(ANSWER), datagram(bytes(BOOTP(op=1) / DHCP(options=["end"])), 67)]


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=80),
            st.tuples(st.sampled_from(GOOD), st.integers(12, 120), st.binary(max_size=8)).map(
                lambda change: change[0][: change[1]] + change[2] + change[0][change[1] + len(change[2]) :]
            ),
        ),
        max_size=12,
    ),
    st.sampled_from([0, 1, 101, 113, 276]),
)
def test_whatever_is_captured_becomes_events_that_can_be_sent(frames: list[bytes], link_type: int) -> None:
    events, counts = sense(pcap_file(frames, link_type=link_type))
    assert EVENTS.decode(EVENTS.encode(events)) == events
    assert counts.packets == len(frames)
    for event in events:
        assert Event.from_flat(event.to_flat()) == event

"""The sensor over captures that nobody of this project made, judged by Scapy, Zeek and Suricata's tests."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether

from packets.blocks import Frame, frames_of
from sakimori_common.contracts import Event
from sakimori_packet_sensor.adapters.files import open_capture
from sakimori_packet_sensor.domain.addresses import ip_text
from sakimori_packet_sensor.domain.sensor import Counts, Sensor
from sensor_reference.link import read_link
from sensor_reference.network import read_network
from sensor_reference.packet import ArpPacket, IpPacket, Link, Refused

pytestmark = [pytest.mark.data, pytest.mark.timeout(300)]

_SUFFIXES = {".pcap", ".pcapng", ".cap", ".gz"}
_FRAMES_A_CAPTURE = 40
"""Scapy needs a third of a millisecond for each."""


def captures(data: Path) -> Iterator[Path]:
    for folder in ("pcaps", "devices"):
        yield from sorted(path for path in (data / folder).rglob("*") if path.suffix in _SUFFIXES and path.is_file())


def sense(path: Path) -> tuple[list[Event], Counts, str | None]:
    sensor = Sensor({})
    with open_capture(path) as capture:
        events = [event for batch in sensor.events(capture) for event in batch]
        return events, sensor.counts, capture.cut


def of(dataset: str, path: Path) -> list[dict[str, Any]]:
    return [event.to_flat() for event in sense(path)[0] if event.dataset == dataset]


def test_every_capture_is_read_to_its_end_or_its_cut(development_data: Path) -> None:
    total = Counts()
    cuts = {}
    for path in captures(development_data):
        events, counts, cut = sense(path)
        assert len({event.id for event in events}) == len(events), path
        total.packets += counts.packets
        total.undecoded += counts.undecoded
        if cut:
            cuts[path.name] = cut
    assert total.packets == 72_245
    assert total.undecoded == {"network_protocol": 503, "link_type": 6, "malformed": 2}
    assert set(cuts) == {"lm_sharpsc_create_svcctl.cap", "lm_sharpwmi_create.cap"}


def test_headers_are_those_that_scapy_sees(development_data: Path) -> None:
    compared: Counter[str] = Counter()
    for path in captures(development_data):
        with open_capture(path) as capture:
            for frame in islice(frames_of(capture), _FRAMES_A_CAPTURE):
                if frame.link_type == 1:
                    kind, ours, theirs = both(frame)
                    assert ours == theirs, f"{path}: {Ether(frame.data).summary()}"
                    compared[kind] += 1
    assert compared["TCP"] > 5_000
    assert compared["UDP"] > 2_000
    assert compared["ARP"] > 200
    assert compared["ICMP"] > 50


def both(frame: Frame) -> tuple[str, tuple[object, ...], tuple[object, ...]]:
    """What the reference of the fast path and what Scapy make of a frame; nothing where Scapy has no opinion."""
    judge = Ether(frame.data)
    link = Link(0, frame.data, frame.wire_bytes)
    try:
        read_link(frame.link_type, link)
        packet = read_network(link)
    except Refused:
        return "none", (), ()
    if isinstance(packet, ArpPacket):
        return "ARP", (ip_text(packet.message[14:18]), packet.message[7]), (judge[ARP].psrc, judge[ARP].op)
    network = judge.getlayer(IP) or judge.getlayer(IPv6)
    if network is None or packet.fragment is not None or packet.tunnel:
        return "none", (), ()
    ours: tuple[object, ...] = (ip_text(packet.source), ip_text(packet.destination))
    theirs: tuple[object, ...] = (network.src, network.dst)
    return compare_transport(packet, network, ours, theirs)


def compare_transport(
    packet: IpPacket, network: Any, ours: tuple[object, ...], theirs: tuple[object, ...]
) -> tuple[str, tuple[object, ...], tuple[object, ...]]:
    if packet.protocol == 6 and TCP in network:
        tcp = network[TCP]
        ours += (packet.source_port, packet.destination_port, packet.flags, packet.sequence)
        return "TCP", ours, (*theirs, tcp.sport, tcp.dport, int(tcp.flags) & 0xFF, tcp.seq)
    if packet.protocol == 17 and UDP in network:
        return (
            "UDP",
            (*ours, packet.source_port, packet.destination_port),
            (*theirs, network[UDP].sport, network[UDP].dport),
        )
    if packet.protocol == 1 and ICMP in network:
        return (
            "ICMP",
            (*ours, packet.transport[0], packet.transport[1]),
            (*theirs, network[ICMP].type, network[ICMP].code),
        )
    return "IP", ours, theirs


def zeek_connections(log: Path) -> Counter[tuple[object, ...]]:
    """TCP and UDP connections of a conn.log: both ends with their packets and bytes, in any order."""
    lines = log.read_text().splitlines()
    header = next((line.split("\t")[1:] for line in lines if line.startswith("#fields")), [])
    if "orig_ip_bytes" not in header:
        return Counter()
    rows = [dict(zip(header, line.split("\t"), strict=True)) for line in lines if not line.startswith("#")]
    return Counter(
        (row["proto"], *sorted((row[f"id.{side}_h"], row[f"id.{side}_p"], row[f"{side}_pkts"], row[f"{side}_ip_bytes"])
                               for side in ("orig", "resp")))
        for row in rows if row["proto"] in {"tcp", "udp"}
    )  # fmt: skip


def our_connections(path: Path) -> Counter[tuple[object, ...]]:
    flows = [flow for flow in of("network.flow", path) if flow.get("network.transport") in {"tcp", "udp"}]
    return Counter(
        (flow["network.transport"], *sorted((end(flow, "source"), end(flow, "destination")))) for flow in flows
    )


def end(flow: dict[str, Any], side: str) -> tuple[str, ...]:
    return tuple(str(flow[f"{side}.{name}"]) for name in ("ip", "port", "packets", "bytes"))


_ZEEK_SPLITS = "ssh.client-side-half-duplex.pcap"
"""Zeek ends a connection with one silent side early and reports its rest as another."""
_ZEEK_READS_NTP = "misordered-ntp.pcap"
"""The answer was captured first; Zeek turns the connection round by what NTP says, and counts both for one side."""


def test_packets_and_bytes_of_connections_are_those_that_zeek_counts(development_data: Path) -> None:
    index = json.loads((development_data / "pcaps/zeek/index.json").read_text())
    agreed = 0
    for entry in index:
        path = development_data / entry["trace"]
        if path.name in {_ZEEK_SPLITS, _ZEEK_READS_NTP}:
            continue
        for log in (development_data / name for name in entry["baseline_logs"] if name.endswith("/conn.log")):
            expected = zeek_connections(log)
            if expected:
                assert our_connections(path) == expected, path
                agreed += expected.total()
    assert agreed > 30


def test_an_answer_that_goes_the_wrong_way_is_an_answer(development_data: Path) -> None:
    events = of("network.dns", development_data / "pcaps/suricata-verify/dns-reversed-tcp-1/dns.pcap")
    assert [event["dns.type"] for event in events] == ["answer"]
    assert (events[0]["source.ip"], events[0]["destination.ip"]) == ("10.16.1.11", "8.8.4.4")


def test_a_name_that_does_not_exist(development_data: Path) -> None:
    folder = development_data / "pcaps/suricata-verify/dns-eve-v2-udp-nxdomain-soa"
    events = of("network.dns", folder / "dns-udp-nxdomain-soa.pcap")
    assert Counter(event.get("dns.response_code") for event in events)["NXDOMAIN"] == 1


def test_dhcp_options_in_overloaded_fields_are_found(development_data: Path) -> None:
    folder = development_data / "pcaps/suricata-verify/dhcp-option-52-overload-both"
    [sighting] = of("network.device", folder / "input.pcap")
    assert sighting["device.mac"] == "00-00-6C-82-DC-4E"


def test_a_vendor_class_is_kept(development_data: Path) -> None:
    folder = development_data / "pcaps/suricata-verify/dhcp-eve-extended-option-60"
    messages = of("network.dhcp", folder / "input.pcap")
    assert "MSFT 5.0" in {message.get("dhcp.vendor_class") for message in messages}


def test_a_tunnel_shows_in_the_entropy_of_its_names(development_data: Path) -> None:
    events = of("network.dns", development_data / "pcaps/ndpi/dns-tunnel-iodine.pcap")
    tunnelled = [event for event in events if event["sakimori.dns.name_length"] > 60]
    assert len(tunnelled) > 50
    assert (
        sum(event["sakimori.dns.subdomain_entropy"] > 3.5 for event in tunnelled) / len(tunnelled) > 0.7
    )  # its probes repeat eight bytes
    assert max(event["sakimori.dns.name_length"] for event in events) <= 253

"""The capture that `sakimori demo` hands in."""

import io

import pytest
from scapy.layers.inet import IP, TCP
from scapy.utils import PcapReader

from packets.frames import START
from sakimori.demo.capture import port_scan_capture
from sakimori_packet_sensor.domain.capture.reader import read_capture
from sakimori_packet_sensor.domain.sensor import Sensor


def test_the_sensor_sees_a_rejected_flow_for_every_port() -> None:
    capture = port_scan_capture("192.0.2.1", "198.51.100.7", range(20, 60), START)
    events = [event for batch in Sensor({}).events(read_capture(io.BytesIO(capture))) for event in batch]
    flows = [event for event in events if event.dataset == "network.flow"]
    assert [flow.fields["destination.port"] for flow in flows] == list(range(20, 60))
    assert {flow.fields["sakimori.flow.state"] for flow in flows} == {"rejected"}
    assert {flow.fields["source.ip"] for flow in flows} == {"192.0.2.1"}
    assert (flows[0].time, flows[-1].time) == (START, START + 39 * 50_000)


def test_checksums_are_those_that_scapy_computes() -> None:
    capture = port_scan_capture("192.0.2.1", "198.51.100.7", [22, 443], START)
    with PcapReader(io.BytesIO(capture)) as packets:  # type: ignore[arg-type]  # Scapy takes open files too
        for packet in packets:
            given = (packet[IP].chksum, packet[TCP].chksum)
            del packet[IP].chksum, packet[TCP].chksum
            again = IP(bytes(packet[IP]))
            assert (again.chksum, again[TCP].chksum) == given


def test_an_impossible_address_is_refused() -> None:
    with pytest.raises(ValueError, match=r"192\.0\.2\.300"):
        port_scan_capture("192.0.2.300", "198.51.100.7", [22], START)

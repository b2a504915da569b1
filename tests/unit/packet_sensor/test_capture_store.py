"""Packets kept on disk for a while, and taken out again."""

import io
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.utils import rdpcap

from packets.blocks import Frame, block_of, frames_of
from packets.frames import CLIENT, CLIENT_MAC, SERVER, SERVER_MAC, START, datagram, ping, reply, segment
from sakimori_packet_sensor.adapters.packet_store import Extract, PacketStore, extract, segments_of
from sakimori_packet_sensor.domain.capture import CaptureError
from sakimori_packet_sensor.domain.capture.reader import read_capture
from sakimori_packet_sensor.domain.fastpath.wanted import Wanted

ALWAYS = (0, 2**62)
MACS = Ether(src=CLIENT_MAC, dst=SERVER_MAC)


def at(seconds: float, data: bytes, link_type: int = 1) -> Frame:
    return Frame(START + int(seconds * 1_000_000), link_type, len(data), data)


def keep(folder: Path, frames: Sequence[Frame], max_bytes: int = 10_000_000) -> None:
    store = PacketStore(folder, max_bytes)
    store.write(block_of(frames))
    store.close()


def packets(taken: Extract) -> list[bytes]:
    frames = frames_of(read_capture(io.BytesIO(taken.pcap)))
    assert len(frames) == taken.packets
    return [frame.data for frame in frames]


def test_what_was_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    frames = [at(0, segment("S")), Frame(START + 1, 1, 1500, reply("SA")), at(1, b"no packet at all")]
    keep(tmp_path, frames)
    taken = extract([tmp_path], Wanted(*ALWAYS), 1_000_000)
    capture = read_capture(io.BytesIO(taken.pcap))
    assert (frames_of(capture), capture.cut, taken.is_whole) == (frames, None, True)


FRAMES = {
    "https": segment("S", 443, 50_000),
    "answer": reply("SA", 443, 50_000),
    "dns": datagram(b"question", 53, 50_001),
    "ping": ping(),
    "arp": bytes(MACS / ARP(psrc=CLIENT, pdst="192.0.2.1")),
    "ipv6": bytes(MACS / IPv6(src="2001:db8::10", dst="2001:db8::20") / TCP(sport=50_000, dport=443)),
    "vlan": bytes(MACS / Dot1Q(vlan=7) / IP(src="192.0.2.77", dst=SERVER) / UDP(sport=50_001, dport=53)),
    "tunnel": bytes(
        MACS / IP(src="192.0.2.1", dst="192.0.2.2") / IP(src="203.0.113.5", dst=CLIENT) / UDP(sport=7, dport=9)
    ),
    "other station": bytes(Ether(src="00:00:5e:00:53:77", dst=SERVER_MAC) / IP(src="192.0.2.78", dst=SERVER)),
    "nonsense": b"\0" * 10,
}


@pytest.mark.parametrize(
    ("addresses", "ports", "protocol", "names"),
    [
        ((CLIENT,), (), None, ["https", "answer", "dns", "ping", "arp", "tunnel"]),
        ((CLIENT, SERVER), (), None, ["https", "answer", "dns", "ping"]),
        ((SERVER, CLIENT), (443, 50_000), 6, ["https", "answer"]),
        ((CLIENT,), (53,), 17, ["dns"]),
        ((), (443,), None, ["https", "answer", "ipv6"]),
        ((), (), 1, ["ping"]),
        (("2001:db8::20",), (), None, ["ipv6"]),
        (("192.0.2.77",), (53,), None, ["vlan"]),
        (("00-00-5E-00-53-77",), (), None, ["other station"]),
        (("00:00:5e:00:53:77", CLIENT), (), None, []),
        (("192.0.2.200",), (), None, []),
    ],
)
def test_packets_are_found_by_their_ends(
    tmp_path: Path, addresses: tuple[str, ...], ports: tuple[int, ...], protocol: int | None, names: list[str]
) -> None:
    keep(tmp_path, [at(number, data) for number, data in enumerate(FRAMES.values())])
    taken = extract([tmp_path], Wanted(*ALWAYS, addresses, ports, protocol), 1_000_000)
    assert packets(taken) == [FRAMES[name] for name in names]


def test_later_fragments_are_found_with_the_ports_of_the_first(tmp_path: Path) -> None:
    whole = IP(src=CLIENT, dst=SERVER) / UDP(sport=50_000, dport=53) / (b"x" * 3000)
    parts = fragment(whole, 1000)  # type: ignore[no-untyped-call]
    frames = [bytes(MACS / part) for part in parts]
    keep(tmp_path, [at(0, data) for data in frames])
    assert packets(extract([tmp_path], Wanted(*ALWAYS, (CLIENT,), (53,)), 1_000_000)) == frames


def test_packets_are_found_by_their_time(tmp_path: Path) -> None:
    keep(tmp_path, [at(second, b"%d" % second) for second in range(10)])
    taken = extract([tmp_path], Wanted(START + 3_000_000, START + 5_000_000), 1_000_000)
    assert packets(taken) == [b"3", b"4"]


def test_what_no_address_is_cannot_be_asked_for(tmp_path: Path) -> None:
    for addresses in (("camera.example",), ("192.0.2.1", "192.0.2.2", "192.0.2.3")):
        with pytest.raises(ValueError, match=r"address|two ends"):
            extract([tmp_path], Wanted(*ALWAYS, addresses), 1000)


def test_old_packets_make_room_for_new_ones(tmp_path: Path) -> None:
    store = PacketStore(tmp_path, 4_000_000)
    for second in range(200):
        store.write(block_of([at(second, b"%3d" % second + b"x" * 1400)] * 70))
    store.close()
    assert sum(path.stat().st_size for path in segments_of(tmp_path)) <= 4_000_000
    kept = packets(extract([tmp_path], Wanted(*ALWAYS), 100_000_000))
    counts = store.counts
    assert counts.packets + counts.lost == 14_000
    assert 0 < len(kept) <= min(counts.packets, 2800)
    assert kept == sorted(kept)


def test_a_store_goes_on_after_a_crash(tmp_path: Path) -> None:
    """What a process left that died while it wrote ends within a packet."""
    keep(tmp_path, [at(0, b"one"), at(1, b"two, of which the end is missing")])
    [torn] = segments_of(tmp_path)
    torn.write_bytes(torn.read_bytes()[:-5])
    (tmp_path / "000000000002.pcap").write_bytes(b"")
    keep(tmp_path, [at(2, b"three")])
    assert packets(extract([tmp_path], Wanted(*ALWAYS), 1_000_000)) == [b"one", b"three"]


def test_packets_of_several_processes_come_in_order_of_time(tmp_path: Path) -> None:
    keep(tmp_path / "0", [at(0, b"a"), at(2, b"c")])
    keep(tmp_path / "1", [at(1, b"b"), at(3, b"d")])
    assert packets(extract([tmp_path / "0", tmp_path / "1"], Wanted(*ALWAYS), 1_000_000)) == [b"a", b"b", b"c", b"d"]


def test_no_more_is_taken_out_than_asked_for(tmp_path: Path) -> None:
    keep(tmp_path, [at(number, b"x" * 100) for number in range(100)])
    taken = extract([tmp_path], Wanted(*ALWAYS), 24 + 10 * 116 + 50)
    assert (taken.packets, taken.is_whole) == (10, False)
    assert len(packets(taken)) == 10
    assert extract([tmp_path], Wanted(*ALWAYS), 24 + 100 * 116).is_whole


def test_an_empty_answer_is_a_capture_too(tmp_path: Path) -> None:
    assert packets(extract([tmp_path / "missing"], Wanted(*ALWAYS), 1000)) == []


def test_link_types_are_kept_apart(tmp_path: Path) -> None:
    """A pcap file has one link type; what has none cannot be kept."""
    keep(tmp_path, [at(0, b"raw", 101), at(1, b"ethernet"), at(2, b"none", -1), at(3, b"raw again", 101)])
    first, second = segments_of(tmp_path)
    assert frames_of(read_capture(io.BytesIO(first.read_bytes()))) == [at(1, b"ethernet")]
    assert frames_of(read_capture(io.BytesIO(second.read_bytes()))) == [at(0, b"raw", 101), at(3, b"raw again", 101)]
    taken = extract([tmp_path], Wanted(*ALWAYS), 1000)
    assert (packets(taken), taken.is_whole) == ([b"ethernet"], False)


def test_segments_open_in_other_tools_and_only_for_their_owner(tmp_path: Path) -> None:
    keep(tmp_path / "packets", [at(0, segment("S")), at(1, reply("SA"))])
    [path] = segments_of(tmp_path / "packets")
    assert [bytes(packet) for packet in rdpcap(str(path))] == [segment("S"), reply("SA")]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_vanishes_costs_packets_but_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "packets"
    store = PacketStore(folder, 4_000_000)
    shutil.rmtree(folder)
    store.write(block_of([at(0, b"lost")]))
    store.close()
    assert store.counts == (0, 0, 1)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CaptureError, match=r"packets cannot be kept in .*file"):
        PacketStore(tmp_path / "file", 4_000_000)

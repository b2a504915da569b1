"""The ring of an interface, in a network of the test's own. Needs root; CI that has none skips these."""

import io
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from struct import pack

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.utils import rdpcap

from packets.blocks import Frame, frames_of
from packets.frames import datagram, segment, to_client, to_server
from packets.network import in_new_network, ip, send
from sakimori_packet_sensor.adapters.bpf import compile_filter
from sakimori_packet_sensor.adapters.recording import record
from sakimori_packet_sensor.adapters.ring import Ring, RingError, open_ring
from sakimori_packet_sensor.domain.capture import CaptureError


def waiting(ring: Ring) -> list[Frame]:
    """Everything that comes until nothing has come for a while."""
    frames = []
    while (block := ring.wait(0.3)) is not None:
        frames += frames_of([block])
    return frames


def test_every_packet_sent_is_read_and_counted() -> None:
    def test() -> None:
        sent = [datagram(b"%d" % number + b"x" * (number % 1400), 5000 + number % 7) for number in range(3000)]
        with open_ring("far", ring_mb=16) as ring:
            before = time.time_ns() // 1000
            send(sent)
            frames = waiting(ring)
            assert [frame.data for frame in frames] == sent
            assert [frame.wire_bytes for frame in frames] == [len(data) for data in sent]
            assert all(before <= frame.time <= time.time_ns() // 1000 for frame in frames)
            assert {frame.link_type for frame in frames} == {1}
            assert ring.statistics() == (3000, 0, 0)
            assert ring.statistics() == (3000, 0, 0)

    in_new_network(test)


def test_nothing_on_the_link_ends_waiting_all_the_same() -> None:
    def test() -> None:
        with open_ring("far", ring_mb=4) as ring:
            assert ring.wait(0.05) is None
            assert ring.wait(0) is None
            send([segment("S")])
            assert [frame.data for frame in waiting(ring)] == [segment("S")]

    in_new_network(test)


def test_what_finds_no_room_is_counted() -> None:
    """Nobody reads while five times the ring comes in."""

    def test() -> None:
        with open_ring("far", ring_mb=4) as ring:
            assert ring.fill_ratio == 0
            send([datagram(b"x" * 1000)] * 20_000)
            assert ring.fill_ratio == 1
            statistics = ring.statistics()
            assert statistics.packets + statistics.drops == 20_000
            assert statistics.drops > 10_000
            assert statistics.freezes >= 1
            assert len(waiting(ring)) == statistics.packets
            assert ring.fill_ratio == 0
            send([segment("S")])
            assert len(waiting(ring)) == 1
            assert ring.statistics() == (statistics.packets + 1, statistics.drops, statistics.freezes)

    in_new_network(test)


def test_vlan_tags_that_the_kernel_takes_out_are_put_back() -> None:
    def test() -> None:
        inner = IP(src="192.0.2.10", dst="198.51.100.20") / UDP(sport=1, dport=2) / b"tagged"
        macs = Ether(src="00:00:5e:00:53:01", dst="00:00:5e:00:53:02")
        sent = [bytes(macs / Dot1Q(vlan=7, prio=3) / inner), bytes(macs / Dot1AD(vlan=9) / Dot1Q(vlan=7) / inner)]
        with open_ring("far", ring_mb=4) as ring:
            send(sent)
            frames = waiting(ring)
            assert [frame.data for frame in frames] == sent
            assert [frame.wire_bytes for frame in frames] == [len(data) for data in sent]

    in_new_network(test)


def test_a_filter_lets_only_its_packets_in() -> None:
    def test() -> None:
        sent = [datagram(b"question", 53), datagram(b"other", 54), segment("S", 53), segment("S", 443)] * 50
        try:
            compile_filter("port 53", 1)
        except CaptureError as error:
            pytest.skip(str(error))
        with open_ring("far", ring_mb=4, packet_filter="port 53") as ring:
            send(sent)
            assert [frame.data for frame in waiting(ring)] == [sent[0], sent[2]] * 50
            assert ring.statistics() == (100, 0, 0)
        with pytest.raises(CaptureError, match="cannot be compiled"), open_ring("far", packet_filter="prot 53"):
            pass

    in_new_network(test)


def test_rings_of_a_group_share_the_packets_by_connection() -> None:
    """Nothing is lost, nothing comes twice, and both directions of a connection come to one ring."""

    def test() -> None:
        ports = range(40_000, 40_064)
        sent = []
        for number in range(5):
            for port in ports:
                sent.append(to_server(TCP(sport=port, dport=443, flags="A", seq=number)))
                sent.append(to_client(TCP(sport=443, dport=port, flags="A", seq=number)))
        with ExitStack() as stack:
            rings = [stack.enter_context(open_ring("far", ring_mb=4, fanout=77)) for _ in range(2)]
            send(sent)
            received = [[frame.data for frame in waiting(ring)] for ring in rings]
        assert sorted(received[0] + received[1]) == sorted(sent)
        rings_of_port = defaultdict(set)
        for place, frames in enumerate(received):
            assert frames
            for data in frames:
                tcp = Ether(data)[TCP]
                rings_of_port[min(tcp.sport, tcp.dport), max(tcp.sport, tcp.dport)].add(place)
        assert len(rings_of_port) == 64
        assert all(len(places) == 1 for places in rings_of_port.values())

    in_new_network(test)


def test_packets_on_the_loopback_come_once() -> None:
    def test() -> None:
        with open_ring("lo", ring_mb=4) as ring, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("127.0.0.1", 0))
            for number in range(10):
                sender.sendto(b"message %d" % number, sender.getsockname())
            assert [bytes(Ether(frame.data)[UDP].payload) for frame in waiting(ring)] == [
                b"message %d" % number for number in range(10)
            ]

    in_new_network(test)


def test_packets_of_a_tunnel_are_raw_ip() -> None:
    def test() -> None:
        try:
            ip("tuntap", "add", "tun0", "mode", "tun")
            tunnel = os.open("/dev/net/tun", os.O_RDWR)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("there is no /dev/net/tun")
        import fcntl

        with os.fdopen(tunnel, "r+b", buffering=0) as file:
            fcntl.ioctl(file, 0x400454CA, pack("16sH22x", b"tun0", 0x1001))
            ip("link", "set", "tun0", "up")
            with open_ring("tun0", ring_mb=4) as ring:
                assert ring.link_type == 101
                file.write(segment("S")[14:])
                [frame] = waiting(ring)
                assert (frame.link_type, frame.data) == (101, segment("S")[14:])

    in_new_network(test)


def test_an_interface_that_goes_down_or_away_is_an_error_to_try_again_after() -> None:
    def test() -> None:
        with open_ring("far", ring_mb=4) as ring:
            ip("link", "set", "far", "down")
            with pytest.raises(RingError, match=r"`ip link set far up`") as caught:
                ring.wait(5)
            assert caught.value.should_retry
        with pytest.raises(RingError, match="is down"), open_ring("far"):
            pass
        ip("link", "set", "far", "up")
        with open_ring("far", ring_mb=4) as ring:
            ip("link", "delete", "far")
            with pytest.raises(RingError) as caught:
                ring.wait(5)
            assert caught.value.should_retry
        with pytest.raises(RingError, match="there is no interface far; there are: lo"), open_ring("far"):
            pass

    in_new_network(test)


def test_a_block_may_be_held_beyond_the_end_of_its_ring() -> None:
    def test() -> None:
        with open_ring("far", ring_mb=4) as ring:
            send([segment("S")])
            block = ring.wait(5)
            assert block is not None
        assert [frame.data for frame in frames_of([block])] == [segment("S")]

    in_new_network(test)


OPEN = """
from sakimori_packet_sensor.adapters.ring import RingError, open_ring
try:
    with open_ring("lo", ring_mb=4) as ring:
        print("open", ring.wait(0))
except RingError as error:
    print(error.should_retry, error)
"""


def test_the_capability_net_raw_is_all_it_takes() -> None:
    def test() -> None:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv (util-linux) is not installed")
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        net_raw = ["--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw", "--bounding-set=-all,+net_raw"]
        python = [sys.executable, "-c", OPEN]
        environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}

        def run(*prefix: str) -> str:
            return subprocess.run(
                [*prefix, *python], capture_output=True, text=True, check=True, env=environment
            ).stdout

        assert run(*nobody, *net_raw) == "open None\n"
        assert run(*nobody).startswith("False interface lo may not be captured: that needs the capability NET_RAW")

    in_new_network(test)


def test_a_recording_ends_at_its_size_and_opens_in_other_tools(tmp_path: Path) -> None:
    def test() -> None:
        sent = [datagram(b"x" * 900)] * 4000
        path = tmp_path / "ddos.pcap"
        asked = io.StringIO("once")

        def is_stopped() -> bool:
            """The first time that it is asked, the ring is open."""
            if asked.read():
                send(sent)
            return False

        recording = record("far", path, max_bytes=1_000_000, seconds=60, is_stopped=is_stopped)
        assert recording.is_full
        assert recording.bytes == path.stat().st_size
        assert 1_000_000 - 1000 < recording.bytes <= 1_000_000
        read = rdpcap(str(path))
        assert len(read) == recording.packets
        assert {bytes(packet) for packet in read} == {sent[0]}

    in_new_network(test)


def test_a_recording_ends_at_its_time_or_when_told(tmp_path: Path) -> None:
    def test() -> None:
        assert record("far", tmp_path / "short.pcap", max_bytes=1000, seconds=0.05) == (0, 24, 0, False)
        ended = record("far", tmp_path / "told.pcap", max_bytes=1000, seconds=60, is_stopped=lambda: True)
        assert ended == (0, 24, 0, False)
        with pytest.raises(FileExistsError):
            record("far", tmp_path / "told.pcap", max_bytes=1000, seconds=60)

    in_new_network(test)

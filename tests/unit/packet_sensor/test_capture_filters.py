"""Packet filters: programs and the machine that runs them, judged by the kernel's; expressions, by tcpdump."""

import shutil
import socket
import subprocess
from struct import pack

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import UDP
from scapy.layers.l2 import ARP, Dot1Q, Ether

from packets.blocks import Frame, block_of
from packets.frames import START, datagram, ping, segment, to_server
from sakimori_packet_sensor.adapters.bpf import compile_filter, packet_filter
from sakimori_packet_sensor.domain.capture import NO_LINK, CaptureError
from sakimori_packet_sensor.domain.capture.bpf import INSTRUCTION, BadProgram, PacketFilter, Program, checked

ACCEPT, REFUSE = (6, 0, 0, 65_535), (6, 0, 0, 0)
IS_IPV4 = [(0x28, 0, 0, 12), (0x15, 0, 1, 0x0800), ACCEPT, REFUSE]

FRAMES = [
    to_server(UDP(sport=40_000, dport=53) / DNS(qd=DNSQR(qname="www.example.com"))),
    segment("S", 443),
    segment("PA", 80, load=b"GET / HTTP/1.1\r\n\r\n"),
    datagram(b"x" * 900, 5353),
    ping(),
    bytes(Ether() / ARP(pdst="192.0.2.1")),
    bytes(Ether() / Dot1Q(vlan=7) / ARP(pdst="192.0.2.1")),
    b"short",
    b"",
]


def program(*instructions: tuple[int, int, int, int]) -> Program:
    return np.array(list(instructions), INSTRUCTION)


def accepted(instructions: Program, frames: list[bytes], link_type: int = 1) -> list[bool]:
    block = block_of([Frame(number, link_type, len(data), data) for number, data in enumerate(frames)])
    kept = PacketFilter(lambda _: instructions).apply(block)
    return [number in kept.time for number in range(len(frames))]


def test_a_filter_keeps_whole_packets_in_order() -> None:
    frames = [Frame(START + n, 1, 1500, data) for n, data in enumerate((segment("S"), b"no", ping()))]
    kept = PacketFilter(lambda _: program(*IS_IPV4)).apply(block_of(frames))
    assert kept.time.tolist() == [START, START + 2]
    assert kept.wire.tolist() == [1500, 1500]
    [first, last] = zip(kept.at, kept.captured, strict=True)
    assert bytes(kept.data[first[0] : first[0] + first[1]]) == segment("S")
    assert bytes(kept.data[last[0] : last[0] + last[1]]) == ping()


def test_packets_of_different_link_types_have_programs_of_their_own() -> None:
    """Raw IP has its first byte where Ethernet has an address; what has no link type can mean nothing."""
    programs = {1: program(REFUSE), 101: program(ACCEPT)}
    block = block_of([Frame(1, 1, 1, b"e"), Frame(2, 101, 1, b"r"), Frame(3, NO_LINK, 1, b"?")])
    assert PacketFilter(programs.__getitem__).apply(block).time.tolist() == [2]


@pytest.mark.parametrize(
    ("instructions", "reason"),
    [
        ([], "0 instructions"),
        ([ACCEPT] * 4097, "4097 instructions"),
        ([(0x15, 0, 1, 0), ACCEPT], "jumps beyond the end"),
        ([(0x05, 0, 0, 0xFFFFFFFF), ACCEPT], "jumps beyond the end"),
        ([(0x60, 0, 0, 16), ACCEPT], "no memory word 16"),
        ([(0x34, 0, 0, 0), ACCEPT], "divides by zero"),
        ([(0xFF, 0, 0, 0), ACCEPT], "unknown code 0xff"),
        ([(0x28, 0, 0, 12)], "does not end with a return"),
    ],
)
def test_programs_that_are_not_sound_are_refused(instructions: list[tuple[int, int, int, int]], reason: str) -> None:
    with pytest.raises(BadProgram, match=reason):
        checked(program(*instructions))


def test_what_lies_outside_the_packet_refuses_it() -> None:
    for load in [(0x20, 0, 0, 2), (0x28, 0, 0, 4), (0x30, 0, 0, 5), (0xB1, 0, 0, 5), (0x20, 0, 0, 0xFFFFFFFE)]:
        assert accepted(program(load, ACCEPT), [b"12345", b"123456"])[0] is False


NUMBERS = st.one_of(st.integers(0, 20), st.integers(0, 2**32 - 1))
LOADS = st.tuples(
    st.sampled_from([0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xB1]), st.just(0), st.just(0), st.integers(0, 20)
)
SIMPLE = st.tuples(st.sampled_from([0x00, 0x01, 0x80, 0x81, 0x07, 0x87, 0x84]), st.just(0), st.just(0), NUMBERS)
SUMS = st.tuples(
    st.sampled_from([code | x for code in (0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x94, 0xA4) for x in (0, 8)]),
    st.just(0),
    st.just(0),
    NUMBERS.filter(bool),
)
SHIFTS = st.tuples(st.sampled_from([0x64, 0x6C, 0x74, 0x7C]), st.just(0), st.just(0), st.integers(0, 31))
STORES = st.tuples(st.sampled_from([0x02, 0x03]), st.just(0), st.just(0), st.integers(0, 3))
JUMPS = st.tuples(
    st.sampled_from([code | x for code in (0x15, 0x25, 0x35, 0x45) for x in (0, 8)]),
    st.integers(0, 2),
    st.integers(0, 2),
    NUMBERS,
)
RETURNS = st.sampled_from([(0x06, 0, 0, 0), (0x06, 0, 0, 1), (0x16, 0, 0, 0)])
_STORED = [(0x02, 0, 0, word) for word in range(4)]
"""The kernel refuses programs that read memory before they wrote it."""
READS = st.tuples(st.sampled_from([0x60, 0x61]), st.just(0), st.just(0), st.integers(0, 3))


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.one_of(LOADS, SIMPLE, SUMS, SHIFTS, STORES, JUMPS, RETURNS, READS), max_size=12),
    st.lists(st.binary(min_size=1, max_size=24), min_size=1, max_size=5),
)
def test_the_machine_accepts_what_the_kernels_accepts(
    instructions: list[tuple[int, int, int, int]], messages: list[bytes]
) -> None:
    whole = program(*_STORED, *instructions, (0x06, 0, 0, 1), (0x16, 0, 0, 0), REFUSE)
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with sender, receiver:
        receiver.setblocking(False)
        try:
            receiver.setsockopt(socket.SOL_SOCKET, 26, pack("HP", len(whole), whole.ctypes.data))
        except OSError:
            assume(False)
        assert accepted(whole, messages) == [_passes(sender, receiver, message) for message in messages]


def _passes(sender: socket.socket, receiver: socket.socket, message: bytes) -> bool:
    sender.send(message)
    try:
        receiver.recv(64)
    except BlockingIOError:
        return False
    return True


def _libpcap_is_missing() -> bool:
    try:
        compile_filter("ip", 1)
    except CaptureError:
        return True
    return False


with_libpcap = pytest.mark.skipif(_libpcap_is_missing(), reason="libpcap is not installed (libpcap0.8)")


@with_libpcap
@pytest.mark.parametrize(
    ("expression", "numbers"),
    [
        ("", list(range(9))),
        ("port 53", [0]),
        ("udp", [0, 3]),
        ("tcp[tcpflags] & tcp-syn != 0", [1]),
        ("icmp or arp", [4, 5]),
        ("vlan 7 and arp", [6]),
        ("greater 900", [3]),
        ("ether host 00:00:5e:00:53:01 and not ip", []),
    ],
)
def test_expressions_select_what_their_manual_says(expression: str, numbers: list[int]) -> None:
    block = block_of([Frame(number, 1, len(data), data) for number, data in enumerate(FRAMES)])
    assert packet_filter(expression).apply(block).time.tolist() == numbers


@with_libpcap
def test_raw_ip_is_filtered_from_its_first_byte() -> None:
    """libpcap knows raw IP by another number than capture files."""
    packets = [segment("S", 443)[14:], datagram(b"x", 53)[14:]]
    block = block_of([Frame(number, 101, len(data), data) for number, data in enumerate(packets)])
    assert packet_filter("udp port 53").apply(block).time.tolist() == [1]


@with_libpcap
@pytest.mark.parametrize("expression", ["port", "port http https", "host 192.0.2.1.5", "ip\0", "(" * 9000])
def test_what_is_no_expression_is_refused_with_libpcaps_reason(expression: str) -> None:
    with pytest.raises(CaptureError, match="filter"):
        packet_filter(expression)


@with_libpcap
def test_a_link_type_without_filters_is_named() -> None:
    with pytest.raises(CaptureError, match=r"link type|cannot be compiled"):
        compile_filter("port 53", 9999)


@with_libpcap
@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed")
@pytest.mark.parametrize("expression", ["port 53", "tcp port 80 and ip[2:2] - ((ip[0]&0xf)<<2) != 0", "ip6 or arp"])
def test_programs_are_those_that_tcpdump_prints(expression: str) -> None:
    printed = subprocess.run(
        ["tcpdump", "-ddd", "-y", "EN10MB", expression], capture_output=True, text=True, check=False
    ).stdout
    if not printed:
        pytest.skip("tcpdump -ddd needs an interface that may be opened")
    lines = [tuple(map(int, line.split())) for line in printed.splitlines()[1:]]
    ours = compile_filter(expression, 1).tolist()
    assert [line[:3] for line in ours] == [line[:3] for line in lines]

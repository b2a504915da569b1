"""The flow table: what belongs together, what becomes of it, when it ends."""

from collections.abc import Sequence

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from packets.blocks import ethernet
from packets.frames import (
    CLIENT,
    CLIENT_MAC,
    SERVER,
    START,
    datagram,
    datagram_reply,
    ping,
    reply,
    segment,
)
from sakimori_packet_sensor.domain.addresses import ip_text, mac_text
from sakimori_packet_sensor.domain.conversations.rows import FlowRow, flow_rows
from sakimori_packet_sensor.domain.fastpath.fast_path import FastPath
from sakimori_packet_sensor.domain.fastpath.layout import NO_PORT
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sakimori_packet_sensor.domain.flows.state import tcp_state

SECOND = 1_000_000


def feed(fast: FastPath, frames: Sequence[bytes], *, at: int = START, every: int = 1000) -> None:
    assert fast.process(ethernet(frames, at=at, every=every), 0) == len(frames)


def ended(fast: FastPath) -> list[FlowRow]:
    return sorted(flow_rows(fast.take_ended().flows), key=lambda flow: flow.number)


def flows(frames: Sequence[bytes], *, every: int = 1000, limits: FlowLimits | None = None) -> list[FlowRow]:
    fast = FastPath(limits or FlowLimits())
    feed(fast, frames, every=every)
    fast.finish()
    return ended(fast)


def state(flow: FlowRow) -> str:
    if flow.protocol != 6 or flow.source_port == NO_PORT:
        return "active"
    is_answered = flow.destination_packets > 0
    return tcp_state(flow.opening_flags, flow.source_flags, flow.destination_flags, is_answered=is_answered)


HANDSHAKE = [segment("S"), reply("SA"), segment("A")]


def test_both_directions_are_one_flow_and_the_first_speaker_is_its_source() -> None:
    [flow] = flows([*HANDSHAKE, segment("PA", load=b"x" * 10), reply("PA", load=b"y" * 100)])
    assert (ip_text(flow.source), flow.source_port) == (CLIENT, 50_000)
    assert (ip_text(flow.destination), flow.destination_port) == (SERVER, 443)
    assert mac_text(flow.source_mac) == CLIENT_MAC.replace(":", "-").upper()
    assert (flow.source_packets, flow.source_bytes) == (3, 130)
    assert (flow.destination_packets, flow.destination_bytes) == (2, 180)
    assert (flow.start, flow.last) == (START, START + 4000)
    assert (flow.source_flags, flow.destination_flags) == (0x1A, 0x1A)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([segment("S")], "attempted"),
        ([segment("S"), segment("S")], "attempted"),
        ([segment("S"), segment("R")], "attempted"),
        ([segment("S"), reply("RA")], "rejected"),
        ([segment("S"), reply("SA")], "established"),
        ([*HANDSHAKE], "established"),
        ([*HANDSHAKE, segment("FA")], "established"),
        ([*HANDSHAKE, segment("FA"), reply("FA"), segment("A")], "closed"),
        ([*HANDSHAKE, segment("FA"), reply("FA"), segment("R")], "closed"),
        ([*HANDSHAKE, reply("R")], "reset"),
        ([*HANDSHAKE, segment("R")], "reset"),
        ([segment("S"), reply("SA"), segment("R")], "reset"),
        ([segment("PA", load=b"midstream")], "established"),
        ([reply("RA")], "reset"),
        ([segment("")], "attempted"),
        ([segment("F"), reply("RA")], "rejected"),
        ([segment("FPU"), reply("RA")], "rejected"),
        ([segment("S"), segment("A"), segment("PA", load=b"one side only")], "established"),
        ([datagram(b"hello", 4000)], "active"),
        ([ping(), ping(is_answer=True)], "active"),
    ],
)
def test_state_says_what_became_of_a_connection(frames: list[bytes], expected: str) -> None:
    [flow] = flows(frames)
    assert state(flow) == expected


def test_the_side_that_answers_a_question_nobody_captured_is_the_destination() -> None:
    [flow] = flows([reply("SA"), segment("A")])
    assert ip_text(flow.source) == CLIENT
    assert (flow.source_packets, flow.destination_packets) == (1, 1)
    assert mac_text(flow.source_mac) == CLIENT_MAC.replace(":", "-").upper()


def test_a_ping_and_its_answer_are_one_flow() -> None:
    [flow] = flows([ping(), ping(is_answer=True), ping()])
    assert (flow.source_packets, flow.destination_packets) == (2, 1)


def test_a_host_that_speaks_to_itself_has_one_flow() -> None:
    def to_itself(source: int, destination: int) -> bytes:
        return bytes(Ether() / IP(src=CLIENT, dst=CLIENT) / UDP(sport=source, dport=destination))

    [flow] = flows([to_itself(2000, 1000), to_itself(1000, 2000)])
    assert (flow.source_port, flow.source_packets, flow.destination_packets) == (2000, 1, 1)


def test_what_comes_right_after_the_end_still_belongs_to_the_flow() -> None:
    [flow] = flows([*HANDSHAKE, segment("FA"), reply("FA"), segment("A"), reply("FA"), segment("R")])
    assert flow.source_packets + flow.destination_packets == 8


def test_a_new_syn_on_the_ports_of_an_ended_flow_begins_another() -> None:
    first, second = flows([segment("S"), reply("RA"), segment("S"), reply("RA")])
    assert (state(first), state(second)) == ("rejected", "rejected")
    assert (first.number, second.number) == (1, 3)


def test_an_idle_flow_ends_by_the_time_of_the_capture() -> None:
    fast = FastPath(FlowLimits(idle_seconds=300))
    feed(fast, [datagram(b"a", 4000)])
    feed(fast, [datagram(b"b", 5000)], at=START + 299 * SECOND)
    assert ended(fast) == []
    feed(fast, [datagram(b"b", 5000)], at=START + 302 * SECOND)
    [flow] = ended(fast)
    assert flow.destination_port == 4000


def test_a_packet_after_the_idle_time_begins_another_flow() -> None:
    first, second = flows([datagram(b"a", 4000), datagram(b"b", 4000)], every=301 * SECOND)
    assert (first.source_packets, second.source_packets) == (1, 1)


def test_a_flow_that_goes_on_is_reported_in_parts_with_the_same_sides() -> None:
    frames = [*HANDSHAKE, *[reply("PA", load=b"x")] * 10]
    parts = flows(frames, every=20 * SECOND, limits=FlowLimits(active_seconds=100))
    assert [part.source_packets + part.destination_packets for part in parts] == [6, 6, 1]
    assert {ip_text(part.source) for part in parts} == {CLIENT}
    assert {state(part) for part in parts} == {"established"}


def test_an_ended_flow_is_reported_soon_not_after_the_idle_time() -> None:
    fast = FastPath(FlowLimits())
    feed(fast, [segment("S"), reply("RA")])
    feed(fast, [datagram(b"x", 4000)], at=START + 7 * SECOND)
    assert [state(flow) for flow in ended(fast)] == ["rejected"]


def test_fragments_count_to_the_flow_of_the_first() -> None:
    def fragment(offset: int, flags: str, load: bytes) -> bytes:
        return bytes(Ether() / IP(src=CLIENT, dst=SERVER, id=9, frag=offset, flags=flags, proto=17) / load)

    head = bytes(UDP(sport=4000, dport=5000, len=1008) / (b"x" * 16))
    [flow] = flows([fragment(0, "MF", head), fragment(3, "MF", b"x" * 24), fragment(6, "", b"x" * 8)])
    assert (flow.destination_port, flow.source_packets) == (5000, 3)


def test_fragments_without_their_first_are_a_flow_without_ports() -> None:
    [flow] = flows([bytes(Ether() / IP(src=CLIENT, dst=SERVER, id=9, frag=3, proto=6) / b"more of it")])
    assert (flow.source_port, state(flow), flow.source_packets) == (NO_PORT, "active", 1)


def test_time_that_runs_backwards_is_survived() -> None:
    fast = FastPath(FlowLimits())
    feed(fast, [datagram(b"a", 4000)], at=START)
    feed(fast, [datagram(b"b", 4000)], at=START - 3600 * SECOND)
    feed(fast, [datagram_reply(b"c", 4000)], at=START + SECOND)
    fast.finish()
    [flow] = ended(fast)
    assert (flow.start, flow.last) == (START, START + SECOND)

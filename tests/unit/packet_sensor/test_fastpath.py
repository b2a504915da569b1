"""The compiled fast path: what bounds it, what its users may ask for, and how time passes."""

from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Address

import numpy as np
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether

from packets.blocks import Packet, block_of, ethernet
from packets.frames import CLIENT, CLIENT_MAC, SERVER, START, datagram, datagram_reply, ping, reply, segment
from sakimori_packet_sensor.domain.capture.block import Block
from sakimori_packet_sensor.domain.fastpath.fast_path import Ended, FastPath
from sakimori_packet_sensor.domain.fastpath.layout import Anomaly, Ending, Kind, Undecoded, Watch
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits

SECOND = 1_000_000


def feed(fast: FastPath, block: Block) -> Ended:
    """Take a whole block; returns everything that ended."""
    done, taken = 0, []
    while done < len(block.at):
        done = fast.process(block, done)
        taken.append(fast.take_ended())
    return Ended(*(np.concatenate(parts) for parts in zip(*taken, strict=True)))


def flood(count: int, *, first: int = 0, target: str = "198.51.100.80", at: int = START) -> Block:
    """SYNs of as many different sources, a microsecond apart."""
    syn = bytes(Ether(src=CLIENT_MAC) / IP(src="192.0.2.0", dst=target) / TCP(sport=1024, dport=80, flags="S"))
    return ethernet(
        [syn[:26] + (first + place).to_bytes(4, "big") + syn[30:] for place in range(count)], at=at, every=1
    )


def sources(ended: Ended) -> list[int]:
    return [int(flow["source_port"]) for flow in ended.flows]


def test_a_flood_of_attempts_takes_no_more_memory_and_no_more_reports() -> None:
    fast = FastPath(FlowLimits(flows=1000))
    ended = feed(fast, flood(50_000))
    assert len(ended.flows) == 0
    assert (fast.counts.flows, fast.counts.evicted, fast.counts.folded) == (50_000, 49_000, 49_000)
    [folded] = fast.take_folded()
    assert (folded["count"], folded["packets"], folded["bytes"]) == (49_000, 49_000, 49_000 * 40)
    assert folded["destination"].tobytes()[:4] == IPv4Address("198.51.100.80").packed
    assert (folded["destination_port"], folded["protocol"], folded["version"], folded["flags"]) == (80, 6, 4, 2)
    assert (folded["first"], folded["last"]) == (START, START + 48_999)
    assert folded["sources"] == pytest.approx(49_000, rel=0.2)
    assert len(fast.take_folded()) == 0


def test_few_sources_are_counted_almost_exactly() -> None:
    fast = FastPath(FlowLimits(flows=10))
    feed(fast, flood(40))
    assert fast.take_folded()["sources"][0] == pytest.approx(30, abs=2)


def test_attempts_at_very_many_destinations_are_folded_into_one() -> None:
    fast = FastPath(FlowLimits(flows=10))
    syn = segment("S")
    frames = [syn[:30] + (0x0A00_0000 + place).to_bytes(4, "big") + syn[34:] for place in range(5000)]
    feed(fast, ethernet(frames))
    folded = fast.take_folded()
    assert len(folded) <= 512
    assert folded["count"].sum() == 4990
    various = folded[folded["version"] == 0]
    assert len(various) == 1
    assert various[0]["count"] > 4000
    assert not various[0]["destination"].any()


def test_a_flood_does_not_push_out_conversations() -> None:
    fast = FastPath(FlowLimits(flows=100))
    talks = [frame for port in range(1000, 1050) for frame in (datagram(b"q", port), datagram_reply(b"a", port))]
    feed(fast, ethernet(talks))
    assert len(feed(fast, flood(10_000, at=START + SECOND)).flows) == 0
    fast.finish()
    flows = fast.take_ended().flows
    assert sum(flow["packets"].tolist() == [1, 1] for flow in flows) == 50


def test_without_attempts_the_longest_quiet_is_reported_early() -> None:
    fast = FastPath(FlowLimits(flows=3))
    ended = feed(fast, ethernet([datagram(b"x", 53, port) for port in (1000, 2000, 3000, 1000, 4000)]))
    assert sources(ended) == [2000]
    assert ended.ending.tolist() == [Ending.EVICTED]
    assert fast.counts.evicted == 1


def test_flows_that_are_over_make_room_first_and_are_not_called_evicted() -> None:
    fast = FastPath(FlowLimits(flows=10))
    ended = feed(fast, ethernet([frame for port in range(1, 500) for frame in (segment("S", port), reply("RA", port))]))
    assert len(ended.flows) == 489
    assert set(ended.ending.tolist()) == {Ending.OVER}
    assert fast.counts.evicted == 0


def test_pings_of_a_flood_are_folded_too() -> None:
    fast = FastPath(FlowLimits(flows=10))
    frame = ping() + b"payload"
    feed(fast, ethernet([frame[:26] + place.to_bytes(4, "big") + frame[30:] for place in range(1, 101)]))
    [folded] = fast.take_folded()
    assert (folded["count"], folded["protocol"], folded["destination_port"]) == (90, 1, 0)
    fast.finish()
    assert {tuple(flow["entropy"]) for flow in fast.take_ended().flows} == {(-1, -1)}


def test_a_slot_is_not_used_again_before_its_flow_was_taken() -> None:
    fast = FastPath(FlowLimits(flows=1))
    block = ethernet([datagram(b"x", 53, port) for port in range(1000, 1500)])
    done = fast.process(block, 0)
    assert done < 500
    assert fast.process(block, done) == done
    taken = fast.take_ended()
    assert len(set(taken.slot.tolist())) == len(taken.slot) == done - 1
    assert fast.process(block, done) > done


def test_the_table_of_marks_bounds_one_call() -> None:
    fast = FastPath(FlowLimits())
    block = ethernet([datagram(b"x", 53)] * 10_000)
    done, seen = 0, 0
    while done < 10_000:
        done = fast.process(block, done)
        seen += int(np.count_nonzero(fast.marks()["kind"] == Kind.PAYLOAD))
        assert len(fast.marks()) <= 4096
    assert seen == 10_000


def payloads(fast: FastPath, frames: Sequence[bytes]) -> list[int]:
    fast.process(ethernet(frames), 0)
    marks = fast.marks()
    return [int(mark["offset"]) for mark in marks[marks["kind"] == Kind.PAYLOAD]]


def test_only_what_is_watched_is_marked() -> None:
    fast = FastPath(FlowLimits())
    assert payloads(fast, [segment("S", seq=99), segment("PA", seq=100, load=b"x" * 10)]) == [0]
    slot = int(fast.marks()["flow"][-1])
    fast.table["watch"][slot, 0] = Watch.NONE
    assert payloads(fast, [segment("PA", seq=110, load=b"x" * 10)]) == []
    fast.table["watch"][slot, 0], fast.table["skip_to"][slot, 0] = Watch.BEYOND, 40
    assert payloads(fast, [segment("PA", seq=120, load=b"x" * 20), segment("PA", seq=140, load=b"x")]) == [40]
    assert payloads(fast, [segment("PA", seq=130, load=b"x" * 11)]) == [30]


def test_skipping_works_where_sequence_numbers_wrap() -> None:
    fast = FastPath(FlowLimits())
    first = 2**32 - 11
    assert payloads(fast, [segment("S", seq=first), segment("PA", seq=first + 1, load=b"x" * 10)]) == [0]
    slot = int(fast.marks()["flow"][-1])
    fast.table["watch"][slot, 0], fast.table["skip_to"][slot, 0] = Watch.BEYOND, 15
    assert payloads(fast, [segment("PA", seq=0, load=b"x" * 5), segment("PA", seq=5, load=b"x")]) == [15]


def test_what_was_not_captured_is_said_to_be_missing() -> None:
    fast = FastPath(FlowLimits())
    frame = segment("PA", load=b"x" * 1000)
    fast.process(block_of([(START, 1, len(frame), frame[:64])]), 0)
    mark = fast.marks()[-1]
    assert (mark["payload_bytes"], mark["missing"]) == (10, 990)


def test_idle_flows_end_by_the_clock_when_no_packet_comes() -> None:
    fast = FastPath(FlowLimits(idle_seconds=30))
    feed(fast, ethernet([datagram(b"x")]))
    assert fast.tick(START + 29 * SECOND)
    assert len(fast.take_ended().flows) == 0
    assert fast.tick(START + 32 * SECOND)
    assert fast.take_ended().ending.tolist() == [Ending.IDLE]


def test_a_clock_that_leaps_ends_everything_once() -> None:
    fast = FastPath(FlowLimits())
    feed(fast, ethernet([datagram(b"x", 53, port) for port in range(1000, 1100)]))
    assert fast.tick(START + 400 * 86_400 * SECOND)
    assert len(fast.take_ended().flows) == 100
    fast.finish()
    assert len(fast.take_ended().flows) == 0


def test_a_long_conversation_is_reported_in_parts_of_the_same_slot() -> None:
    fast = FastPath(FlowLimits(active_seconds=100))
    frames = [segment("S"), *[segment("PA", load=b"x")] * 12]
    ended = feed(fast, ethernet(frames, every=20 * SECOND))
    assert ended.ending.tolist() == [Ending.ACTIVE, Ending.ACTIVE]
    assert len(set(ended.slot.tolist())) == 1
    assert ended.flows["packets"].tolist() == [[6, 0], [6, 0]]
    assert ended.flows["number"].tolist() == [1, 7]


def test_while_shedding_no_flow_begins_and_known_ones_go_on() -> None:
    fast = FastPath(FlowLimits())
    feed(fast, ethernet([datagram(b"x", 53, 1000)]))
    fast.is_shedding = True
    feed(fast, ethernet([datagram(b"x", 53, port) for port in (1000, 2000, 2000, 3000)]))
    fast.is_shedding = False
    feed(fast, ethernet([datagram(b"x", 53, port) for port in (2000, 4000)]))
    assert (fast.counts.shed_flows, fast.counts.shed_packets) == (2, 4)
    fast.finish()
    flows = fast.take_ended().flows
    assert {int(flow["source_port"]): int(flow["packets"][0]) for flow in flows} == {1000: 2, 4000: 1}


def test_a_connection_that_begins_after_shedding_is_taken_even_on_the_ports_of_a_shed_one() -> None:
    fast = FastPath(FlowLimits())
    fast.is_shedding = True
    feed(fast, ethernet([segment("S"), segment("PA", load=b"x")]))
    fast.is_shedding = False
    feed(fast, ethernet([segment("PA", load=b"x"), segment("S"), segment("PA", load=b"x")]))
    fast.finish()
    assert fast.take_ended().flows["packets"].tolist() == [[2, 0]]


def stations(fast: FastPath, block: Block) -> list[str]:
    fast.process(block, 0)
    marks = fast.marks()
    return [
        str(IPv4Address(mark["address"].tobytes()[:4])) if mark["version"] else "-"
        for mark in marks[marks["kind"] == Kind.NEW_STATION]
    ]


def test_a_station_is_new_once_an_hour_for_each_private_address() -> None:
    fast = FastPath(FlowLimits())

    def from_address(source: str) -> bytes:
        return bytes(Ether(src=CLIENT_MAC) / IP(src=source, dst="8.8.8.8") / UDP(sport=1, dport=2))

    def at(minutes: int) -> Block:
        frames = [from_address("10.0.0.5"), from_address("10.0.0.5"), from_address("1.1.1.1")]
        return ethernet(frames, at=START + minutes * 60 * SECOND)

    assert stations(fast, at(0)) == ["10.0.0.5"]
    assert stations(fast, at(30)) == []
    assert stations(fast, ethernet([from_address("10.0.0.6")], at=START + 31 * 60 * SECOND)) == ["10.0.0.6"]
    assert stations(fast, at(61)) == ["10.0.0.5"]


def test_invented_stations_are_marked_up_to_a_bound_and_counted() -> None:
    fast = FastPath(FlowLimits())
    frame = bytes(Ether(type=0x88CC)) + b"lldp"
    frames = [frame[:6] + (0x00005E00_000000 + place).to_bytes(6, "big") + frame[12:] for place in range(1, 3001)]
    fast.process(ethernet(frames, every=1), 0)
    assert np.count_nonzero(fast.marks()["kind"] == Kind.NEW_STATION) == 512
    assert fast.counts.stations_unmarked == 3000 - 512


def test_anomalies_are_marked_up_to_a_bound_a_second_and_all_counted() -> None:
    fast = FastPath(FlowLimits())
    wrong = bytes(Ether(src=CLIENT_MAC) / IP(src=CLIENT, dst=SERVER, ihl=4) / UDP())
    fast.process(ethernet([wrong] * 100, every=1), 0)
    marks = fast.marks()[fast.marks()["kind"] == Kind.ANOMALY]
    assert len(marks) == 32
    assert {Anomaly(mark["reason"]) for mark in marks} == {Anomaly.IP_HEADER_LENGTH}
    assert marks[0]["address"].tobytes()[:4] == IPv4Address(CLIENT).packed
    assert fast.counts.anomalies[Anomaly.IP_HEADER_LENGTH] == 100
    assert fast.counts.undecoded[Undecoded.MALFORMED] == 100


def anomalies(frames: Sequence[bytes]) -> list[Anomaly]:
    fast = FastPath(FlowLimits())
    fast.process(ethernet(frames), 0)
    return [reason for reason, count in fast.counts.anomalies.items() for _ in range(count)]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, 24), (24, 24), (48, 8)], []),
        ([(24, 24), (0, 24), (48, 8)], []),
        ([(0, 24), (0, 24), (24, 24)], []),  # the same twice, as a mirrored port shows it
        ([(0, 24), (16, 24)], [Anomaly.FRAGMENT_OVERLAP]),
        ([(48, 8), (0, 24), (16, 64)], [Anomaly.FRAGMENT_OVERLAP]),
        ([(0, 24), (65_528, 64)], [Anomaly.FRAGMENT_LENGTH]),
    ],
)
def test_fragments_that_contradict_one_another_are_told(spans: list[tuple[int, int]], expected: list[Anomaly]) -> None:
    def fragment(begin: int, length: int) -> bytes:
        whole = IP(src=CLIENT, dst=SERVER, id=9, frag=begin // 8, flags="MF", proto=17)
        return bytes(Ether() / whole / (b"\x10\0\x10\0" + b"\0" * (length - 4)))

    frames = [fragment(begin, length) for begin, length in spans]
    assert anomalies(frames) == expected


def test_loops_of_tunnels_end() -> None:
    packet = IP(src=CLIENT, dst=SERVER) / UDP(sport=1, dport=2)
    for _ in range(5):
        packet = IP(src=SERVER, dst=CLIENT) / packet
    assert anomalies([bytes(Ether() / packet)]) == [Anomaly.TUNNEL_DEPTH]


def test_an_arp_message_and_an_icmp_error_are_told_apart() -> None:
    fast = FastPath(FlowLimits())
    link = Ether(src=CLIENT_MAC)
    fast.process(ethernet([bytes(link / ARP()), bytes(link / IP() / ICMP(type=3, code=1))]), 0)
    assert Counter(fast.marks()["kind"].tolist()) == {Kind.ARP: 1, Kind.NEW_STATION: 1}
    fast.finish()
    [flow] = fast.take_ended().flows
    assert (flow["source_port"], flow["destination_port"]) == (3, 1)


@pytest.mark.parametrize(
    "packet",
    [
        (0, 1, 0, b""),
        (-5, 1, -7, b"x"),
        (2**62, 1, 2**31 - 1, segment("S")),
        (START, -1, 60, segment("S")),
        (START, 2**31 - 1, 1, b""),
    ],
)
def test_impossible_numbers_are_survived(packet: Packet) -> None:
    fast = FastPath(FlowLimits())
    feed(fast, block_of([packet, (START, 1, 54, segment("S"))]))
    assert fast.counts.packets == 2


def test_places_outside_the_buffer_are_not_read() -> None:
    fast = FastPath(FlowLimits())
    block = ethernet([segment("S")] * 4)
    astray = block._replace(at=np.array([-1, 2**62, 200, 0]), captured=np.array([54, 54, 2**31 - 1, -1], np.int32))
    feed(fast, astray)
    assert fast.counts.packets == 4


def test_the_seed_does_not_show() -> None:
    blocks = [ethernet([segment("S", port), reply("SA", port)]) for port in range(1, 50)]
    runs = []
    for seed in (1, 2**63):
        fast = FastPath(FlowLimits(flows=20), seed)
        for block in blocks:
            feed(fast, block)
        fast.finish()
        runs.append(sorted(flow["number"] for flow in fast.take_ended().flows))
    assert runs[0] == runs[1]

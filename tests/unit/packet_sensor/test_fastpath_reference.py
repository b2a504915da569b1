"""The compiled fast path against the same in plain Python: same flows, same marks, same counts."""

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Dot1AD, Dot1Q, Ether
from scapy.layers.sctp import SCTP

from packets.blocks import block_of, frames_of
from packets.frames import CLIENT_MAC, SERVER_MAC, START
from packets.samples import LINK_TYPES, SAMPLES
from sakimori_packet_sensor.adapters.files import open_capture
from sakimori_packet_sensor.domain.fastpath.fast_path import FastPath
from sakimori_packet_sensor.domain.fastpath.layout import Anomaly, Ending, Kind
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sensor_reference.sensor import Frame, Mark, ReferenceSensor

LIMITS = FlowLimits(idle_seconds=20, active_seconds=60, flows=300)
SECOND = 1_000_000


class Run:
    """What the compiled fast path makes of frames, in the terms of the reference."""

    def __init__(self, frames: Sequence[Frame], limits: FlowLimits = LIMITS) -> None:
        self.fast = FastPath(limits, seed=7)
        self._starts = list(accumulate((len(frame.data) for frame in frames), initial=0))
        self.marks: list[Mark] = []
        self.ended: list[dict[str, object]] = []
        block = block_of(frames)
        done = 0
        while done < len(frames):
            done = self.fast.process(block, done)
            self.marks += [self._mark(mark, frames) for mark in self.fast.marks()]
            self._take()
        self.fast.finish()
        self._take()

    def _mark(self, mark: np.void, frames: Sequence[Frame]) -> Mark:
        at = int(mark["payload_at"]) - self._starts[mark["index"]]
        data = frames[mark["index"]].data
        flow = None
        if mark["flow"] >= 0:
            flow = ends(self.fast.table[mark["flow"]])
        payload = data[at : at + mark["payload_bytes"]]
        assert len(payload) == mark["payload_bytes"]
        return Mark(
            int(mark["number"]), Kind(mark["kind"]), payload, Anomaly(mark["reason"]), int(mark["side"]),
            int(mark["offset"]), int(mark["missing"]), flow, mark["address"].tobytes()[: LENGTHS[int(mark["version"])]],
        )  # fmt: skip

    def _take(self) -> None:
        taken = self.fast.take_ended()
        self.ended += [row(flow, Ending(ending)) for flow, ending in zip(taken.flows, taken.ending, strict=True)]


LENGTHS = {0: 0, 4: 4, 6: 16}


def ends(flow: np.void) -> tuple[tuple[bytes, int], tuple[bytes, int]]:
    length = LENGTHS[int(flow["version"])]
    source, destination = flow["source"].tobytes()[:length], flow["destination"].tobytes()[:length]
    return (source, int(flow["source_port"])), (destination, int(flow["destination_port"]))


def row(flow: np.void, ending: Ending) -> dict[str, object]:
    source, destination = ends(flow)
    packets = flow["packets"].tolist()
    return {
        "ending": ending, "number": int(flow["number"]), "start": int(flow["start"]), "last": int(flow["last"]),
        "source": source, "destination": destination,
        "macs": (flow["source_mac"].tobytes(), flow["destination_mac"].tobytes()),
        "protocol": int(flow["protocol"]), "vlan": int(flow["vlan"]), "tunnel": int(flow["tunnel"]),
        "opening_flags": int(flow["opening_flags"]), "packets": packets, "bytes": flow["bytes"].tolist(),
        "payload_bytes": flow["payload_bytes"].tolist(), "flags": flow["flags"].tolist(),
        "head": [flow["head"][side].tobytes()[: flow["head_bytes"][side]] for side in (0, 1)],
        "entropy": [round(float(bits), 3) + 0.0 for bits in flow["entropy"]], "sampled": flow["sampled"].tolist(),
        "gap_sum": float(flow["gap_sum"]), "gap_squares": float(flow["gap_squares"]),
        "small": int(flow["small_packets"]), "large": int(flow["large_packets"]),
        "sizes": flow["sizes"].tolist()[: sum(packets)],
    }  # fmt: skip


def assert_same(frames: Sequence[Frame]) -> None:
    reference = ReferenceSensor(LIMITS)
    reference.process(frames)
    reference.finish()
    run = Run(frames)
    assert run.marks == reference.marks
    assert in_order(run.ended) == in_order(reference.ended)
    counts = run.fast.counts
    assert (counts.packets, counts.flows) == (len(frames), len(reference.ended))
    assert counts.bytes == sum(max(frame.wire, len(frame.data)) for frame in frames)
    assert +Counter(counts.undecoded) == reference.undecoded
    assert +Counter(counts.anomalies) == reference.anomalies


def in_order(ended: list[dict[str, object]]) -> list[dict[str, object]]:
    return sorted(ended, key=lambda flow: str(flow["number"]))


HOSTS = st.sampled_from(["192.0.2.1", "192.0.2.2", "8.8.8.8"])
PORTS = st.sampled_from([53, 443, 50_000])
LOADS = st.sampled_from([b"", b"x", b"hello, world", bytes(range(256)) * 4])
FLAGS = st.sampled_from(["S", "SA", "A", "PA", "FA", "R", "RA", ""])
TAGS = st.sampled_from([None, Dot1Q(vlan=7), Dot1AD(vlan=7) / Dot1Q(vlan=9)])


@st.composite
def conversations(draw: st.DrawFn) -> Frame:
    """A packet between a few ends, so that many are of the same flow; times go on by up to a minute, and back."""
    source, destination = draw(HOSTS), draw(HOSTS)
    ports: dict[str, Any] = {"sport": draw(PORTS), "dport": draw(PORTS)}
    load = draw(LOADS)
    transport = draw(
        st.sampled_from(
            [
                TCP(**ports, flags=draw(FLAGS), seq=draw(st.sampled_from([0, 5, 100, 2**32 - 3]))) / load,
                TCP(**ports, flags=draw(FLAGS), seq=1) / load,
                UDP(**ports) / load,
                ICMP(type=draw(st.sampled_from([0, 8, 3])), code=1) / load,
                SCTP(**ports) / load,
            ]
        )
    )
    network = draw(
        st.sampled_from(
            [
                IP(src=source, dst=destination),
                IP(src=source, dst=destination, options=[IPOption_Router_Alert()]),
                IP(src=source, dst=destination, id=draw(st.integers(1, 2)), flags="MF"),
                IP(src=source, dst=destination, id=draw(st.integers(1, 2)), frag=draw(st.integers(0, 3)), proto=17),
                IPv6(src="2001:db8::1", dst="2001:db8::2"),
                IP(src=source, dst=destination) / GRE() / IP(src=destination, dst=source),
            ]
        )
    )
    tags = draw(TAGS)
    link = Ether(src=CLIENT_MAC, dst=SERVER_MAC)
    data = bytes(link / network / transport if tags is None else link / tags / network / transport)
    return Frame(draw(st.sampled_from([0, 1, 1000, SECOND, 7 * SECOND, 25 * SECOND, -3 * SECOND])), 1, len(data), data)


def in_time(frames: Sequence[Frame]) -> list[Frame]:
    """Frames whose times are steps, with the times they lead to."""
    now, timed = START, []
    for frame in frames:
        now += frame.time
        timed.append(frame._replace(time=now))
    return timed


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(conversations(), min_size=1, max_size=30))
def test_conversations_yield_the_same_flows_marks_and_counts(frames: list[Frame]) -> None:
    assert_same(in_time(frames))


@st.composite
def mutated(draw: st.DrawFn) -> Frame:
    """A good frame with some bytes changed, cut somewhere, of any link type."""
    data = draw(st.sampled_from(SAMPLES))
    at, change = draw(st.integers(0, 80)), draw(st.binary(max_size=3))
    changed = data[:at] + change + data[at + len(change) :]
    kept = changed[: draw(st.integers(0, 120))]
    wire = draw(st.sampled_from([len(kept), len(changed), 0, 60, 100_000]))
    return Frame(draw(st.sampled_from([0, 100, SECOND])), draw(st.sampled_from(LINK_TYPES)), wire, kept)


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(mutated(), min_size=1, max_size=8))
def test_damaged_frames_yield_the_same_flows_marks_and_counts(frames: list[Frame]) -> None:
    assert_same(in_time(frames))


NOISE = st.builds(Frame, st.just(1), st.sampled_from(LINK_TYPES), st.integers(0, 2000), st.binary(max_size=120))


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        NOISE,
        max_size=8,
    )
)
def test_noise_yields_the_same_flows_marks_and_counts(frames: list[Frame]) -> None:
    assert_same(in_time(frames))


def test_every_sample_of_this_suite_is_decoded_as_its_link_type() -> None:
    for data in SAMPLES:
        for link_type in (0, 1, 9, 101, 113, 276):
            assert_same([Frame(START, link_type, len(data), data)])


@pytest.mark.data
@pytest.mark.timeout(600)
def test_real_captures_yield_the_same_flows_payloads_and_counts(development_data: Path) -> None:
    """Marks of anomalies and stations are bounded a second, which the reference is not; they are counted here."""
    limits = FlowLimits(flows=5000)
    flows = 0
    paths = [path for path in development_data.glob("[pd]*/**/*") if path.suffix in {".pcap", ".pcapng", ".cap"}]
    for path in sorted(paths):
        with open_capture(path) as capture:
            frames = [Frame(time, link, wire, data) for time, link, wire, data in frames_of(capture)][:3000]
        reference = ReferenceSensor(limits)
        reference.process(frames)
        reference.finish()
        run = Run(frames, limits)
        assert in_order(run.ended) == in_order(reference.ended), path
        assert payloads(run.marks) == payloads(reference.marks), path
        assert +Counter(run.fast.counts.undecoded) == reference.undecoded, path
        assert +Counter(run.fast.counts.anomalies) == reference.anomalies, path
        flows += len(reference.ended)
    assert flows > 5000


def payloads(marks: list[Mark]) -> list[Mark]:
    return [mark for mark in marks if mark.kind not in {Kind.ANOMALY, Kind.NEW_STATION}]

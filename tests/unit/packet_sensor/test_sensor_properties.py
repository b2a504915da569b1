"""What holds for the sensor whatever is captured."""

import io
import random
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.l2 import ARP, Ether

from packets.frames import CLIENT_MAC, datagram, datagram_reply, pcap_file, ping, reply, segment
from sakimori_common.contracts import EVENTS, Event
from sakimori_packet_sensor.domain.capture.block import Block
from sakimori_packet_sensor.domain.capture.reader import read_capture
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sakimori_packet_sensor.domain.sensor import Sensor

REQUEST = b"POST /login HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 9\r\n\r\nuser=name"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3000\r\n\r\n" + b"x" * 3000
QUERY = bytes(DNS(id=7, qd=[DNSQR(qname="www.example.com")]))


def web(port: int) -> list[bytes]:
    """A conversation of a request, an answer and another request."""
    opening = [segment("S", 80, port, seq=9), reply("SA", 80, port, seq=99), segment("A", 80, port, seq=10)]
    asks = [segment("PA", 80, port, seq=10 + at, load=REQUEST[at : at + 30]) for at in range(0, len(REQUEST), 30)]
    answers = [reply("PA", 80, port, seq=100 + at, load=ANSWER[at : at + 700]) for at in range(0, len(ANSWER), 700)]
    again = segment("PA", 80, port, seq=10 + len(REQUEST), load=REQUEST)
    return [*opening, *asks, *answers, again, segment("FA", 80, port), reply("FA", 80, port)]


FRAMES = [
    *[frame for together in zip(*(web(port) for port in range(40_000, 40_008)), strict=True) for frame in together],
    bytes(Ether(src=CLIENT_MAC) / ARP()),
    *[datagram(QUERY, client_port=port) for port in range(41_000, 41_020)],
    *[datagram_reply(QUERY, client_port=port) for port in range(41_000, 41_020)],
    ping(),
    ping(is_answer=True),
]


def read(capture: bytes, limits: FlowLimits | None = None) -> list[Event]:
    return [event for events in Sensor({}, limits).events(read_capture(io.BytesIO(capture))) for event in events]


def in_blocks(capture: bytes, sizes: list[int]) -> Iterator[Block]:
    """The same packets in blocks of other sizes."""
    [whole] = list(read_capture(io.BytesIO(capture)))
    at, turn = 0, 0
    while at < len(whole.at):
        size = sizes[turn % len(sizes)]
        yield whole.part(at, at + size)
        at, turn = at + size, turn + 1


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_blocks_of_any_size_give_the_same_events(sizes: list[int], order: random.Random) -> None:
    frames = FRAMES[:]
    for _ in range(10):  # neighbours change places, as on a line
        at = order.randrange(len(frames) - 1)
        frames[at], frames[at + 1] = frames[at + 1], frames[at]
    capture = pcap_file(frames)
    by_id = {event.id: event for event in read(capture)}
    events = [event for events in Sensor({}).events(in_blocks(capture, sizes)) for event in events]
    assert {event.id: event for event in events} == by_id
    assert len(events) == len(by_id)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.tuples(st.integers(0, len(FRAMES) - 1), st.integers(0, 200), st.binary(max_size=4), st.integers(0, 1500)),
        max_size=40,
    ),
    st.randoms(use_true_random=False),
)
def test_mutated_captures_become_events_that_can_be_sent(
    edits: list[tuple[int, int, bytes, int]], order: random.Random
) -> None:
    frames = FRAMES[:]
    for place, at, new, cut in edits:
        frame = frames[place]
        frames[place] = (frame[:at] + new + frame[at + len(new) :])[: max(cut, 14)]
    order.shuffle(frames)
    events = read(pcap_file(frames), FlowLimits(flows=20))
    assert EVENTS.decode(EVENTS.encode(events)) == events
    assert len({event.id for event in events}) == len(events)
    for event in events:
        assert Event.from_flat(event.to_flat()) == event


def test_a_capture_read_twice_has_the_same_events() -> None:
    assert read(pcap_file(FRAMES)) == read(pcap_file(FRAMES))


def test_a_flood_of_conversations_that_say_half_a_request_is_bounded() -> None:
    frames = [segment("PA", 80, client_port=port, seq=1, load=REQUEST[:40]) for port in range(1024, 9024)]
    events = read(pcap_file(frames), FlowLimits(flows=1000))
    flows = [event.fields for event in events if event.dataset == "network.flow"]
    attempts = sum(int(str(flow.get("sakimori.flow.attempts", 1))) for flow in flows)
    assert attempts == 8000


def test_a_thousand_packets_that_begin_streams_and_leave_gaps_are_bounded() -> None:
    ports = range(1024, 1124)
    opened = [segment("S", 80, port, seq=9) for port in ports]
    gaps = [segment("PA", 80, port, seq=1000 + 50 * n, load=b"x" * 40) for n in range(50) for port in ports]
    sensor = Sensor({})
    for block in read_capture(io.BytesIO(pcap_file([*opened, *gaps], every=10))):
        sensor.take(block)
    held = sensor.bytes_held
    assert held <= 100 * (33 * 40 + 2048)
    sensor.finish()
    assert sensor.bytes_held == 0

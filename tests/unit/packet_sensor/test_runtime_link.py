"""What service and worker say to each other, and that neither waits for the other."""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_common.contracts import EVENTS, Event
from sakimori_packet_sensor.adapters.link import MAX_FRAME_BYTES, Frames, Kind, LinkError, Outlet, frame
from sakimori_packet_sensor.domain.pressure import Pressure
from sakimori_packet_sensor.domain.tally import Tally

EVENT = Event("0198d3a0-0000-7000-8000-000000000001", 1_768_528_800_000_000, "network.flow", {"note": "x" * 200})


@pytest.fixture
def link() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends, with little room in between."""
    service, worker = socket.socketpair()
    with service, worker:
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        yield service, worker


def read_all(service: socket.socket, outlet: Outlet) -> list[tuple[Kind, bytes]]:
    """Take what the worker sent while it goes on sending."""
    frames, found = Frames(), list[tuple[Kind, bytes]]()
    while True:
        outlet.flush()
        try:
            found += frames.feed(service.recv(1 << 16, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return found


@given(
    sent=st.lists(st.tuples(st.sampled_from(Kind), st.binary(max_size=300)), max_size=8),
    cuts=st.lists(st.integers(1, 50), min_size=1, max_size=30),
)
def test_frames_are_whole_whatever_the_pieces_in_which_they_arrive(
    sent: list[tuple[Kind, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(frame(kind, body) for kind, body in sent)
    frames, found, at, turn = Frames(), list[tuple[Kind, bytes]](), 0, 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        found += frames.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert found == sent


@pytest.mark.parametrize(
    "wrong", [b"\0\0\0\0", (MAX_FRAME_BYTES + 1).to_bytes(4, "big"), b"\0\0\0\1\xff", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_frame_is_refused(wrong: bytes) -> None:
    with pytest.raises(LinkError):
        Frames().feed(wrong)


def test_events_arrive_as_they_were_put(link: tuple[socket.socket, socket.socket]) -> None:
    service, worker = link
    outlet = Outlet(worker, 1 << 20)
    outlet.put_events([EVENT] * 1200)
    found = read_all(service, outlet)
    assert [kind for kind, _ in found] == [Kind.EVENTS] * 3
    assert [event for _, body in found for event in EVENTS.decode(body)] == [EVENT] * 1200
    assert (outlet.has_waiting, outlet.is_pressed, outlet.events_lost) == (False, False, 0)


def test_a_service_that_reads_nothing_presses_and_costs_events_only_at_the_bound(
    link: tuple[socket.socket, socket.socket],
) -> None:
    service, worker = link
    outlet = Outlet(worker, 100_000)
    put = 0
    while not outlet.is_pressed:
        outlet.put_events([EVENT] * 10)
        put += 10
    assert outlet.events_lost == 0, "followed flows still find room when no new ones are followed"
    outlet.put_events([EVENT] * 10)
    put += 10
    assert outlet.events_lost == 0
    for _ in range(100):
        outlet.put_events([EVENT] * 10)
        put += 10
    assert outlet.events_lost > 0
    outlet.put(Kind.COUNTS, b"counts find room nevertheless")
    found = read_all(service, outlet)
    assert sum(len(EVENTS.decode(body)) for kind, body in found if kind is Kind.EVENTS) == put - outlet.events_lost
    assert found[-1] == (Kind.COUNTS, b"counts find room nevertheless")
    assert not outlet.is_pressed


def test_a_service_that_is_gone_is_noticed(link: tuple[socket.socket, socket.socket]) -> None:
    service, worker = link
    service.close()
    with pytest.raises(OSError, match="Broken pipe"):
        Outlet(worker, 1 << 20).put(Kind.STARTED)


def test_pressure_ends_below_the_low_mark_only() -> None:
    pressure = Pressure(low=25, high=50)
    shown = [(pressure.weigh(level), pressure.is_high) for level in (0, 49, 50, 80, 49, 25, 24, 49, 50)]
    assert shown == [
        (False, False),
        (False, False),
        (True, True),
        (False, True),
        (False, True),
        (False, True),
        (True, False),
        (False, False),
        (True, True),
    ]


def test_a_tally_tells_what_came_since_another() -> None:
    before = Tally(totals={"packets": 10, "flows": 2}, malformed={"dns": 1})
    now = Tally(totals={"packets": 15, "flows": 2}, malformed={"dns": 1, "http": 4}, anomalies={"xmas": 1})
    assert now.since(before) == Tally(
        totals={"packets": 5, "flows": 0}, malformed={"dns": 0, "http": 4}, anomalies={"xmas": 1}
    )
    assert now.since(Tally()) == now

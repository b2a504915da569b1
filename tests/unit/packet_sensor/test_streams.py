"""One side of a TCP connection: whatever the order, the same bytes come out, once."""

from hypothesis import given
from hypothesis import strategies as st

from sakimori_packet_sensor.domain.conversations.stream import MAX_WAITING_BYTES, MAX_WAITING_PIECES, Stream

WHOLE = bytes(range(256)) * 2
ROUND = 1 << 32


@given(
    st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(1, 120)), max_size=60),
    st.sampled_from([0, ROUND - 100, ROUND // 2 - 100]),
    st.randoms(use_true_random=False),
)
def test_segments_in_any_order_give_each_byte_once_and_in_order(
    cuts: list[tuple[int, int]], first: int, random: object
) -> None:
    covering = [(begin, 64) for begin in range(0, len(WHOLE), 64)]
    segments = [*cuts, *covering]
    random.shuffle(segments)  # type: ignore[attr-defined]  # a random.Random
    stream = Stream()
    stream.next = first
    got = b"".join(stream.accept((first + begin) % ROUND, WHOLE[begin : begin + size], 0) for begin, size in segments)
    assert got == WHOLE
    assert (stream.waiting, stream.waiting_bytes, stream.is_ambiguous) == (None, 0, False)


@given(st.lists(st.tuples(st.integers(0, 300), st.binary(min_size=1, max_size=40)), max_size=40))
def test_of_bytes_that_disagree_the_first_that_came_is_taken(segments: list[tuple[int, bytes]]) -> None:
    stream = Stream()
    seen: dict[int, int] = {}
    got = b""
    for place, data in segments:
        for offset, byte in enumerate(data):
            if place + offset >= len(got):
                seen.setdefault(place + offset, byte)
        got += stream.accept(place, data, 0)
    assert list(got) == [seen[place] for place in range(len(got))]
    assert stream.waiting_bytes == sum(place >= len(got) for place in seen)


def test_what_no_window_could_hold_is_not_kept() -> None:
    stream = Stream()
    assert stream.accept((1 << 30) + 1, b"far", 0) == b""
    assert stream.waiting is None


def test_a_gap_is_stuck_after_time_bytes_or_pieces() -> None:
    def waiting(pieces: int, size: int) -> Stream:
        stream = Stream()
        for number in range(pieces):
            stream.accept(1 + number * (size + 1), b"x" * size, 1_000)
        return stream

    assert not waiting(2, 10).is_stuck(2_001_000)
    assert waiting(2, 10).is_stuck(2_001_001)
    assert not waiting(MAX_WAITING_PIECES, 10).is_stuck(1_000)
    assert waiting(MAX_WAITING_PIECES + 1, 10).is_stuck(1_000)
    assert not waiting(1, MAX_WAITING_BYTES).is_stuck(1_000)
    assert waiting(1, MAX_WAITING_BYTES + 1).is_stuck(1_000)


def test_skipping_gives_what_waited_behind() -> None:
    stream = Stream()
    assert stream.accept(10, b"later", 0) == b""
    assert stream.skip(12) == b"ter"
    assert (stream.next, stream.waiting) == (15, None)

"""Messages out of a stream of bytes, in whatever pieces it comes (RFC 6587)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_collector.domain.wire.framing import Frame, Framing, SeparatedFraming, SyslogFraming

LIMIT = 100


def feed(framing: Framing, *pieces: bytes) -> list[bytes]:
    frames = [frame for piece in pieces for frame in framing.feed(piece)] + framing.close()
    return [frame.raw for frame in frames]


def counted(*messages: bytes) -> bytes:
    return b"".join(b"%d %b" % (len(message), message) for message in messages)


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        pytest.param(b"<13>one\n<13>two\n", [b"<13>one", b"<13>two"], id="newlines"),
        pytest.param(b"<13>one\r\n<13>two\r\n", [b"<13>one", b"<13>two"], id="CR and LF"),
        pytest.param(b"<13>one\0<13>two\0", [b"<13>one", b"<13>two"], id="NUL"),
        pytest.param(b"<13>one\0still\n<13>two\n", [b"<13>one", b"still\n<13>two"], id="the first separator decides"),
        pytest.param(
            b"<13>one\n\n\n<13>two", [b"<13>one", b"<13>two"], id="empty lines are none, the last needs no end"
        ),
        pytest.param(b"7 <13>one7 <13>two", [b"<13>one", b"<13>two"], id="octet counting"),
        pytest.param(b"8 <13>a\nb 7 <13>two", [b"<13>a\nb ", b"<13>two"], id="a newline amid a counted message"),
        pytest.param(b"7 <13>one\n7 <13>two\n", [b"<13>one", b"<13>two"], id="counted, and newlines for good measure"),
        pytest.param(b"192.0.2.1 - - [x]\n", [b"192.0.2.1 - - [x]"], id="a line that begins with a number"),
        pytest.param(b"07 <13>one\n", [b"07 <13>one"], id="a count has no leading zero"),
        pytest.param(b"-7 <13>one\n", [b"-7 <13>one"], id="nor is it negative"),
        pytest.param(b"999999999 <13>one\n", [b"999999999 <13>one"], id="nor of nine digits"),
        pytest.param(b"12", [b"12"], id="nothing but the beginning of a count"),
    ],
)
def test_a_connection_is_split_as_its_first_bytes_say(stream: bytes, messages: list[bytes]) -> None:
    assert feed(SyslogFraming(LIMIT), stream) == messages
    single = [stream[at : at + 1] for at in range(len(stream))]
    assert feed(SyslogFraming(LIMIT), *single) == messages


@given(
    st.lists(st.binary(min_size=1, max_size=60).filter(lambda raw: not raw.endswith((b"\n", b"\r"))), min_size=1),
    st.data(),
)
def test_counted_messages_come_out_as_they_went_in(messages: list[bytes], data: st.DataObject) -> None:
    messages = [b"<13>", *messages]
    stream = counted(*messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert feed(SyslogFraming(LIMIT), *pieces) == messages


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_no_bytes_raise_or_are_held_beyond_the_limit(pieces: list[bytes]) -> None:
    framing = SyslogFraming(LIMIT)
    frames = [frame for piece in pieces for frame in framing.feed(piece)] + framing.close()
    assert all(0 < len(frame.raw) <= LIMIT for frame in frames)
    assert all(len(frame.raw) <= frame.length for frame in frames)


def test_a_line_of_ten_megabytes_is_cut_and_its_length_known() -> None:
    framing = SyslogFraming(LIMIT)
    frames = [frame for _ in range(160) for frame in framing.feed(b"a" * 65_536)]
    assert frames == []
    frames = framing.feed(b"\n<13>next\n")
    assert frames == [Frame(b"a" * LIMIT, 160 * 65_536), Frame(b"<13>next", 8)]


def test_of_a_counted_message_that_is_too_long_the_rest_is_passed_over() -> None:
    frames = SyslogFraming(LIMIT).feed(counted(b"<13>" + b"a" * 196, b"<13>next"))
    assert frames == [Frame(b"<13>" + b"a" * 96, 200), Frame(b"<13>next", 8)]


def test_a_count_that_is_too_small_breaks_the_connection() -> None:
    framing = SyslogFraming(LIMIT)
    frames = framing.feed(b"7 <13>one two 7 <13>two")
    assert framing.is_broken
    assert frames[0] == Frame(b"<13>one", 7)
    assert frames[1].raw == b" two 7 <13>two"
    assert frames[1].fault == "an octet count is expected here (RFC 6587)"


def test_a_count_that_is_too_large_swallows_what_follows_until_the_end() -> None:
    framing = SyslogFraming(LIMIT)
    assert framing.feed(b"30 <13>one7 <13>two") == []
    assert framing.is_amid
    assert framing.close() == [Frame(b"<13>one7 <13>two", 16, "cut off after 16 of 30 bytes")]


def test_a_message_is_under_way_until_its_separator() -> None:
    framing = SeparatedFraming(LIMIT, b"\0")
    framing.feed(b"{}\0{")
    assert framing.is_amid
    framing.feed(b"}\0")
    assert not framing.is_amid

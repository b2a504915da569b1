"""Lines and texts: bounded, printable, the same whatever pieces they come in."""

from hypothesis import given
from hypothesis import strategies as st

from sakimori_packet_sensor.domain.protocols.lines import Lines
from sakimori_packet_sensor.domain.protocols.replies import Replies, Reply
from sakimori_packet_sensor.domain.protocols.text import text_of


def lines_of(pieces: list[bytes], most: int = 20) -> list[bytes]:
    lines, waiting, found = Lines(most), b"", []
    for piece in pieces:
        data, at = waiting + piece, 0
        while at < len(data):
            line, at = lines.take(data, at)
            if line is None:
                break
            found.append(line)
        waiting = data[at:]
        assert len(waiting) <= most
    return found


def test_lines_end_in_either_way() -> None:
    assert lines_of([b"one\r\ntwo\n\r\nthr", b"ee\r", b"\nrest"]) == [b"one", b"two", b"", b"three"]


def test_of_a_long_line_the_beginning_is_taken_and_the_next_is_whole() -> None:
    assert lines_of([b"a" * 50, b"a" * 50 + b"\nnext\n"]) == [b"a" * 20, b"next"]
    assert lines_of([b"a" * 50 + b"\nnext\n"]) == [b"a" * 20, b"next"]


@given(st.lists(st.text("ab\r", max_size=30).map(str.encode), max_size=8), st.lists(st.integers(1, 9), min_size=1))
def test_pieces_make_no_difference(texts: list[bytes], sizes: list[int]) -> None:
    whole = b"".join(text + b"\n" for text in texts)
    pieces: list[bytes] = []
    at = 0
    while at < len(whole):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(whole[at : at + size])
        at += size
    assert len(lines_of(pieces)) == len(texts)
    assert [line[:18] for line in lines_of(pieces)] == [line[:18] for line in lines_of([whole] if whole else [])]


@given(st.binary(max_size=200), st.integers(1, 100))
def test_text_is_bounded_and_printable(raw: bytes, limit: int) -> None:
    text = text_of(raw, limit)
    assert len(text) <= limit
    assert not any(ord(character) < 0x20 for character in text)
    text.encode()


def test_text_keeps_what_can_be_read() -> None:
    assert text_of("温度 21.5 °C".encode()) == "温度 21.5 °C"
    assert text_of(b"a\x00b\xff\n") == "a\\x00b\\xff\\x0a"


def test_a_reply_may_take_several_lines() -> None:
    replies = Replies()
    assert replies.take(b"250-mail.example") is None
    assert replies.take(b"250-STARTTLS") is None
    assert replies.take(b"anything") is None
    assert replies.take(b"250 HELP") == Reply(250, "mail.example")
    assert replies.take(b"221 bye") == Reply(221, "bye")
    assert replies.take(b"hello") == Reply(0, "hello")

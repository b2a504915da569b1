"""A decoder fed as the sensor feeds it, with the bytes of both sides in pieces."""

from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import strategies as st

from sakimori_packet_sensor.domain.protocols.contract import AGAIN, TCP, Decoder, Ends, Message, ProtocolKind, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

ENDS = Ends(b"\xc0\x00\x02\x0a", b"\xc6\x33\x64\x14", 50_000, 4_000)
"""192.0.2.10 and 198.51.100.20, a port that says nothing."""

Said = tuple[int, bytes]
"""A side, and bytes of it."""


def at_port(port: int) -> Ends:
    return ENDS._replace(destination_port=port)


def converse(kind: ProtocolKind, said: Iterable[Said], ends: Ends = ENDS) -> list[Message]:
    """All that a conversation comes to; what is malformed as a message with `error.code` only."""
    decoder = kind.decoder(ends)
    messages: list[Message] = []
    is_over = (_stream if kind.transport == TCP else _datagrams)(kind, decoder, said, messages)
    return messages if is_over else [*messages, *decoder.finish()]


def fields(kind: ProtocolKind, said: Iterable[Said], ends: Ends = ENDS) -> list[dict[str, Any]]:
    return [dict(message.fields) for message in converse(kind, said, ends)]


def _datagrams(kind: ProtocolKind, decoder: Decoder, said: Iterable[Said], into: list[Message]) -> bool:
    for side, data in said:
        try:
            messages, consumed = decoder.feed(side, data, 0)
        except Malformed as problem:
            into.append(_broken(kind, problem, side))
            continue
        into += messages
        if consumed >= AGAIN:
            return True
    return False


def _stream(kind: ProtocolKind, decoder: Decoder, said: Iterable[Said], into: list[Message]) -> bool:
    """Returns whether the decoder ended the conversation, which is not finished then."""
    waiting = [b"", b""]
    skipped = [0, 0]
    for side, data in said:
        offered = waiting[side] + data[skipped[side] :]
        skipped[side] = max(0, skipped[side] - len(data))
        if not offered:
            continue
        try:
            messages, consumed = decoder.feed(side, offered, 0)
        except Malformed as problem:
            into.append(_broken(kind, problem, side))
            skipped[side], waiting[side] = 1 << 62, b""
            continue
        into += messages
        assert consumed >= 0
        if consumed >= AGAIN:
            return True
        waiting[side] = offered[consumed:]
        skipped[side] += max(0, consumed - len(offered))
        if len(waiting[side]) > kind.buffer_bytes:
            into.append(_broken(kind, "too much waits", side))
            skipped[side], waiting[side] = 1 << 62, b""
    return False


def _broken(kind: ProtocolKind, problem: object, side: int) -> Message:
    return Message(f"network.{kind.name}", {"error.code": "malformed", "error.message": str(problem)}, side)


def cut_anywhere(said: Sequence[Said]) -> "st.SearchStrategy[list[Said]]":
    """The same bytes in the same order, in other pieces."""

    def cut(sizes: list[int]) -> list[Said]:
        pieces: list[Said] = []
        again = iter(sizes * 1000)
        for side, data in said:
            rest = data
            while rest:
                size = next(again, len(rest))
                pieces.append((side, rest[:size]))
                rest = rest[size:]
        return pieces

    return st.lists(st.integers(1, 40), min_size=1, max_size=6).map(cut)


def mutated(said: Sequence[Said]) -> "st.SearchStrategy[list[Said]]":
    """A conversation with bytes changed, cut out and put in, in pieces of its own."""

    def change(edits: list[tuple[int, int, bytes]]) -> list[Said]:
        pieces = list(said)
        for place, offset, new in edits:
            index = place % len(pieces)
            side, data = pieces[index]
            at = offset % (len(data) + 1)
            pieces[index] = (side, data[:at] + new + data[at + (offset >> 8) % 4 :])
        return pieces

    edit = st.tuples(st.integers(0, 63), st.integers(0, 1 << 12), st.binary(max_size=3))
    return st.lists(edit, max_size=8).map(change).flatmap(cut_anywhere)


def garbage() -> "st.SearchStrategy[list[Said]]":
    return st.lists(st.tuples(st.integers(0, 1), st.binary(min_size=1, max_size=200)), max_size=8)


def check_survives(kind: ProtocolKind, said: Sequence[Said], ends: Ends = ENDS) -> None:
    """Hold a decoder to the contract: what it says is an event's fields, bounded; recognition gives a verdict."""
    for side, data in said:
        assert isinstance(kind.recognise(data, side, ends), Verdict) if data else True
    for message in converse(kind, said, ends):
        assert message.dataset.startswith("network.")  # its own, or of a protocol that is spoken inside
        assert message.side in {0, 1}
        assert len(message.fields) <= 200
        for name, value in message.fields.items():
            assert name == name.lower()
            _check_value(value)


def _check_value(value: object) -> None:
    if isinstance(value, list):
        assert len(value) <= 64
        for element in value:
            assert not isinstance(element, list)
            _check_value(element)
    elif isinstance(value, str):
        assert len(value) <= 4096
        assert "\x00" not in value
        value.encode()
    else:
        assert value is None or isinstance(value, int | float)

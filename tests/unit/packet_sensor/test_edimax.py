"""Edimax' cloud protocol: XML with turned bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_packet_sensor.domain.protocols.contract import Ends, Verdict
from sakimori_packet_sensor.domain.protocols.edimax import PROTOCOL, Edimax, plain
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

ENDS = Ends(bytes([192, 0, 2, 1]), bytes([198, 51, 100, 1]), 40_000, 8765)
REGISTRATION = b'<param>\n<code value="1010" />\n<model value="SP-0000W" />\n<id value="00005E005301" />\n</param>'


def turned(text: bytes, bits: int) -> bytes:
    """Turn as a plug does: one byte after the other, by shifts."""
    return bytes([text[0] + bits]) + bytes((byte >> bits | byte << (8 - bits)) & 0xFF for byte in text[1:])


@pytest.mark.parametrize("bits", range(8))
def test_a_registration_says_which_model_it_is_however_far_its_bytes_are_turned(bits: int) -> None:
    data = turned(REGISTRATION, bits)
    assert PROTOCOL.recognise(data, 0, ENDS) is Verdict.YES
    [message] = Edimax(ENDS).feed(0, data, 7).messages
    assert (message.dataset, message.fields) == (
        "network.edimax",
        {"edimax.code": "1010", "edimax.model": "SP-0000W"},
    )


@pytest.mark.parametrize("data", [b"", b"<param", b"<html>", b"\x44" + REGISTRATION[1:], turned(REGISTRATION, 3)[1:]])
def test_other_datagrams_are_not_recognised(data: bytes) -> None:
    assert PROTOCOL.recognise(data, 0, ENDS) is Verdict.NO


def test_a_message_without_code_is_malformed_and_a_keep_alive_says_nothing() -> None:
    with pytest.raises(Malformed):
        Edimax(ENDS).feed(0, b'<param><model value="SP-0000W" /></param>', 7)
    assert Edimax(ENDS).feed(0, bytes([0x22, 0x16, 0x45, 0x80]), 7).messages == ()


@given(st.binary(max_size=200))
def test_random_datagrams_are_read_or_refused(data: bytes) -> None:
    assert len(plain(data)) in {0, len(data)}
    try:
        read = Edimax(ENDS).feed(0, turned(b"<param>" + data, 5), 7)
    except Malformed:
        return
    assert all(len(str(value)) <= 4096 for message in read.messages for value in message.fields.values())

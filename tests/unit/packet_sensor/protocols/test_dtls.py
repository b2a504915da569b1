"""DTLS: hellos in datagrams, with cookies, in parts and out of order."""

from struct import pack

import pytest
from hypothesis import given, settings

from packets.conversations import ENDS, Said, check_survives, converse, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.dtls import PROTOCOL, DtlsDecoder, recognise
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

HELLO = (
    b"\xfe\xfd" + bytes(32) + b"\x00" + b"\x04cook" + bytes.fromhex("0004 c02b c02f 01 00")
    + bytes.fromhex("000e 000a 0004 0002 001d 000b 0002 0100")
)  # fmt: skip
ANSWER = b"\xfe\xfd" + bytes(32) + b"\x00" + bytes.fromhex("c02b 00")


def record(kind: int, fragment: bytes, epoch: int = 0) -> bytes:
    return pack("!BHHHIH", kind, 0xFEFD, epoch, 0, 7, len(fragment)) + fragment


def part(kind: int, number: int, body: bytes, start: int = 0, end: int | None = None) -> bytes:
    piece = body[start:end]
    return (
        pack("!B", kind)
        + len(body).to_bytes(3, "big")
        + pack("!H", number)
        + start.to_bytes(3, "big")
        + len(piece).to_bytes(3, "big")
        + piece
    )


TALK: list[Said] = [
    (CLIENT, record(22, part(1, 1, HELLO))),
    (SERVER, record(22, part(2, 1, ANSWER)) + record(22, part(14, 2, b""))),
    (CLIENT, record(20, b"\x01") + record(22, bytes(40), epoch=1)),
    (SERVER, record(20, b"\x01") + record(22, bytes(40), epoch=1)),
]


def test_a_handshake_is_one_event() -> None:
    [found] = fields(PROTOCOL, TALK)
    assert (found["tls.version_protocol"], found["tls.version"]) == ("dtls", "1.2")
    assert found["tls.cipher"] == "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    assert found["tls.established"] is True
    assert str(found["tls.client.ja4"]).startswith("dd2i020200_")
    assert found["tls.client.supported_versions"] == ["dtls 1.2"]


def test_a_hello_in_parts_out_of_order_is_put_together() -> None:
    datagrams = [part(1, 0, HELLO, 40), part(1, 0, HELLO, 20, 45), part(1, 0, HELLO, 0, 25)]
    [found] = fields(PROTOCOL, [(CLIENT, record(22, each)) for each in datagrams])
    assert found["tls.client.supported_groups"] == ["x25519"]


def test_two_lengths_for_one_message_are_malformed() -> None:
    decoder = DtlsDecoder(ENDS)
    decoder.feed(CLIENT, record(22, part(1, 0, HELLO, 0, 20)), 0)
    with pytest.raises(Malformed, match="two lengths"):
        decoder.feed(CLIENT, record(22, part(1, 0, HELLO + b"x", 20)), 0)


def test_what_else_is_said_on_the_same_ports_passes() -> None:
    [found] = fields(PROTOCOL, [TALK[0], (SERVER, b"\x00\x01" + bytes(18)), (CLIENT, b"\x80" * 40), *TALK[1:]])
    assert found["tls.established"] is True


def test_an_alert_ends_the_handshake() -> None:
    [message] = converse(PROTOCOL, [TALK[0], (SERVER, record(21, b"\x02\x28"))])
    assert message.fields["tls.alert.description"] == "handshake_failure"
    assert message.fields["tls.alert.sender"] == "server"


@pytest.mark.parametrize("payload", [b"\x16", bytes(40), b"\x16\xfe\xfd" + bytes(40), b"\x17\xfe\xfd" + bytes(40)])
def test_other_datagrams_are_not_taken_for_dtls(payload: bytes) -> None:
    assert recognise(payload, CLIENT, ENDS) is Verdict.NO


def test_a_hello_is_recognised() -> None:
    assert recognise(TALK[0][1], CLIENT, ENDS) is Verdict.YES
    assert recognise(TALK[1][1], SERVER, ENDS) is Verdict.YES


@settings(max_examples=300, deadline=None)
@given(mutated(TALK) | garbage())
def test_nothing_but_malformed_leaves_the_decoder(said: list[Said]) -> None:
    check_survives(PROTOCOL, said)

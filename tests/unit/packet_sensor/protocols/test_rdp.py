"""RDP until it is encrypted: units built as MS-RDPBCGR draws them."""

from struct import pack

import pytest
from hypothesis import given, settings

from packets.conversations import ENDS, Said, at_port, check_survives, converse, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import AGAIN, CLIENT, DONE, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.rdp import PROTOCOL, RdpDecoder, recognise


def unit(kind: int, rest: bytes) -> bytes:
    header = bytes([kind]) + (b"\x80" if kind == 0xF0 else b"\x00\x00\x12\x34\x00")
    body = bytes([len(header) + (0 if kind == 0xF0 else len(rest))]) + header + rest
    return b"\x03\x00" + pack("!H", 4 + len(body)) + body


def asked(protocols: int, cookie: bytes = b"Cookie: mstshash=j.doe\r\n") -> bytes:
    return unit(0xE0, cookie + pack("<BBHI", 1, 0, 8, protocols))


def answered(kind: int, value: int) -> bytes:
    return unit(0xD0, pack("<BBHI", kind, 0, 8, value))


def block(kind: int, data: bytes) -> bytes:
    return pack("<HH", kind, 4 + len(data)) + data


def text(words: str, size: int) -> bytes:
    return words.encode("utf-16-le").ljust(size, b"\x00")


CORE = (
    pack("<IHHHHII", 0x00080004, 1920, 1080, 0xCA01, 0xAA03, 0x411, 9600)
    + text("DESK-7", 32)
    + bytes(90)
    + text("product-1", 64)
)
NETWORK = pack("<I", 2) + b"rdpdr\0\0\0" + bytes(4) + b"cliprdr\0" + bytes(4)
SETTINGS = b"\x7f\x65\x82\x01\x00" + bytes(20) + b"Duca\x81\x20" + block(0xC001, CORE) + block(0xC003, NETWORK)
ANSWER = (
    b"\x7f\x66\x40" + bytes(20) + b"McDn\x60" + block(0x0C01, pack("<I", 0x80004)) + block(0x0C02, pack("<II", 2, 3))
)
IN_CLEAR: list[Said] = [
    (CLIENT, asked(0)),
    (SERVER, answered(2, 0)),
    (CLIENT, unit(0xF0, SETTINGS)),
    (SERVER, unit(0xF0, ANSWER)),
]


def test_a_connection_that_goes_on_in_tls_tells_user_and_protocols() -> None:
    decoder = RdpDecoder(ENDS)
    assert not decoder.feed(CLIENT, asked(0x0B), 7).messages
    [message], consumed = decoder.feed(SERVER, answered(2, 2), 9)
    assert consumed == AGAIN
    assert message.time == 7
    assert message.fields == {
        "rdp.cookie": "j.doe",
        "user.name": "j.doe",
        "rdp.requested_protocols": ["ssl", "hybrid", "hybrid_ex"],
        "rdp.selected_protocol": "hybrid",
    }


def test_a_connection_in_clear_tells_the_clients_name() -> None:
    [found] = fields(PROTOCOL, IN_CLEAR)
    assert found["rdp.selected_protocol"] == "rdp"
    assert (found["rdp.client.name"], found["rdp.client.build"]) == ("DESK-7", 9600)
    assert (found["rdp.client.desktop_width"], found["rdp.client.desktop_height"]) == (1920, 1080)
    assert found["rdp.client.keyboard_layout"] == "0x00000411"
    assert found["rdp.client.product_id"] == "product-1"
    assert found["rdp.client.channels"] == ["rdpdr", "cliprdr"]
    assert (found["rdp.encryption_method"], found["rdp.encryption_level"]) == ("128bit", "high")


def test_a_servers_certificate_is_told_though_it_is_not_readable() -> None:
    chain = pack("<III", 2, 1, 4) + b"abcd"
    security = block(0x0C02, pack("<IIII", 2, 3, 32, len(chain)) + bytes(32) + chain)
    said = [*IN_CLEAR[:3], (SERVER, unit(0xF0, b"\x7f\x66\x40" + bytes(20) + b"McDn\x60" + security))]
    [found] = fields(PROTOCOL, said)
    assert found["rdp.server.hash.sha1"] == "81FE8BFE87576C3ECB22426F8E57847382917ACF"
    assert found["rdp.server.certificate.error"] == "not readable"


def test_a_refusal_has_its_reason() -> None:
    decoder = RdpDecoder(ENDS)
    decoder.feed(CLIENT, asked(0), 0)
    [message], consumed = decoder.feed(SERVER, answered(3, 5), 0)
    assert consumed == DONE
    assert message.fields["rdp.failure"] == "hybrid_required_by_server"


def test_a_request_without_answer_is_reported_at_the_end() -> None:
    [found] = fields(PROTOCOL, [(CLIENT, asked(1))])
    assert found["rdp.requested_protocols"] == ["ssl"]
    assert "rdp.selected_protocol" not in found


def test_a_routing_token_is_no_user() -> None:
    [found] = fields(PROTOCOL, [(CLIENT, asked(1, b"Cookie: msts=3640205228.15629.0000\r\n"))])
    assert found["rdp.routing_token"] == "3640205228.15629.0000"
    assert "user.name" not in found


def test_a_confirm_tells_which_side_is_the_server() -> None:
    [message] = converse(PROTOCOL, [(CLIENT, answered(2, 1))])
    assert message.is_turned


def test_a_wrong_answer_still_tells_of_the_request() -> None:
    wrong = unit(0xD0, pack("<BBHI", 2, 0, 9, 1))
    [message] = converse(PROTOCOL, [(CLIENT, asked(1)), (SERVER, wrong)])
    assert message.fields["error.code"] == "malformed"
    assert message.fields["user.name"] == "j.doe"


def test_what_is_no_unit_is_malformed() -> None:
    with pytest.raises(Malformed, match="no TPKT unit"):
        RdpDecoder(ENDS).feed(CLIENT, b"\x05\x00\x00\x13\x0e\xd0\x00\x00", 0)


@pytest.mark.parametrize(
    ("payload", "port", "verdict"),
    [
        (asked(3), 4000, Verdict.YES),
        (asked(3, b""), 4000, Verdict.YES),
        (asked(3)[:9], 4000, Verdict.MORE),
        (answered(2, 1), 4000, Verdict.YES),
        (unit(0xE0, b""), 3389, Verdict.YES),
        (unit(0xE0, b""), 102, Verdict.NO),
        (unit(0xE0, b"\xc1\x02\x01\x00\xc2\x02\x01\x02\xc0\x01\x0a"), 102, Verdict.NO),
        (b"\x03\x01\x00\x10" + bytes(12), 3389, Verdict.NO),
    ],
)
def test_rdp_is_told_from_what_else_speaks_over_tpkt(payload: bytes, port: int, verdict: Verdict) -> None:
    assert recognise(payload, CLIENT, at_port(port)) is verdict


@given(cut_anywhere(IN_CLEAR))
def test_pieces_give_the_same(said: list[Said]) -> None:
    assert fields(PROTOCOL, said) == fields(PROTOCOL, IN_CLEAR)


@settings(max_examples=300, deadline=None)
@given(mutated(IN_CLEAR) | garbage())
def test_nothing_but_malformed_leaves_the_decoder(said: list[Said]) -> None:
    check_survives(PROTOCOL, said)

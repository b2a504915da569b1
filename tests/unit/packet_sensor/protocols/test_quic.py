"""QUIC's Initial packets, held against the worked examples of RFC 9001 (appendix A) and RFC 9369 (appendix A)."""

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from packets.conversations import ENDS, Said, at_port, check_survives, converse, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.quic import PROTOCOL, recognise
from sakimori_packet_sensor.domain.protocols.quic_frames import quic_number
from sakimori_packet_sensor.domain.protocols.quic_keys import VERSIONS, initial_keys, unprotected

CONNECTION = bytes.fromhex("8394c8f03e515708")
HELLO = bytes.fromhex(
    "010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c00000"
    "0010000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e0005000501"
    "00000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302"
    "0304000d0010000e0403050306030203080408050806002d00020101001c00024001003900320408ffffffffffffffff050480"
    "00ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff"
)
"""The ClientHello of RFC 9001, A.2."""
SERVER_PACKET = bytes.fromhex(
    "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede"
    "4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06ed"
    "bb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee"
)
"""The server's answer, RFC 9001, A.3."""


def crypto(offset: int, data: bytes) -> bytes:
    return b"\x06" + (0x4000 | offset).to_bytes(2, "big") + (0x4000 | len(data)).to_bytes(2, "big") + data


def initial(
    frames: bytes,
    number: int,
    version: int = 1,
    *,
    connection: bytes = CONNECTION,
    token: bytes = b"",
    size: int = 1162,
) -> bytes:
    """Protect a client's Initial packet as RFC 9001, 5.3 and 5.4 say."""
    keys = initial_keys(VERSIONS[version], connection, CLIENT)
    kind = VERSIONS[version].initial
    frames = frames.ljust(size, b"\x00")
    header = bytes([0xC3 | kind << 4]) + version.to_bytes(4, "big") + bytes([len(connection)]) + connection + b"\x00"
    header += bytes([len(token)]) + token + (0x4000 | len(frames) + 20).to_bytes(2, "big")
    at = len(header)
    header += number.to_bytes(4, "big")
    nonce = (int.from_bytes(keys.iv, "big") ^ number).to_bytes(12, "big")
    packet = bytearray(header + keys.aead.encrypt(nonce, frames, header))
    mask = keys.header.encryptor().update(bytes(packet[at + 4 : at + 20]))
    packet[0] ^= mask[0] & 0x0F
    for index in range(4):
        packet[at + index] ^= mask[1 + index]
    return bytes(packet)


def test_the_clients_packet_is_that_of_the_rfc() -> None:
    """The judge of `initial`, with which the other tests build their packets."""
    packet = initial(b"\x06\x00" + (0x4000 | len(HELLO)).to_bytes(2, "big") + HELLO, 2)
    assert packet[:22].hex() == "c000000001088394c8f03e5157080000449e7b9aec34"
    assert packet[-16:].hex() == "e221af44860018ab0856972e194cd934"


@pytest.mark.parametrize(
    ("version", "side", "iv", "header_key"),
    [
        (1, CLIENT, "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2"),
        (1, SERVER, "0ac1493ca1905853b0bba03e", "c206b8d9b9f0f37644430b490eeaa314"),
        (0x6B3343CF, CLIENT, "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9"),
        (0x6B3343CF, SERVER, "dd13c276499c0249d3310652", "edf6d05c83121201b436e16877593c3a"),
    ],
)
def test_keys_are_those_of_the_rfcs(version: int, side: int, iv: str, header_key: str) -> None:
    keys = initial_keys(VERSIONS[version], CONNECTION, side)
    assert keys.iv.hex() == iv
    judge = Cipher(algorithms.AES(bytes.fromhex(header_key)), modes.ECB())  # noqa: S305  one block
    assert keys.header.encryptor().update(bytes(16)) == judge.encryptor().update(bytes(16))


def test_the_servers_packet_of_the_rfc_opens() -> None:
    frames = unprotected(SERVER_PACKET, 18, initial_keys(VERSIONS[1], CONNECTION, SERVER))
    assert frames is not None
    assert frames.hex().startswith("02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf739")


def test_a_connection_tells_name_protocol_and_cipher() -> None:
    [found] = fields(PROTOCOL, [(CLIENT, initial(crypto(0, HELLO), 2)), (SERVER, SERVER_PACKET)])
    assert found["quic.version"] == "1"
    assert found["tls.client.server_name"] == "example.com"
    assert found["tls.client.alpn"] == ["alpn"]
    assert found["tls.cipher"] == "TLS_AES_128_GCM_SHA256"
    assert (found["tls.version"], found["tls.curve"]) == ("1.3", "x25519")
    assert str(found["tls.client.ja4"]).startswith("q13d0211an_")
    assert found["quic.client.initial_dcid"] == "8394c8f03e515708"
    assert found["quic.server.scid"] == "f067a5502a4262b5"


@pytest.mark.parametrize("version", sorted(set(VERSIONS) - {0x51303530}))
def test_every_version_is_read(version: int) -> None:
    [found] = fields(PROTOCOL, [(CLIENT, initial(crypto(0, HELLO), 0, version))])
    assert found["quic.version"] == VERSIONS[version].name
    assert found["tls.client.server_name"] == "example.com"
    assert "tls.cipher" not in found


def test_a_hello_may_come_in_parts_out_of_order_over_datagrams() -> None:
    first = initial(crypto(200, HELLO[200:]) + b"\x01" + crypto(50, HELLO[50:120]), 0)
    second = initial(crypto(0, HELLO[:60]) + b"\x02\x01\x00\x00\x00" + crypto(100, HELLO[100:205]), 1)
    [found] = fields(PROTOCOL, [(CLIENT, first), (CLIENT, second)])
    assert found["tls.client.server_name"] == "example.com"


def test_packets_share_a_datagram() -> None:
    half = initial(crypto(0, HELLO[:100]), 0, size=400) + initial(crypto(100, HELLO[100:]), 1, size=400)
    [found] = fields(PROTOCOL, [(CLIENT, half)])
    assert found["tls.client.server_name"] == "example.com"


def test_keys_change_behind_a_retry() -> None:
    retry = bytes.fromhex("ff000000010008f067a5502a4262b5") + b"token" + bytes(16)
    again = initial(crypto(0, HELLO), 1, connection=bytes.fromhex("f067a5502a4262b5"), token=b"token")
    [found] = fields(PROTOCOL, [(CLIENT, initial(b"\x01", 0)), (SERVER, retry), (CLIENT, again)])
    assert found["quic.is_retried"] is True
    assert found["tls.client.server_name"] == "example.com"


def test_versions_that_a_server_offers_are_listed() -> None:
    offer = bytes.fromhex("80000000000008f067a5502a4262b5") + bytes.fromhex("00000001 ff00001d 51303436 1a2a3a4a")
    [found] = fields(PROTOCOL, [(CLIENT, initial(b"\x01", 0)), (SERVER, offer)])
    assert found["quic.offered_versions"] == ["1", "draft-29", "Q046", "0x1a2a3a4a"]


def google_hello() -> bytes:
    values = [(b"PAD\x00", b"-" * 20), (b"SNI\x00", b"www.example.com"), (b"UAID", b"Browser/1.0")]
    tags, end = b"", 0
    for tag, value in values:
        end += len(value)
        tags += tag + end.to_bytes(4, "little")
    return b"CHLO" + len(values).to_bytes(2, "little") + b"\x00\x00" + tags + b"".join(value for _, value in values)


@pytest.mark.parametrize(
    ("datagram", "version"),
    [
        (
            b"\xc3Q046\x50" + bytes(8) + b"\x00\x00\x00\x01" + bytes(12) + b"\xa0\x01\x00\x04\x00" + google_hello(),
            "Q046",
        ),
        (b"\x0d" + bytes(8) + b"Q043\x01" + bytes(12) + b"\xa0\x01\x04\x00" + google_hello(), "Q043"),
        (initial(b"\x08\x00\x40\x80" + google_hello(), 1, 0x51303530), "Q050"),
    ],
)
def test_googles_older_versions_are_read(datagram: bytes, version: str) -> None:
    assert recognise(datagram, CLIENT, ENDS) is Verdict.YES
    [found] = fields(PROTOCOL, [(CLIENT, datagram)])
    assert found["quic.version"] == version
    assert found["tls.client.server_name"] == "www.example.com"
    assert found["user_agent.original"] == "Browser/1.0"


def test_a_conversation_that_is_never_understood_is_told_after_some_datagrams() -> None:
    packet = initial(crypto(0, HELLO), 0)
    spoiled = packet[:-1] + bytes([packet[-1] ^ 1])
    [message] = converse(PROTOCOL, [(CLIENT, spoiled)] * 100)
    assert message.fields == {"quic.version": "1"}


@pytest.mark.parametrize(
    "payload",
    [b"\x40" + bytes(40), b"\xc0\xfa\xce\xb0\x02" + bytes(40), bytes(40), b"\xc0\x00\x00\x00\x01\xff" + bytes(40)],
)
def test_other_datagrams_are_not_taken_for_quic(payload: bytes) -> None:
    assert recognise(payload, CLIENT, ENDS) is Verdict.NO


def test_a_conversation_met_in_its_middle_is_known_by_its_port() -> None:
    assert recognise(b"\x4f" + bytes(40), SERVER, at_port(443)) is Verdict.YES
    assert converse(PROTOCOL, [(CLIENT, b"\x4f" + bytes(40))] * 3) == []


@given(st.integers(0, (1 << 62) - 1))
def test_numbers_of_any_size_are_read(value: int) -> None:
    size = next(index for index in range(4) if value < 1 << (8 * (1 << index) - 2))
    data = (value | size << (8 * (1 << size) - 2)).to_bytes(1 << size, "big")
    assert quic_number(b"\xff" + data, 1) == (value, 1 + len(data))


TALK: list[Said] = [
    (CLIENT, initial(crypto(0, HELLO[:150]), 0, size=200)),
    (CLIENT, initial(crypto(150, HELLO[150:]), 1)),
    (SERVER, SERVER_PACKET),
]


@settings(max_examples=200, deadline=None)
@given(mutated(TALK) | garbage() | st.binary(max_size=300).map(lambda frames: [(CLIENT, initial(frames, 0, size=300))]))
def test_nothing_but_malformed_leaves_the_decoder(said: list[Said]) -> None:
    check_survives(PROTOCOL, said)

"""TLS over TCP, as OpenSSL speaks it."""

import ssl
from datetime import UTC, datetime
from hashlib import md5, sha256
from pathlib import Path
from struct import pack

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings

from packets.conversations import ENDS, Said, at_port, check_survives, converse, cut_anywhere, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Fields, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.tls import PROTOCOL, TlsDecoder, recognise
from sakimori_packet_sensor.domain.protocols.tls_hello import ClientHello
from sakimori_packet_sensor.domain.protocols.tls_prints import ja4

Talk = list[Said]


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A key with its certificate as a file, and the certificate as TLS sends it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example, Inc."),
            x509.NameAttribute(NameOID.COMMON_NAME, "device.example"),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(0x0A1B2C)
        .not_valid_before(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 2, 3, 4, 5, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("device.example"), x509.DNSName("*.example")]), False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "identity.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return path, certificate.public_bytes(serialization.Encoding.DER)


def handshake(path: Path, version: ssl.TLSVersion, *, asks: bool = False, name: str = "device.example") -> Talk:
    """Let OpenSSL talk to itself: what each side said, in turn."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(path)
    server_side.set_alpn_protocols(["http/1.1"])
    if asks:
        server_side.verify_mode = ssl.CERT_OPTIONAL
        server_side.load_verify_locations(path)
    client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_side.load_verify_locations(path)
    client_side.set_alpn_protocols(["h2", "http/1.1"])
    client_side.minimum_version = client_side.maximum_version = version
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    return _converse(client, server, to_server, to_client)


def _has_failed(speaker: ssl.SSLObject) -> bool:
    """Go on with the handshake; waiting for the other side is no failure."""
    try:
        speaker.do_handshake()
    except ssl.SSLError as error:
        return not isinstance(error, ssl.SSLWantReadError)
    return False


def _converse(client: ssl.SSLObject, server: ssl.SSLObject, to_server: ssl.MemoryBIO, to_client: ssl.MemoryBIO) -> Talk:
    talk: Talk = []
    for _ in range(6):
        for side, speaker, out in ((CLIENT, client, to_server), (SERVER, server, to_client)):
            has_failed = _has_failed(speaker)
            if said := _peek(out):
                talk.append((side, said))
            if has_failed:
                return talk
    return talk


def _peek(out: ssl.MemoryBIO) -> bytes:
    said = out.read()
    out.write(said)
    return said


def cut(talk: Talk, size: int) -> Talk:
    return [(side, data[at : at + size]) for side, data in talk for at in range(0, len(data), size)]


def only(talk: Talk) -> Fields:
    [message] = converse(PROTOCOL, talk)
    assert message.dataset == "network.tls"
    return message.fields


def test_a_handshake_of_tls_1_3_tells_name_version_and_cipher(identity: tuple[Path, bytes]) -> None:
    fields = only(handshake(identity[0], ssl.TLSVersion.TLSv1_3))
    assert fields["tls.client.server_name"] == "device.example"
    assert (fields["tls.version"], fields["tls.version_protocol"]) == ("1.3", "tls")
    assert fields["tls.cipher"] == "TLS_AES_256_GCM_SHA384"
    assert fields["tls.client.alpn"] == ["h2", "http/1.1"]
    assert (fields["tls.established"], fields["tls.resumed"]) == (True, False)
    assert str(fields["tls.client.ja4"]).startswith("t13d")
    assert "tls.server.subject" not in fields, "encrypted since 1.3"


def test_a_handshake_of_tls_1_2_shows_the_certificate(identity: tuple[Path, bytes]) -> None:
    path, der = identity
    fields = only(handshake(path, ssl.TLSVersion.TLSv1_2))
    assert fields["tls.version"] == "1.2"
    assert fields["tls.server.subject"] == "CN=device.example,O=Example\\, Inc.,C=JP"
    assert fields["tls.server.issuer"] == fields["tls.server.subject"]
    assert fields["tls.server.x509.is_self_issued"] is True
    assert fields["tls.server.x509.serial_number"] == "0A1B2C"
    assert fields["tls.server.not_before"] == "2026-01-02T03:04:05.000Z"
    assert fields["tls.server.not_after"] == "2036-01-02T03:04:05.000Z"
    assert fields["tls.server.x509.alternative_names"] == ["device.example", "*.example"]
    assert (fields["tls.server.x509.public_key_algorithm"], fields["tls.server.x509.public_key_size"]) == ("EC", 256)
    assert fields["tls.server.hash.sha256"] == sha256(der).hexdigest().upper()
    assert fields["tls.next_protocol"] == "http/1.1"
    assert fields["tls.established"] is True
    assert "tls.curve" in fields


def test_a_request_for_a_client_certificate_is_told(identity: tuple[Path, bytes]) -> None:
    fields = only(handshake(identity[0], ssl.TLSVersion.TLSv1_2, asks=True))
    assert fields["tls.client.is_certificate_requested"] is True


def test_a_client_that_does_not_like_the_certificate_says_why(identity: tuple[Path, bytes]) -> None:
    fields = only(handshake(identity[0], ssl.TLSVersion.TLSv1_2, name="other.test"))
    assert fields["tls.established"] is False
    assert (fields["tls.alert.level"], fields["tls.alert.sender"]) == ("fatal", "client")
    assert fields["tls.alert.description"] in {"bad_certificate", "certificate_unknown", "unknown_ca"}


@pytest.mark.parametrize("size", [1, 2, 5, 7, 100, 1460])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_pieces_of_any_size_give_the_same(identity: tuple[Path, bytes], version: ssl.TLSVersion, size: int) -> None:
    talk = handshake(identity[0], version)
    [whole] = converse(PROTOCOL, talk)
    [pieces] = converse(PROTOCOL, cut(talk, size))
    assert pieces.fields == whole.fields


def record(fragment: bytes, kind: int = 22) -> bytes:
    return pack("!BHH", kind, 0x0301, len(fragment)) + fragment


def extension(kind: int, data: bytes) -> bytes:
    return pack("!HH", kind, len(data)) + data


def client_hello(extensions: bytes, ciphers: bytes = bytes.fromhex("0a0a1301c02f")) -> bytes:
    body = b"\x03\x03" + bytes(32) + b"\x00" + pack("!H", len(ciphers)) + ciphers + b"\x01\x00"
    body += pack("!H", len(extensions)) + extensions
    return b"\x01" + len(body).to_bytes(3, "big") + body


def test_a_hello_may_be_spread_over_records_and_exceed_one() -> None:
    hello = client_hello(extension(0, pack("!HBH", 14, 0, 11) + b"example.com") + extension(21, bytes(40_000)))
    talk = [(CLIENT, b"".join(record(hello[at : at + 16_000]) for at in range(0, len(hello), 16_000)))]
    [message] = converse(PROTOCOL, cut(talk, 1460))
    assert message.fields["tls.client.server_name"] == "example.com"
    assert "tls.version" not in message.fields, "the server has not chosen"


def test_ja3_is_the_md5_of_numbers_without_grease() -> None:
    extensions = extension(0x1A1A, b"") + extension(10, bytes.fromhex("0006dada001d0017")) + extension(11, b"\x01\x00")
    [message] = converse(PROTOCOL, [(CLIENT, record(client_hello(extensions)))])
    text = "771,4865-49199,10-11,29-23,0"
    assert message.fields["tls.client.ja3_string"] == text
    assert message.fields["tls.client.ja3"] == md5(text.encode(), usedforsecurity=False).hexdigest()


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number, 16) for number in text.split(","))


def test_ja4_is_that_of_its_specification() -> None:
    """The worked example of technical_details/JA4.md: a browser, TLS 1.3 with h2."""
    hello = ClientHello(
        0x0303,
        b"",
        numbers("0a0a,1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035"),
        numbers("1a1a,001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015"),
        server_name="example.com",
        signatures=numbers("0403,0804,0401,0503,0805,0501,0806,0601"),
        alpn=(b"h2", b"http/1.1"),
        versions=numbers("2a2a,0304,0303"),
    )
    assert ja4(hello, "t") == "t13d1516h2_8daaf6152771_e5627efa2ab1"


@pytest.mark.parametrize(
    ("hello", "expected"),
    [
        (ClientHello(0x0301, b"", ()), "t10i000000_000000000000_000000000000"),
        (ClientHello(0x0303, b"", (), alpn=(b"h",)), "t12i0000hh_000000000000_000000000000"),
        (ClientHello(0x0303, b"", (), alpn=(b"\xab\xcd",)), "t12i0000ad_000000000000_000000000000"),
        (ClientHello(0x0303, b"", (), alpn=(b"01\xab\xcd",)), "t12i00003d_000000000000_000000000000"),
        (ClientHello(0x0303, b"", (), alpn=(b"0\xab\xcd1",)), "t12i000001_000000000000_000000000000"),
        (ClientHello(0x0303, b"", (), (0, 16), server_name="", alpn=(b"",)), "t12d000200_000000000000_000000000000"),
        (ClientHello(0x7F12, b"", (), versions=(0x0302,)), "t11i000000_000000000000_000000000000"),
    ],
)
def test_ja4_of_a_hello_with_little_in_it(hello: ClientHello, expected: str) -> None:
    assert ja4(hello, "t") == expected


def test_a_hello_of_ssl_2_is_read() -> None:
    body = bytes.fromhex("01 0301 0006 0000 0010 00002f 010080") + bytes(16)
    hello = pack("!H", 0x8000 | len(body)) + body
    assert recognise(hello, CLIENT, ENDS) is Verdict.YES
    [message] = converse(PROTOCOL, cut([(CLIENT, hello)], 3))
    assert message.fields["tls.client.supported_ciphers"] == ["TLS_RSA_WITH_AES_128_CBC_SHA"]


@pytest.mark.parametrize(
    "payload",
    [b"GET / HTTP/1.1\r\n", b"\x16\x04\x00\x00\x10\x01", b"\x15\x03\x01\x00\x03\x01", b"\x17\x03\x03\x00\x05abcde"],
)
def test_other_payload_is_not_taken_for_tls(payload: bytes) -> None:
    assert recognise(payload, CLIENT, ENDS) is Verdict.NO


def test_a_hello_is_recognised_as_soon_as_it_can_be(identity: tuple[Path, bytes]) -> None:
    [(_, hello), (_, answer), *_] = handshake(identity[0], ssl.TLSVersion.TLSv1_2)
    assert [recognise(hello[:size], CLIENT, ENDS) for size in (1, 5, 8, 9)] == [Verdict.MORE] * 3 + [Verdict.YES]
    assert recognise(answer, SERVER, ENDS) is Verdict.YES
    assert hello[0] in (PROTOCOL.first_bytes or ())


def test_a_cut_hello_is_malformed() -> None:
    with pytest.raises(Malformed, match="cut"):
        TlsDecoder(ENDS).feed(CLIENT, record(b"\x01\x00\x00\x04\x03\x03ab"), 0)


def test_a_message_that_is_too_long_is_skipped_and_the_next_is_read() -> None:
    said = b"\x0b" + (300_000).to_bytes(3, "big") + bytes(300_000) + b"\x0d\x00\x00\x04abcd"
    hello = b"\x03\x03" + bytes(32) + b"\x00\xc0\x2f\x00"
    said = b"\x02" + len(hello).to_bytes(3, "big") + hello + said
    talk = [(SERVER, b"".join(record(said[at : at + 16_000]) for at in range(0, len(said), 16_000)))]
    [message] = converse(PROTOCOL, cut(talk, 1460))
    assert message.fields["tls.client.is_certificate_requested"] is True
    assert "tls.server.subject" not in message.fields


def test_what_is_encrypted_is_known_on_its_port_and_has_nothing_to_tell() -> None:
    data = record(bytes(100), kind=23)
    assert recognise(data, CLIENT, ENDS) is Verdict.NO
    assert recognise(data, CLIENT, at_port(443)) is Verdict.YES
    assert converse(PROTOCOL, [(CLIENT, data * 3)]) == []


def test_a_malformed_answer_still_tells_of_the_client() -> None:
    talk = [(CLIENT, record(client_hello(extension(23, b"")))), (SERVER, record(b"\x02\x00\x00\x04\x03\x03ab"))]
    [message] = converse(PROTOCOL, talk)
    assert message.fields["error.code"] == "malformed"
    assert "tls.client.ja4" in message.fields


def test_an_unreadable_certificate_is_no_malformed_handshake() -> None:
    chain = b"\x00\x00\x07\x00\x00\x04abcd"
    hello = b"\x03\x03" + bytes(32) + b"\x00\xc0\x2f\x00"
    said = b"\x02" + len(hello).to_bytes(3, "big") + hello + b"\x0b" + len(chain).to_bytes(3, "big") + chain
    [message] = converse(PROTOCOL, [(SERVER, record(said))])
    assert message.fields["tls.server.certificate.error"] == "not readable"
    assert "error.code" not in message.fields


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_nothing_but_malformed_leaves_the_decoder(identity: tuple[Path, bytes], version: ssl.TLSVersion) -> None:
    talk = handshake(identity[0], version)

    @settings(max_examples=150, deadline=None)
    @given(mutated(talk) | cut_anywhere(talk) | garbage())
    def check(said: Talk) -> None:
        check_survives(PROTOCOL, said)

    check()

"""SSH up to its key exchange, with Scapy's layer as the judge of the lists."""

from hashlib import md5
from struct import pack

import pytest
from hypothesis import given, settings
from scapy.layers.ssh import SSHKexInit

from packets.conversations import ENDS, Said, check_survives, converse, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.ssh import PROTOCOL, SshDecoder, recognise

CLIENT_LISTS = [
    "curve25519-sha256,ecdh-sha2-nistp256,ext-info-c", "ssh-ed25519,rsa-sha2-512", "aes128-ctr,aes256-ctr",
    "aes192-ctr", "hmac-sha1", "hmac-sha2-256", "none,zlib", "none", "", "",
]  # fmt: skip
SERVER_LISTS = [
    "ecdh-sha2-nistp256", "rsa-sha2-512", "aes256-ctr", "aes256-gcm@openssh.com", "hmac-sha1", "hmac-md5", "none",
    "zlib", "", "",
]  # fmt: skip


def key_exchange(lists: list[str]) -> bytes:
    payload = b"\x14" + bytes(16) + b"".join(pack("!I", len(names)) + names.encode() for names in lists) + bytes(5)
    padding = 4 + -(len(payload) + 9) % 8
    return pack("!IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


TALK: list[Said] = [
    (SERVER, b"SSH-2.0-OpenSSH_9.6p1 Ubuntu-3\r\n" + key_exchange(SERVER_LISTS)),
    (CLIENT, b"SSH-2.0-libssh_0.9.6\r\n"),
    (CLIENT, key_exchange(CLIENT_LISTS)),
]


def test_a_connection_is_one_event() -> None:
    [found] = fields(PROTOCOL, TALK)
    assert (found["ssh.client.proto_version"], found["ssh.client.software_version"]) == ("2.0", "libssh_0.9.6")
    assert found["ssh.server.software_version"] == "OpenSSH_9.6p1 Ubuntu-3"
    assert found["ssh.kex_algorithm"] == "ecdh-sha2-nistp256"
    assert found["ssh.host_key_algorithm"] == "rsa-sha2-512"
    assert (found["ssh.cipher"], found["ssh.mac"], found["ssh.compression"]) == ("aes256-ctr", "hmac-sha1", "none")


def test_prints_are_of_the_lists_that_each_side_sends_by() -> None:
    [found] = fields(PROTOCOL, TALK)
    client = "curve25519-sha256,ecdh-sha2-nistp256,ext-info-c;aes128-ctr,aes256-ctr;hmac-sha1;none,zlib"
    server = "ecdh-sha2-nistp256;aes256-gcm@openssh.com;hmac-md5;zlib"
    assert found["ssh.client.hassh_string"] == client
    assert found["ssh.client.hassh"] == md5(client.encode(), usedforsecurity=False).hexdigest()
    assert found["ssh.server.hassh"] == md5(server.encode(), usedforsecurity=False).hexdigest()


def test_scapy_reads_the_same_lists() -> None:
    judged = SSHKexInit(key_exchange(CLIENT_LISTS)[5:])
    [found] = fields(PROTOCOL, TALK)
    names = [
        b",".join(each.names).decode()
        for each in (judged.kex_algorithms, judged.encryption_algorithms_client_to_server)
    ]
    assert str(found["ssh.client.hassh_string"]).split(";")[:2] == names


def test_lines_before_the_banner_are_passed_over() -> None:
    [found] = fields(PROTOCOL, [TALK[1], TALK[2], (SERVER, b"Welcome\r\nto this host\r\n" + TALK[0][1])])
    assert found["ssh.server.software_version"] == "OpenSSH_9.6p1 Ubuntu-3"


def test_version_1_has_a_banner_only() -> None:
    [found] = fields(PROTOCOL, [(SERVER, b"SSH-1.5-Cisco-1.25\n"), (CLIENT, b"SSH-1.5-old\n")])
    assert (found["ssh.server.proto_version"], found["ssh.server.software_version"]) == ("1.5", "Cisco-1.25")


def test_one_side_alone_is_reported_at_the_end() -> None:
    [found] = fields(PROTOCOL, TALK[1:])
    assert "ssh.client.hassh" in found
    assert "ssh.server.proto_version" not in found
    assert "ssh.cipher" not in found


def test_the_side_that_speaks_as_a_client_is_the_client() -> None:
    [message] = converse(PROTOCOL, [(1 - side, data) for side, data in TALK])
    assert message.is_turned
    assert message.fields["ssh.client.software_version"] == "libssh_0.9.6"


def test_an_impossible_length_is_malformed_and_still_tells_the_banner() -> None:
    [message] = converse(PROTOCOL, [(CLIENT, b"SSH-2.0-x\r\n" + b"\xff" * 20)])
    assert message.fields["error.code"] == "malformed"
    assert message.fields["ssh.client.software_version"] == "x"


def test_text_without_a_banner_is_malformed() -> None:
    with pytest.raises(Malformed, match="no banner"):
        SshDecoder(ENDS).feed(SERVER, b"hello\n" * 1000, 0)


@pytest.mark.parametrize(
    ("payload", "verdict"),
    [(b"SSH-2.0-x\r\n", Verdict.YES), (b"SSH", Verdict.MORE), (b"SSH-x", Verdict.NO), (b"STAT\r\n", Verdict.NO)],
)
def test_a_banner_is_recognised(payload: bytes, verdict: Verdict) -> None:
    assert recognise(payload, SERVER, ENDS) is verdict


@given(cut_anywhere(TALK))
def test_pieces_give_the_same(said: list[Said]) -> None:
    assert fields(PROTOCOL, said) == fields(PROTOCOL, TALK)


@settings(max_examples=300, deadline=None)
@given(mutated(TALK) | garbage())
def test_nothing_but_malformed_leaves_the_decoder(said: list[Said]) -> None:
    check_survives(PROTOCOL, said)

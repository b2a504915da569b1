"""TFTP, with messages made by Scapy."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.tftp import (
    TFTP,
    TFTP_ACK,
    TFTP_DATA,
    TFTP_ERROR,
    TFTP_OACK,
    TFTP_RRQ,
    TFTP_WRQ,
    TFTP_Option,
    TFTP_Options,
)

from packets.conversations import ENDS, Said, at_port, check_survives, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, DONE, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.tftp import PROTOCOL, decode_tftp

READ = bytes(TFTP() / TFTP_RRQ(filename="firmware.bin", mode="octet"))
WRITE = bytes(
    TFTP()
    / TFTP_WRQ(filename="running-config", mode="OCTET")
    / TFTP_Options(options=[TFTP_Option(oname="blksize", value="1428"), TFTP_Option(oname="tsize", value="0")])
)
ERROR = bytes(TFTP() / TFTP_ERROR(errorcode=1, errormsg="no such file"))
FIRST = bytes(TFTP() / TFTP_DATA(block=1) / (b"x" * 512))
ACCEPTED = bytes(TFTP() / TFTP_OACK() / TFTP_Options(options=[TFTP_Option(oname="blksize", value="1428")]))


def test_a_request_tells_which_file() -> None:
    assert fields(PROTOCOL, [(CLIENT, READ)], at_port(69)) == [
        {"tftp.operation": "read", "tftp.file": "firmware.bin", "tftp.mode": "octet"}
    ]


def test_a_write_tells_its_options() -> None:
    assert fields(PROTOCOL, [(CLIENT, WRITE)], at_port(69)) == [
        {
            "tftp.operation": "write",
            "tftp.file": "running-config",
            "tftp.mode": "octet",
            "tftp.options": ["blksize=1428", "tsize=0"],
        }
    ]


def test_a_refusal_tells_why() -> None:
    assert fields(PROTOCOL, [(CLIENT, READ), (SERVER, ERROR)], at_port(69))[1] == {
        "tftp.operation": "error",
        "tftp.error_code": 1,
        "tftp.error_name": "file_not_found",
        "tftp.error_message": "no such file",
    }


def test_data_are_not_looked_at() -> None:
    assert PROTOCOL.decoder(ENDS).feed(CLIENT, FIRST, 0) == ((), DONE)


@pytest.mark.parametrize(
    "junk", [b"", b"\x00\x01", b"\x00\x09abc\x00octet\x00", b"\x00\x01abc", b"\x00\x01\x00octet\x00"]
)
def test_what_is_no_message_is_refused(junk: bytes) -> None:
    with pytest.raises(Malformed):
        decode_tftp(junk)


@pytest.mark.parametrize(
    ("data", "port", "verdict"),
    [
        (READ, 69, Verdict.YES),
        (READ, 4_000, Verdict.YES),
        (WRITE, 4_000, Verdict.YES),
        (b"\x00\x01abc\x00binary\x00", 69, Verdict.NO),
        (FIRST, 4_000, Verdict.YES),
        (FIRST, 443, Verdict.NO),
        (FIRST + b"x", 4_000, Verdict.NO),
        (bytes(TFTP() / TFTP_ACK(block=0)), 4_000, Verdict.YES),
        (bytes(TFTP() / TFTP_ACK(block=7)), 4_000, Verdict.NO),
        (ACCEPTED, 4_000, Verdict.YES),
        (b"\x00\x00\x00\x00", 69, Verdict.YES),
        (b"\x00\x00\x00\x00", 4_000, Verdict.NO),
    ],
)
def test_content_decides(data: bytes, port: int, verdict: Verdict) -> None:
    assert PROTOCOL.recognise(data, CLIENT, at_port(port)) is verdict


@settings(deadline=None)
@given(
    st.text("abcdefghijklmnopqrstuvwxyz/._-0123456789", min_size=1, max_size=60), st.sampled_from(["octet", "netascii"])
)
def test_scapy_reads_the_same(file: str, mode: str) -> None:
    raw = bytes(TFTP() / TFTP_RRQ(filename=file, mode=mode))
    ours, judge = decode_tftp(raw), TFTP(raw)
    assert (ours["tftp.file"], ours["tftp.mode"]) == (judge.filename.decode(), judge.mode.decode())


@settings(deadline=None)
@given(st.one_of(garbage(), mutated([(CLIENT, READ), (CLIENT, WRITE), (SERVER, ERROR), (SERVER, ACCEPTED)])))
def test_whatever_arrives_becomes_fields_or_is_refused(said: list[Said]) -> None:
    check_survives(PROTOCOL, said, at_port(69))

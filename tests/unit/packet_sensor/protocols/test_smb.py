"""SMB 1 to 3, in messages that Scapy builds."""

from struct import pack
from typing import Any

import pytest
from hypothesis import given, settings
from scapy.layers import ntlm, smb2
from scapy.packet import Packet

from packets.conversations import ENDS, Said, at_port, check_survives, converse, cut_anywhere, garbage, mutated
from packets.rpc_units import SVCCTL, bind, call
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Fields, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.smb import PROTOCOL, SmbDecoder, recognise

NTLM: Any = ntlm
SMB: Any = smb2
"""Scapy's layers, which have no types."""

FILE = SMB.SMB2_FILEID(Persistent=0x11, Volatile=0x22)
FILE_ID = bytes(FILE)


def framed(message: bytes) -> bytes:
    return pack("!I", len(message)) + message


def asked(number: int, body: Packet, *, session: int = 7, tree: int = 1) -> Said:
    header = SMB.SMB2_Header(MID=number, SessionId=session, TID=tree)
    return CLIENT, framed(bytes(header / body))


def answered(number: int, body: Packet | bytes, status: int = 0, *, command: int | None = None) -> Said:
    header = SMB.SMB2_Header(MID=number, SessionId=7, TID=1, Flags="SMB2_FLAGS_SERVER_TO_REDIR", Status=status)
    if command is not None:
        header.Command = command
    return SERVER, framed(bytes(header / body if isinstance(body, Packet) else bytes(header) + body))


def raw(number: int, command: int, body: bytes, flags: int = 0) -> bytes:
    """A message with a body by hand."""
    return framed(pack("<4sHHIHHIIQIIQ16x", b"\xfeSMB", 64, 1, 0, command, 1, flags, 0, number, 0, 1, 7) + body)


def write(number: int, data: bytes) -> bytes:
    return raw(number, 9, pack("<HHIQ16sIIHHI", 49, 112, len(data), 0, FILE_ID, 0, 0, 0, 0, 0) + data)


CHALLENGE = bytes(
    NTLM.NTLM_CHALLENGE(
        NegotiateFlags="NEGOTIATE_UNICODE+NEGOTIATE_TARGET_INFO",
        Payload=[
            ("TargetName", "EXAMPLE"),
            (
                "TargetInfo",
                [
                    NTLM.AV_PAIR(AvId=1, Value="FILES"),
                    NTLM.AV_PAIR(AvId=3, Value="files.example"),
                    NTLM.AV_PAIR(AvId=0),
                ],
            ),
        ],
    )
)
LOGIN = bytes(
    NTLM.NTLM_AUTHENTICATE(
        NegotiateFlags="NEGOTIATE_UNICODE",
        Payload=[("DomainName", "EXAMPLE"), ("UserName", "j.doe"), ("Workstation", "DESK-7")],
    )
)


def create_answer() -> Any:
    return SMB.SMB2_Create_Response(FileId=FILE, EndOfFile=1234)


TALK: list[Said] = [
    asked(0, SMB.SMB2_Negotiate_Protocol_Request(Dialects=[0x0202, 0x0210, 0x0302])),
    answered(0, SMB.SMB2_Negotiate_Protocol_Response(DialectRevision=0x0302, SecurityMode=3, ServerStartTime=0)),
    asked(1, SMB.SMB2_Session_Setup_Request(Buffer=[("Security", b"NTLMSSP\0\1\0\0\0")])),
    answered(1, SMB.SMB2_Session_Setup_Response(Buffer=[("Security", CHALLENGE)]), 0xC0000016),
    (CLIENT, raw(2, 1, pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 88, len(LOGIN), 0) + LOGIN)),
    answered(2, SMB.SMB2_Session_Setup_Response()),
    asked(3, SMB.SMB2_Tree_Connect_Request(Buffer=[("Path", "\\\\files\\ADMIN$")])),
    answered(3, SMB.SMB2_Tree_Connect_Response(ShareType=1)),
    asked(4, SMB.SMB2_Create_Request(CreateDisposition=5, DesiredAccess=2, Buffer=[("Name", "tool.exe")])),
    answered(4, create_answer()),
    (CLIENT, write(5, bytes(20_000))),
    answered(5, bytes(16), command=9),
    (CLIENT, write(6, bytes(20_000))),
    answered(6, bytes(16), command=9),
    asked(7, SMB.SMB2_Close_Request(FileId=FILE)),
    answered(7, SMB.SMB2_Close_Response()),
]


def events(said: list[Said], dataset: str = "network.smb") -> list[Fields]:
    return [message.fields for message in converse(PROTOCOL, said) if message.dataset == dataset]


def test_each_command_is_one_event_and_the_second_write_is_none() -> None:
    assert [(found["smb.command"], found["smb.status"]) for found in events(TALK)] == [
        ("SMB2_COMMAND_NEGOTIATE_PROTOCOL", "STATUS_SUCCESS"),
        ("SMB2_COMMAND_SESSION_SETUP", "STATUS_MORE_PROCESSING_REQUIRED"),
        ("SMB2_COMMAND_SESSION_SETUP", "STATUS_SUCCESS"),
        ("SMB2_COMMAND_TREE_CONNECT", "STATUS_SUCCESS"),
        ("SMB2_COMMAND_CREATE", "STATUS_SUCCESS"),
        ("SMB2_COMMAND_WRITE", "STATUS_SUCCESS"),
        ("SMB2_COMMAND_CLOSE", "STATUS_SUCCESS"),
    ]


def test_dialects_are_offered_and_chosen() -> None:
    found = events(TALK)[0]
    assert found["smb.client_dialects"] == ["2.02", "2.10", "3.02"]
    assert found["smb.dialect"] == "3.02"
    assert found["smb.is_signing_required"] is True


def test_a_login_tells_user_host_and_server() -> None:
    _, challenged, logged_in, connected, *_ = events(TALK)
    assert (challenged["ntlmssp.server.computer"], challenged["ntlmssp.server.dns_computer"]) == (
        "FILES", "files.example",
    )  # fmt: skip
    assert (logged_in["user.name"], logged_in["user.domain"]) == ("j.doe", "EXAMPLE")
    assert logged_in["ntlmssp.host"] == "DESK-7"
    assert connected["user.name"] == "j.doe", "what a session does is its user's"


def test_shares_and_files_are_named() -> None:
    created = events(TALK)[4]
    assert (created["smb.share"], created["smb.filename"]) == ("\\\\files\\ADMIN$", "tool.exe")
    assert (created["smb.disposition"], created["smb.access"], created["smb.size"]) == (
        "FILE_OVERWRITE_IF",
        "write",
        1234,
    )
    assert events(TALK)[6]["smb.filename"] == "tool.exe"


def test_the_service_manager_behind_a_named_pipe_is_followed() -> None:
    said = [
        asked(3, SMB.SMB2_Tree_Connect_Request(Buffer=[("Path", "\\\\files\\IPC$")])),
        answered(3, SMB.SMB2_Tree_Connect_Response(ShareType=2)),
        asked(4, SMB.SMB2_Create_Request(Buffer=[("Name", "svcctl")])),
        answered(4, create_answer()),
        (CLIENT, write(5, bind(SVCCTL))),
        answered(5, bytes(16), command=9),
        (CLIENT, raw(6, 11, pack("<HHI16sIIIIIIII", 57, 0, 0x0011C017, FILE_ID, 120, 24, 0, 0, 0, 0, 1, 0) + call(12))),
    ]
    bound, called = events(said, "network.dcerpc")
    assert bound["dcerpc.interface.name"] == "svcctl"
    assert (called["dcerpc.operation"], called["smb.filename"]) == ("CreateServiceW", "svcctl")
    assert called["smb.named_pipe"] == "\\\\files\\IPC$"


def test_a_refusal_is_an_event_whatever_was_asked() -> None:
    said = [(CLIENT, raw(1, 16, bytes(40))), answered(1, bytes(9), 0xC0000022, command=16)]
    [found] = events(said)
    assert (found["smb.command"], found["smb.status"]) == ("SMB2_COMMAND_GET_INFO", "STATUS_ACCESS_DENIED")


def test_an_answer_that_is_to_come_is_waited_for() -> None:
    said = [TALK[0], *TALK[6:7], answered(3, bytes(9), 0x103, command=3), TALK[7]]
    assert [found["smb.status"] for found in events(said)] == ["STATUS_SUCCESS"]


def test_commands_in_one_message_refer_to_the_file_of_the_first() -> None:
    create = bytes(SMB.SMB2_Header(MID=4, SessionId=7, TID=1) / SMB.SMB2_Create_Request(Buffer=[("Name", "a.txt")]))
    create += bytes(-len(create) % 8)
    first = create[:20] + pack("<I", len(create)) + create[24:]
    second = (
        pack("<4sHHIHHIIQIIQ16x", b"\xfeSMB", 64, 1, 0, 6, 1, 4, 0, 5, 0, 1, 7) + pack("<HHI", 24, 0, 0) + b"\xff" * 16
    )
    said = [(CLIENT, framed(first + second)), answered(4, create_answer()), answered(5, SMB.SMB2_Close_Response())]
    assert [found["smb.filename"] for found in events(said)] == ["a.txt", "a.txt"]


def test_deletion_and_renaming_are_told() -> None:
    name = "b.txt".encode("utf-16-le")
    rename = bytes(16) + pack("<I", len(name)) + name
    said = [
        *TALK[8:10],
        (CLIENT, raw(8, 17, pack("<HBBIHHI16s", 33, 1, 10, len(rename), 96, 0, 0, FILE_ID) + rename)),
        answered(8, bytes(2), command=17),
        (CLIENT, raw(9, 17, pack("<HBBIHHI16s", 33, 1, 13, 1, 96, 0, 0, FILE_ID) + b"\x01")),
        answered(9, bytes(2), command=17),
    ]
    _, renamed, deleted = events(said)
    assert (renamed["smb.filename"], renamed["smb.rename.to"]) == ("tool.exe", "b.txt")
    assert deleted["smb.is_deleted"] is True


def test_encryption_is_told_once() -> None:
    sealed = framed(b"\xfdSMB" + bytes(80))
    assert events([(CLIENT, sealed), (SERVER, sealed)]) == [{"smb.version": 3, "smb.is_encrypted": True}]


def old(command: int, words: bytes, data: bytes, *, flags: int = 0, status: int = 0) -> bytes:
    header = pack("<4sBIBHHQHHHHH", b"\xffSMB", command, status, flags, 0xC001, 0, 0, 0, 5, 9, 3, 11)
    return framed(header + bytes([len(words) // 2]) + words + pack("<H", len(data)) + data)


def wide(*texts: str) -> bytes:
    return b"".join((text + "\0").encode("utf-16-le") for text in texts)


def test_smb_1_is_read() -> None:
    setup = pack("<BBHHHHIHII", 0xFF, 0, 0, 16644, 50, 0, 0, len(LOGIN), 0, 0)
    pad = b"" if (32 + 1 + 24 + 2 + len(LOGIN)) % 2 == 0 else b"\0"
    create = pack("<BBHBHIIIQIIIIIB", 0xFF, 0, 0, 0, 12, 0, 0, 0x2, 0, 0, 0, 1, 0, 2, 0)
    said = [
        (CLIENT, old(0x72, b"", b"\x02LANMAN1.0\0\x02NT LM 0.12\0")),
        (SERVER, old(0x72, pack("<H", 1) + bytes(32), b"", flags=0x80)),
        (CLIENT, old(0x73, setup, LOGIN + pad + wide("Unix", "Samba"))),
        (SERVER, old(0x73, pack("<BBHHH", 0xFF, 0, 0, 0, 0), b"\0" + wide("Windows 5.1", "LAN Manager"), flags=0x80)),
        (CLIENT, old(0x75, pack("<BBHHH", 0xFF, 0, 0, 0, 1), b"\0" + b"" + wide("\\\\old\\C$") + b"?????\0")),
        (SERVER, old(0x75, pack("<BBHH", 0xFF, 0, 0, 0), b"A:\0", flags=0x80)),
        (CLIENT, old(0xA2, create, b"\0" + wide("a.bin"))),
        (SERVER, old(0xA2, pack("<BBHBHI", 0xFF, 0, 0, 0, 0x4001, 1) + bytes(57), b"", flags=0x80)),
        (CLIENT, old(0x04, pack("<HI", 0x4001, 0), b"")),
        (SERVER, old(0x04, b"", b"", flags=0x80)),
    ]
    negotiated, logged_in, connected, created, closed = events(said)
    assert (negotiated["smb.dialect"], negotiated["smb.version"]) == ("NT LM 0.12", 1)
    assert (logged_in["user.name"], logged_in["ntlmssp.host"]) == ("j.doe", "DESK-7")
    assert (logged_in["smb.request.native_os"], logged_in["smb.response.native_lm"]) == ("Unix", "LAN Manager")
    assert connected["smb.share"] == "\\\\old\\C$"
    assert (created["smb.filename"], created["smb.access"]) == ("a.bin", "write")
    assert (closed["smb.command"], closed["smb.filename"]) == ("SMB1_COMMAND_CLOSE", "a.bin")


@pytest.mark.parametrize("behind", [0, 32, 35])
def test_a_chain_that_runs_backwards_is_malformed(behind: int) -> None:
    with pytest.raises(Malformed, match="backwards"):
        SmbDecoder(ENDS).feed(CLIENT, old(0x74, pack("<BBH", 0x74, 0, behind % 33), b""), 0)


def test_a_body_that_is_not_there_is_malformed() -> None:
    with pytest.raises(Malformed, match="cut"):
        SmbDecoder(ENDS).feed(CLIENT, raw(1, 5, b"\x39\x00"), 0)


@pytest.mark.parametrize(
    ("payload", "port", "verdict"),
    [
        (TALK[0][1], 4000, Verdict.YES),
        (b"\x00\x00\x00\x80\xffSMB", 4000, Verdict.YES),
        (b"\x00\x00", 4000, Verdict.MORE),
        (b"\x81\x00\x00\x44\x20" + b"E" * 67, 4000, Verdict.YES),
        (b"\x82\x00\x00\x00", 139, Verdict.YES),
        (b"\x82\x00\x00\x00", 4000, Verdict.NO),
        (b"\x00\x00\x00\x80\x00\x00\x00\x00", 445, Verdict.NO),
    ],
)
def test_smb_is_told_by_its_mark(payload: bytes, port: int, verdict: Verdict) -> None:
    assert recognise(payload, CLIENT, at_port(port)) is verdict


@settings(max_examples=30, deadline=None)
@given(cut_anywhere(TALK[:10]))
def test_pieces_give_the_same(said: list[Said]) -> None:
    assert events(said) == events(TALK[:10])


@settings(max_examples=300, deadline=None)
@given(mutated(TALK[:10] + TALK[14:]) | garbage())
def test_nothing_but_malformed_leaves_the_decoder(said: list[Said]) -> None:
    check_survives(PROTOCOL, said)

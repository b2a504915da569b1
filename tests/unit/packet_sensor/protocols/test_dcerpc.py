"""DCE/RPC over TCP, in units that Scapy builds."""

from struct import pack
from uuid import UUID

import pytest
from hypothesis import given, settings

from packets.conversations import ENDS, Said, check_survives, converse, cut_anywhere, fields, garbage, mutated
from packets.rpc_units import SVCCTL, bind, call
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.dcerpc import PROTOCOL, RpcDecoder, recognise
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.ntlm import ntlm_fields

UNKNOWN = UUID("00005e00-5300-4000-8000-000000000001")
TALK: list[Said] = [(CLIENT, bind(SVCCTL)), (CLIENT, call(15)), (CLIENT, call(12)), (CLIENT, call(19))]


@pytest.mark.parametrize("order", ["little", "big"])
def test_what_is_bound_and_called_has_its_name(order: str) -> None:
    bound, called = fields(PROTOCOL, [(CLIENT, bind(SVCCTL, order=order)), (CLIENT, call(12, order=order))])
    assert bound["dcerpc.type"] == "bind"
    assert bound["dcerpc.interface.uuid"] == "367abb81-9844-35f1-ad32-98f038001003"
    assert (bound["dcerpc.interface.name"], bound["dcerpc.interface.version"]) == ("svcctl", "2.0")
    assert (called["dcerpc.opnum"], called["dcerpc.operation"]) == (12, "CreateServiceW")


def test_an_unknown_interface_keeps_its_number() -> None:
    bound, called = fields(PROTOCOL, [(CLIENT, bind(UNKNOWN)), (CLIENT, call(3))])
    assert bound["dcerpc.interfaces"] == [str(UNKNOWN)]
    assert "dcerpc.operation" not in called
    assert called["dcerpc.opnum"] == 3


def test_the_same_operation_is_told_once() -> None:
    found = fields(PROTOCOL, [*TALK, *TALK[1:], (CLIENT, call(12))])
    assert [each.get("dcerpc.operation") for each in found[1:]] == ["OpenSCManagerW", "CreateServiceW", "StartServiceW"]


def test_contexts_are_told_apart() -> None:
    said = [(CLIENT, bind(SVCCTL)), (CLIENT, bind(UNKNOWN, context=1)), (CLIENT, call(12, context=1))]
    assert fields(PROTOCOL, said)[2]["dcerpc.interface.uuid"] == str(UNKNOWN)


def test_a_call_whose_bind_was_missed_has_only_its_number() -> None:
    [found] = fields(PROTOCOL, [(CLIENT, call(12))])
    assert found == {"dcerpc.type": "request", "dcerpc.call_id": 2, "dcerpc.opnum": 12}


def test_calls_of_a_conversation_are_told_up_to_a_number() -> None:
    assert len(fields(PROTOCOL, [(CLIENT, call(number)) for number in range(500)])) == 128


def test_a_cut_bind_is_malformed() -> None:
    unit = bind(SVCCTL)
    short = unit[:8] + pack("<H", 40) + unit[10:40]
    with pytest.raises(Malformed, match="cut"):
        RpcDecoder(ENDS).feed(CLIENT, short, 0)


def test_a_bound_interface_is_told_though_what_follows_is_malformed() -> None:
    told, broken = converse(PROTOCOL, [(CLIENT, bind(SVCCTL) + b"\x07" * 20)])
    assert told.fields["dcerpc.interface.name"] == "svcctl"
    assert broken.fields["error.code"] == "malformed"


@pytest.mark.parametrize(
    "message", [b"", b"NTLMSSP\0", b"NTLMSSP\0\x03\0\0\0" + bytes(10), b"NTLMSSP\0\x09\0\0\0" + bytes(80)]
)
def test_a_login_that_is_cut_tells_nothing(message: bytes) -> None:
    assert ntlm_fields(message) == {}


@pytest.mark.parametrize(
    ("payload", "verdict"),
    [
        (bind(SVCCTL), Verdict.YES),
        (call(1), Verdict.YES),
        (b"\x05\x00\x0b", Verdict.MORE),
        (b"\x05\x01\x00", Verdict.NO),
        (b"\x05\x00\x63\x03" + bytes(20), Verdict.NO),
        (b"\x05\x00\x0b\x03\x10\x00\x00\x00\x04\x00" + bytes(10), Verdict.NO),
    ],
)
def test_units_are_recognised(payload: bytes, verdict: Verdict) -> None:
    assert recognise(payload, CLIENT, ENDS) is verdict


@given(cut_anywhere(TALK))
def test_pieces_give_the_same(said: list[Said]) -> None:
    assert fields(PROTOCOL, said) == fields(PROTOCOL, TALK)


@settings(max_examples=300, deadline=None)
@given(mutated([*TALK, (SERVER, call(1))]) | garbage())
def test_nothing_but_malformed_leaves_the_decoder(said: list[Said]) -> None:
    check_survives(PROTOCOL, said)

"""Modbus/TCP: transactions, what is a write, what is wrong; Scapy builds and judges."""

from struct import pack

import pytest
import scapy.contrib.modbus as scapy_modbus
from hypothesis import given
from hypothesis import strategies as st

from packets.conversations import ENDS, Said, at_port, check_survives, converse, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.modbus import PROTOCOL


def frame(pdu: bytes, number: int = 1, unit: int = 17) -> bytes:
    return pack(">HHHB", number, 0, 1 + len(pdu), unit) + pdu


def exchange(asked: bytes, answered: bytes) -> list[Said]:
    return [(CLIENT, frame(asked)), (SERVER, frame(answered))]


def test_a_read_and_its_answer_are_one_event() -> None:
    decoder = PROTOCOL.decoder(ENDS)
    decoder.feed(CLIENT, frame(b"\x03\x00\x6b\x00\x03"), 1_000_000)
    (message,), _ = decoder.feed(SERVER, frame(b"\x03\x06\x02\x2b\x00\x00\x00\x64"), 1_002_500)
    assert message.time == 1_000_000
    assert message.side == CLIENT
    assert message.fields == {
        "modbus.transaction_id": 1,
        "modbus.unit_id": 17,
        "modbus.function_code": 3,
        "modbus.function": "read_holding_registers",
        "modbus.is_write": False,
        "modbus.address": 107,
        "modbus.quantity": 3,
        "modbus.is_matched": True,
        "modbus.response_values": [555, 0, 100],
        "event.duration": 2_500_000,
        "event.outcome": "success",
    }


@pytest.mark.parametrize(
    ("function", "asked", "values"),
    [
        ("write_single_coil", b"\x05\x00\xac\xff\x00", [1]),
        ("write_single_register", b"\x06\x00\x01\x00\x03", [3]),
        ("write_multiple_coils", b"\x0f\x00\x13\x00\x0a\x02\xcd\x01", [1, 0, 1, 1, 0, 0, 1, 1, 1, 0]),
        ("write_multiple_registers", b"\x10\x00\x01\x00\x02\x04\x00\x0a\x01\x02", [10, 258]),
        ("mask_write_register", b"\x16\x00\x04\x00\xf2\x00\x25", None),
        ("read_write_multiple_registers", b"\x17\x00\x03\x00\x06\x00\x0e\x00\x01\x02\x00\xff", [255]),
        ("write_file_record", b"\x15\x09\x06\x00\x04\x00\x07\x00\x01\x06\xaf", None),
    ],
)
def test_what_writes_is_marked_so(function: str, asked: bytes, values: list[int] | None) -> None:
    (said,) = fields(PROTOCOL, [(CLIENT, frame(asked))])
    assert said["modbus.is_write"] is True
    assert said["modbus.function"] == function
    assert said.get("modbus.values") == values
    assert "error.code" not in said


@pytest.mark.parametrize("function", [1, 2, 3, 4, 7, 8, 11, 12, 17, 20, 24, 43])
def test_what_reads_is_not_a_write(function: int) -> None:
    (said,) = fields(PROTOCOL, [(CLIENT, frame(bytes([function, 0, 0, 0, 1])))])
    assert said["modbus.is_write"] is False


def test_a_refused_write_says_why() -> None:
    (said,) = fields(PROTOCOL, exchange(b"\x06\x00\x01\x00\x03", b"\x86\x02"))
    assert said["modbus.function_code"] == 6
    assert (said["modbus.exception_code"], said["modbus.exception"]) == (2, "illegal_data_address")
    assert said["event.outcome"] == "failure"


def test_answers_may_come_in_another_order() -> None:
    said = fields(
        PROTOCOL,
        [
            (CLIENT, frame(b"\x03\x00\x01\x00\x01", 1) + frame(b"\x03\x00\x02\x00\x01", 2)),
            (SERVER, frame(b"\x03\x02\x00\x22", 2) + frame(b"\x03\x02\x00\x11", 1)),
        ],
    )
    assert [(event["modbus.address"], event["modbus.response_values"]) for event in said] == [(2, [34]), (1, [17])]


def test_what_nobody_answers_is_an_event_after_five_seconds() -> None:
    decoder = PROTOCOL.decoder(ENDS)
    decoder.feed(CLIENT, frame(b"\x05\x00\x01\xff\x00", 1), 1_000_000)
    assert decoder.feed(CLIENT, frame(b"\x05\x00\x02\xff\x00", 2), 6_000_000).messages == []
    (message,) = decoder.feed(CLIENT, frame(b"\x05\x00\x03\xff\x00", 3), 6_000_001).messages
    assert (message.time, message.fields["modbus.address"]) == (1_000_000, 1)
    assert message.fields["event.outcome"] == "unknown"
    assert [left.fields["modbus.address"] for left in decoder.finish()] == [2, 3]


def test_an_answer_by_itself_is_an_event() -> None:
    (said,) = fields(PROTOCOL, [(SERVER, frame(b"\x04\x02\x00\x0a"))])
    assert said["modbus.is_matched"] is False
    assert said["modbus.response_values"] == [10]


def test_a_capture_that_begins_with_an_answer_takes_the_port_for_the_server() -> None:
    said = converse(
        PROTOCOL,
        [(CLIENT, frame(b"\x03\x02\x00\x11")), (SERVER, frame(b"\x03\x00\x01\x00\x01", 2))],
        ENDS._replace(source_port=502),
    )
    assert all(message.is_turned for message in said)
    assert said[1].fields["modbus.address"] == 1


def test_a_device_says_what_it_is() -> None:
    answer = b"\x2b\x0e\x01\x01\x00\x00\x03" + b"\x00\x04Acme" + b"\x01\x05PLC-9" + b"\x02\x04v2.1"
    (said,) = fields(PROTOCOL, exchange(b"\x2b\x0e\x01\x00", answer))
    assert said["modbus.mei_type"] == 14
    assert said["modbus.device.vendor_name"] == "Acme"
    assert said["modbus.device.product_code"] == "PLC-9"
    assert said["modbus.device.revision"] == "v2.1"


def test_diagnostics_name_their_subfunction() -> None:
    (said,) = fields(PROTOCOL, [(CLIENT, frame(b"\x08\x00\x04\x00\x00"))])
    assert (said["modbus.diagnostic_code"], said["modbus.diagnostic"]) == (4, "force_listen_only_mode")


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x03\x00\x01\x00",  # cut
        b"\x03\x00\x01\x00\x7e",  # 126 registers
        b"\x05\x00\x01\x12\x34",  # a coil neither on nor off
        b"\x10\x00\x01\x00\x02\x04\x00\x0a\x01",  # a byte too few
        b"\x0f\x00\x01\x00\x40\x01\xff",  # 64 coils in a byte
    ],
)
def test_a_request_that_is_not_as_long_as_it_says_is_malformed(wrong: bytes) -> None:
    said = fields(PROTOCOL, [(CLIENT, frame(wrong)), (CLIENT, frame(b"\x03\x00\x01\x00\x01", 2))])
    assert [event.get("error.code") for event in said] == ["malformed", None]


def test_a_header_that_cannot_be_is_an_event_and_the_next_segment_is_read() -> None:
    impossible = pack(">HHHBB", 9, 0, 4096, 1, 3) + bytes(50)
    foreign = pack(">HHHBB", 9, 7, 6, 1, 3) + bytes(4)
    said = fields(PROTOCOL, [(CLIENT, impossible), (CLIENT, foreign), (CLIENT, frame(b"\x03\x00\x01\x00\x01"))])
    assert [event.get("error.message") for event in said] == ["protocol 0, length 4096", "protocol 7, length 6", None]


def test_a_programming_tool_may_take_more_room() -> None:
    (said,) = fields(PROTOCOL, [(CLIENT, frame(b"\x5a" + bytes(800)))])
    assert said["modbus.function"] == "umas"
    assert "error.code" not in said


def test_many_unanswered_requests_take_bounded_memory() -> None:
    decoder = PROTOCOL.decoder(ENDS)
    reported = sum(len(decoder.feed(0, frame(b"\x03\x00\x01\x00\x01", number), 0).messages) for number in range(5000))
    assert reported + len(decoder.finish()) == 5000
    assert reported == 5000 - 16


@pytest.mark.parametrize("port", [502, 4000])
def test_it_is_told_by_its_content(port: int) -> None:
    ends = at_port(port)
    assert PROTOCOL.recognise(frame(b"\x03\x00\x6b\x00\x03"), CLIENT, ends) is Verdict.YES
    assert PROTOCOL.recognise(frame(b"\x10\x00\x01\x00\x01\x02\x00\x0a"), CLIENT, ends) is Verdict.YES
    assert PROTOCOL.recognise(b"GET / HTTP/1.1\r\n\r\n", CLIENT, ends) is Verdict.NO
    assert PROTOCOL.recognise(bytes(64), CLIENT, ends) is Verdict.NO


def test_a_write_that_is_cut_before_its_count_is_none() -> None:
    assert PROTOCOL.recognise(frame(b"\x10\x00\x01"), CLIENT, ENDS) is Verdict.NO


@given(
    st.sampled_from(
        [
            scapy_modbus.ModbusPDU01ReadCoilsRequest,
            scapy_modbus.ModbusPDU02ReadDiscreteInputsRequest,
            scapy_modbus.ModbusPDU03ReadHoldingRegistersRequest,
            scapy_modbus.ModbusPDU04ReadInputRegistersRequest,
        ]
    ),
    st.integers(0, 65_535),
    st.integers(1, 125),
    st.integers(0, 65_535),
)
def test_reads_of_scapy_say_what_scapy_put_in(layer: type, address: int, quantity: int, number: int) -> None:
    raw = bytes(scapy_modbus.ModbusADURequest(transId=number, unitId=7) / layer(startAddr=address, quantity=quantity))
    (said,) = fields(PROTOCOL, [(CLIENT, raw)])
    assert (said["modbus.address"], said["modbus.quantity"]) == (address, quantity)
    assert (said["modbus.transaction_id"], said["modbus.unit_id"]) == (number, 7)
    assert PROTOCOL.recognise(raw, CLIENT, ENDS) is Verdict.YES


@given(st.lists(st.integers(0, 65_535), min_size=1, max_size=123), st.integers(0, 65_535))
def test_writes_of_scapy_say_what_scapy_put_in(values: list[int], address: int) -> None:
    layer = scapy_modbus.ModbusPDU10WriteMultipleRegistersRequest(
        startAddr=address, quantityRegisters=len(values), outputsValue=values
    )
    (said,) = fields(PROTOCOL, [(CLIENT, bytes(scapy_modbus.ModbusADURequest() / layer))])
    assert said["modbus.values"] == values[:64]
    assert said["modbus.quantity"] == len(values)


SESSION = [
    *exchange(b"\x03\x00\x6b\x00\x03", b"\x03\x06\x02\x2b\x00\x00\x00\x64"),
    *exchange(b"\x0f\x00\x13\x00\x0a\x02\xcd\x01", b"\x0f\x00\x13\x00\x0a"),
    *exchange(b"\x2b\x0e\x01\x00", b"\x2b\x0e\x01\x01\x00\x00\x01\x00\x04Acme"),
    *exchange(b"\x17\x00\x03\x00\x06\x00\x0e\x00\x01\x02\x00\xff", b"\x97\x02"),
    *exchange(b"\x18\x04\xde", b"\x18\x00\x06\x00\x02\x01\xb8\x12\x84"),
]


@given(cut_anywhere(SESSION))
def test_pieces_make_no_difference(pieces: list[Said]) -> None:
    assert converse(PROTOCOL, pieces) == converse(PROTOCOL, SESSION)


@given(st.one_of(mutated(SESSION), garbage()))
def test_whatever_comes_the_decoder_keeps_its_word(said: list[Said]) -> None:
    check_survives(PROTOCOL, said, at_port(502))

"""What the functions of Modbus ask and answer (Modbus Application Protocol 1.1b3, section 6), as event fields.

`request` and `response` take a PDU from its function code on, and raise Malformed when it is not as long as the
function says. Lists of values hold the first 64; `modbus.quantity` has the whole number.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import Fields
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

MOST_VALUES: Final = 64
EXCEPTION: Final = 0x80

FUNCTIONS: Final = {
    1: "read_coils", 2: "read_discrete_inputs", 3: "read_holding_registers", 4: "read_input_registers",
    5: "write_single_coil", 6: "write_single_register", 7: "read_exception_status", 8: "diagnostics",
    11: "get_comm_event_counter", 12: "get_comm_event_log", 15: "write_multiple_coils", 16: "write_multiple_registers",
    17: "report_server_id", 20: "read_file_record", 21: "write_file_record", 22: "mask_write_register",
    23: "read_write_multiple_registers", 24: "read_fifo_queue", 43: "encapsulated_interface_transport",
    90: "umas",  # Schneider's programming protocol
}  # fmt: skip
WRITES: Final = frozenset({5, 6, 15, 16, 21, 22, 23})
EXCEPTIONS: Final = {
    1: "illegal_function", 2: "illegal_data_address", 3: "illegal_data_value", 4: "server_device_failure",
    5: "acknowledge", 6: "server_device_busy", 7: "negative_acknowledge", 8: "memory_parity_error",
    10: "gateway_path_unavailable", 11: "gateway_target_device_failed_to_respond",
}  # fmt: skip
_DIAGNOSTICS: Final = {
    0: "return_query_data", 1: "restart_communications_option", 2: "return_diagnostic_register",
    3: "change_ascii_input_delimiter", 4: "force_listen_only_mode", 10: "clear_counters_and_diagnostic_register",
    11: "return_bus_message_count", 12: "return_bus_communication_error_count", 13: "return_bus_exception_error_count",
    14: "return_server_message_count", 15: "return_server_no_response_count", 16: "return_server_nak_count",
    17: "return_server_busy_count", 18: "return_bus_character_overrun_count", 20: "clear_overrun_counter_and_flag",
}  # fmt: skip
_IDENTITY: Final = (
    "vendor_name", "product_code", "revision", "vendor_url", "product_name", "model_name", "user_application_name",
)  # fmt: skip

_TWO = Struct(">xHH")
_THREE = Struct(">xHHH")
_READ_WRITE = Struct(">xHHHHB")

List = list[str | int | float | bool | None]
Say = Callable[[bytes, Fields], None]


def request(pdu: bytes, into: Fields) -> None:
    """Say what is asked. A function that is not in the specification is not looked into. Raises Malformed."""
    say = _REQUESTS.get(pdu[0])
    if say is not None:
        say(pdu, into)


def response(pdu: bytes, into: Fields) -> None:
    """Say what was answered, `into` what the request said. Raises Malformed."""
    if pdu[0] & EXCEPTION:
        if len(pdu) != 2:
            raise Malformed(f"an exception of {len(pdu)} bytes")
        into["modbus.exception_code"] = pdu[1]
        into["modbus.exception"] = EXCEPTIONS.get(pdu[1], "unknown")
        return
    say = _RESPONSES.get(pdu[0])
    if say is not None:
        say(pdu, into)


def _expect(pdu: bytes, length: int) -> None:
    if len(pdu) != length:
        raise Malformed(f"function {pdu[0]} with {len(pdu)} bytes, not {length}")


def _registers(raw: bytes) -> List:
    raw = raw[: 2 * MOST_VALUES]
    return [raw[at] << 8 | raw[at + 1] for at in range(0, len(raw) - 1, 2)]


def _bits(raw: bytes, count: int) -> List:
    return [raw[bit >> 3] >> (bit & 7) & 1 for bit in range(min(count, MOST_VALUES, 8 * len(raw)))]


def _nothing(pdu: bytes, _into: Fields) -> None:
    _expect(pdu, 1)


def _read(pdu: bytes, into: Fields) -> None:
    _expect(pdu, 5)
    into["modbus.address"], quantity = _TWO.unpack(pdu)
    into["modbus.quantity"] = quantity
    if not 0 < quantity <= (2000 if pdu[0] < 3 else 125):
        raise Malformed(f"{quantity} values asked for")


def _write_one(pdu: bytes, into: Fields) -> None:
    _expect(pdu, 5)
    into["modbus.address"], value = _TWO.unpack(pdu)
    into["modbus.quantity"] = 1
    if pdu[0] == 5:
        if value not in {0, 0xFF00}:
            raise Malformed(f"a coil set to {value:#06x}")
        value >>= 15
    into["modbus.values"] = [value]


def _write_many(pdu: bytes, into: Fields) -> None:
    if len(pdu) < 6:
        raise Malformed(f"function {pdu[0]} with {len(pdu)} bytes")
    into["modbus.address"], quantity = _TWO.unpack_from(pdu)
    into["modbus.quantity"] = quantity
    raw = pdu[6:]
    is_coils = pdu[0] == 15
    if len(raw) != pdu[5] or pdu[5] != ((quantity + 7) // 8 if is_coils else 2 * quantity):
        raise Malformed(f"{quantity} values in {len(raw)} bytes")
    into["modbus.values"] = _bits(raw, quantity) if is_coils else _registers(raw)


def _diagnostics(pdu: bytes, into: Fields) -> None:
    if len(pdu) < 3:
        raise Malformed("diagnostics without subfunction")
    number = pdu[1] << 8 | pdu[2]
    into["modbus.diagnostic_code"] = number
    into["modbus.diagnostic"] = _DIAGNOSTICS.get(number, "unknown")


def _mask_write(pdu: bytes, into: Fields) -> None:
    _expect(pdu, 7)
    into["modbus.address"], into["modbus.and_mask"], into["modbus.or_mask"] = _THREE.unpack(pdu)


def _read_write(pdu: bytes, into: Fields) -> None:
    if len(pdu) < 10:
        raise Malformed(f"function 23 with {len(pdu)} bytes")
    into["modbus.address"], into["modbus.quantity"], at, quantity, length = _READ_WRITE.unpack_from(pdu)
    into["modbus.write_address"], into["modbus.write_quantity"] = at, quantity
    if len(pdu) - 10 != length or length != 2 * quantity:
        raise Malformed(f"{quantity} values in {len(pdu) - 10} bytes")
    into["modbus.values"] = _registers(pdu[10:])


def _counted(pdu: bytes, _into: Fields) -> None:
    """A byte that says how many follow, and so many."""
    if len(pdu) < 2 or len(pdu) != 2 + pdu[1]:
        raise Malformed(f"function {pdu[0]} with {len(pdu)} bytes")


def _fifo(pdu: bytes, into: Fields) -> None:
    _expect(pdu, 3)
    into["modbus.address"] = pdu[1] << 8 | pdu[2]


def _interface(pdu: bytes, into: Fields) -> None:
    if len(pdu) < 2:
        raise Malformed("an interface without type")
    into["modbus.mei_type"] = pdu[1]
    if pdu[1] == 14:
        _expect(pdu, 4)
        into["modbus.device_id_code"] = pdu[2]


def _values(pdu: bytes, into: Fields) -> None:
    _counted(pdu, into)
    if pdu[0] < 3:
        quantity = into.get("modbus.quantity")
        into["modbus.response_values"] = _bits(pdu[2:], quantity if isinstance(quantity, int) else 8 * pdu[1])
    elif pdu[1] & 1:
        raise Malformed("half a register")
    else:
        into["modbus.response_values"] = _registers(pdu[2:])


def _echo(pdu: bytes, into: Fields) -> None:
    """The address again, and the value (one) or the quantity (many)."""
    _expect(pdu, 5)
    address, value = _TWO.unpack(pdu)
    into.setdefault("modbus.address", address)
    if pdu[0] > 6:
        into.setdefault("modbus.quantity", value)
    else:
        into["modbus.response_values"] = [value >> 15 if pdu[0] == 5 else value]


def _exception_status(pdu: bytes, into: Fields) -> None:
    _expect(pdu, 2)
    into["modbus.response_values"] = [pdu[1]]


def _server_id(pdu: bytes, into: Fields) -> None:
    _counted(pdu, into)
    into["modbus.server_id"] = text_of(pdu[2:])


def _fifo_values(pdu: bytes, into: Fields) -> None:
    if len(pdu) < 5 or len(pdu) != 3 + (pdu[1] << 8 | pdu[2]):
        raise Malformed(f"function 24 with {len(pdu)} bytes")
    into["modbus.quantity"] = pdu[3] << 8 | pdu[4]
    into["modbus.response_values"] = _registers(pdu[5:])


def _identification(pdu: bytes, into: Fields) -> None:
    """Read Device Identification (6.21): names that tell what the device is."""
    if len(pdu) < 2:
        raise Malformed("an interface without type")
    into["modbus.mei_type"] = pdu[1]
    if pdu[1] != 14:
        return
    if len(pdu) < 7:
        raise Malformed("an identification that is cut")
    at = 7
    for _ in range(min(pdu[6], MOST_VALUES)):
        if at + 2 > len(pdu) or at + 2 + pdu[at + 1] > len(pdu):
            raise Malformed("an object runs out of the identification")
        if pdu[at] < len(_IDENTITY):
            into[f"modbus.device.{_IDENTITY[pdu[at]]}"] = text_of(pdu[at + 2 : at + 2 + pdu[at + 1]])
        at += 2 + pdu[at + 1]


_REQUESTS: Final[dict[int, Say]] = {
    1: _read, 2: _read, 3: _read, 4: _read, 5: _write_one, 6: _write_one, 7: _nothing, 8: _diagnostics, 11: _nothing,
    12: _nothing, 15: _write_many, 16: _write_many, 17: _nothing, 20: _counted, 21: _counted, 22: _mask_write,
    23: _read_write, 24: _fifo, 43: _interface,
}  # fmt: skip
_RESPONSES: Final[dict[int, Say]] = {
    1: _values, 2: _values, 3: _values, 4: _values, 5: _echo, 6: _echo, 7: _exception_status, 8: _diagnostics,
    12: _counted, 15: _echo, 16: _echo, 17: _server_id, 20: _counted, 21: _counted, 22: _mask_write, 23: _values,
    24: _fifo_values, 43: _identification,
}  # fmt: skip

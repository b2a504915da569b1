"""BACnet/IP (ASHRAE 135, annex J): what is asked of a building's controllers, and who they say they are.

Of answers that say yes nothing is reported; refusals and what stations announce are.
"""

from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import UDP, Ends, Fields, Message, ProtocolKind, Read, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

_DATASET: Final = "network.bacnet"
_PORT: Final = 47_808
_ORIGINAL: Final = frozenset({0x0A, 0x0B})
_FORWARDED: Final = 0x04
_LINK: Final = {
    0x00: "result", 0x01: "write_broadcast_distribution_table", 0x02: "read_broadcast_distribution_table",
    0x03: "read_broadcast_distribution_table_ack", 0x04: "forwarded_npdu", 0x05: "register_foreign_device",
    0x06: "read_foreign_device_table", 0x07: "read_foreign_device_table_ack", 0x08: "delete_foreign_device_table_entry",
    0x09: "distribute_broadcast_to_network", 0x0A: "original_unicast_npdu", 0x0B: "original_broadcast_npdu",
    0x0C: "secure_bvll",
}  # fmt: skip
_CONFIRMED: Final = {
    0: "acknowledge_alarm", 1: "confirmed_cov_notification", 2: "confirmed_event_notification", 3: "get_alarm_summary",
    4: "get_enrollment_summary", 5: "subscribe_cov", 6: "atomic_read_file", 7: "atomic_write_file",
    8: "add_list_element", 9: "remove_list_element", 10: "create_object", 11: "delete_object", 12: "read_property",
    14: "read_property_multiple", 15: "write_property", 16: "write_property_multiple",
    17: "device_communication_control", 18: "confirmed_private_transfer", 19: "confirmed_text_message",
    20: "reinitialize_device", 26: "read_range", 28: "subscribe_cov_property", 29: "get_event_information",
}  # fmt: skip
_UNCONFIRMED: Final = {
    0: "i_am", 1: "i_have", 2: "unconfirmed_cov_notification", 3: "unconfirmed_event_notification",
    4: "unconfirmed_private_transfer", 5: "unconfirmed_text_message", 6: "time_synchronization", 7: "who_has",
    8: "who_is", 9: "utc_time_synchronization",
}  # fmt: skip
_WRITES: Final = frozenset({7, 8, 9, 10, 11, 15, 16, 17, 20})
_REFUSALS: Final = {5: "error", 6: "reject", 7: "abort"}


def recognise(data: bytes, _side: int, _ends: Ends) -> Verdict:
    """A BVLC whose length is that of the datagram, and behind it version 1 of the network layer."""
    if len(data) < 4 or data[1] not in _LINK or int.from_bytes(data[2:4], "big") != len(data):
        return Verdict.NO
    if data[1] in _ORIGINAL:
        return Verdict.YES if len(data) > 6 and data[4] == 1 else Verdict.NO
    return Verdict.YES


class BacnetDecoder:
    """Every datagram stands for itself."""

    __slots__ = ()

    def __init__(self, _ends: Ends) -> None:
        pass

    def feed(self, side: int, data: bytes, _time: int) -> Read:
        """Take a datagram. Raises Malformed."""
        if len(data) < 4 or data[0] != 0x81 or int.from_bytes(data[2:4], "big") != len(data):
            raise Malformed("no BACnet/IP header")
        fields = _datagram(data)
        return Read((Message(_DATASET, fields, side),) if fields else (), len(data))

    def finish(self) -> Sequence[Message]:
        """Nothing is left."""
        return ()


def _datagram(data: bytes) -> Fields:
    kind = data[1]
    if kind not in _ORIGINAL and kind != _FORWARDED:
        return {"bacnet.function": _LINK.get(kind, "unknown")}
    at = _behind_network(data, 10 if kind == _FORWARDED else 4)
    if at < 0:
        return {"bacnet.function": "network_message"}
    if at + 2 > len(data):
        raise Malformed("an application message that is cut")
    return _application(data, at)


def _behind_network(data: bytes, at: int) -> int:
    """Pass over the NPDU (6.2); -1 when it is a message of the network layer itself. Raises Malformed."""
    if at + 2 > len(data) or data[at] != 1:
        raise Malformed("no network layer")
    control = data[at + 1]
    at += 2
    for is_there in (control & 0x20, control & 0x08):
        if is_there:
            if at + 3 > len(data):
                raise Malformed("an address that is cut")
            at += 3 + data[at + 2]
    if control & 0x20:
        at += 1  # hops
    return -1 if control & 0x80 else at


def _application(data: bytes, at: int) -> Fields:
    kind = data[at] >> 4
    if kind == 0:  # confirmed request
        behind = at + (6 if data[at] & 0x08 else 4)
        if behind > len(data):
            raise Malformed("a request that is cut")
        code = data[behind - 1]
        fields: Fields = {
            "bacnet.function": "confirmed_request",
            "bacnet.service": _CONFIRMED.get(code, "unknown"),
            "bacnet.service_code": code,
            "bacnet.is_write": code in _WRITES,
        }
        return fields | _object(data, behind)
    if kind == 1:
        code = data[at + 1]
        fields = {"bacnet.function": "unconfirmed_request", "bacnet.service": _UNCONFIRMED.get(code, "unknown")}
        return {**fields, "bacnet.service_code": code, "bacnet.is_write": False, **_announcement(data, at + 2, code)}
    if kind in _REFUSALS:
        return {"bacnet.function": _REFUSALS[kind], "event.outcome": "failure"}
    return {}


def _object(data: bytes, at: int) -> Fields:
    """The object that a request is about: context tag 0 with four bytes; then the property, tag 1."""
    if data[at : at + 1] != b"\x0c" or at + 5 > len(data):
        return {}
    number = int.from_bytes(data[at + 1 : at + 5], "big")
    fields: Fields = {"bacnet.object_type": number >> 22, "bacnet.object_instance": number & 0x3FFFFF}
    at += 5
    if at + 1 < len(data) and data[at] & 0xF8 == 0x18 and 1 <= data[at] & 7 <= 4:
        fields["bacnet.property"] = int.from_bytes(data[at + 1 : at + 1 + (data[at] & 7)], "big")
    return fields


def _announcement(data: bytes, at: int, code: int) -> Fields:
    """I-Am (16.10.2): the device's number and who made it."""
    if code or data[at : at + 1] != b"\xc4" or at + 5 > len(data):
        return {}
    fields: Fields = {"bacnet.device_instance": int.from_bytes(data[at + 1 : at + 5], "big") & 0x3FFFFF}
    at += 5
    for _ in range(2):  # the longest message, segmentation
        if at >= len(data):
            return fields
        at += 1 + (data[at] & 7)
    if at < len(data) and data[at] in {0x21, 0x22}:
        fields["bacnet.vendor_id"] = int.from_bytes(data[at + 1 : at + 1 + (data[at] & 7)], "big")
    return fields


PROTOCOL: Final = ProtocolKind(
    name="bacnet",
    transport=UDP,
    recognise=recognise,
    decoder=BacnetDecoder,
    ports=frozenset({_PORT}),
    first_bytes=frozenset({0x81}),
)

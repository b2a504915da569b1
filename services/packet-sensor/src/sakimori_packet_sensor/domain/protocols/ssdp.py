"""SSDP (UPnP Device Architecture 2.0, 1): devices that look for others, announce themselves and answer."""

import re
from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import UDP, Ends, Fields, Message, ProtocolKind, Read, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of
from sakimori_packet_sensor.domain.protocols.text_heads import read_head

DATASET: Final = "network.ssdp"
_PORT: Final = 1900
_MAX_TEXT: Final = 1024
_MAX_AGE: Final = re.compile(r"max-age\s*=\s*(\d{1,9})", re.IGNORECASE)
_UUID: Final = re.compile(r"uuid:([0-9A-Za-z_.-]{1,64})", re.IGNORECASE)
_STARTS: Final = {b"M-SEARCH * HTTP/1.": "M-SEARCH", b"NOTIFY * HTTP/1.": "NOTIFY", b"HTTP/1.": "response"}
_TEXTS: Final = {
    "usn": "ssdp.usn", "server": "ssdp.server", "location": "ssdp.location", "nts": "ssdp.notification",
    "man": "ssdp.man", "user-agent": "user_agent.original", "cpfn.upnp.org": "ssdp.friendly_name",
    "friendlyname.upnp.org": "ssdp.friendly_name", "x-modelname": "ssdp.model_name",
}  # fmt: skip
_NUMBERS: Final = {
    "mx": "ssdp.maximum_wait_seconds",
    "bootid.upnp.org": "ssdp.boot_id",
    "configid.upnp.org": "ssdp.config_id",
}


class Ssdp:
    """Decodes a conversation: every datagram is a message."""

    def __init__(self, ends: Ends) -> None:
        pass

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take a datagram. Raises Malformed."""
        return Read((Message(DATASET, decode_ssdp(data), side),), len(data))

    def finish(self) -> Sequence[Message]:
        """Say nothing: no message waits for another."""
        return ()


def decode_ssdp(message: bytes) -> Fields:
    """Decode a message into `ssdp.*`. Raises Malformed."""
    method = _method(message)
    if not method:
        raise Malformed("no SSDP message")
    first, head, _ = read_head(message)
    fields: Fields = {"ssdp.method": method}
    if method == "response":
        code = first.split(b" ", 2)[1:2]
        if not code or not code[0].isdigit() or len(code[0]) != 3:
            raise Malformed("a response without status")
        fields["http.response.status_code"] = int(code[0])
    if target := head.get("st" if method != "NOTIFY" else "nt"):
        fields["ssdp.target"] = text_of(target, _MAX_TEXT)
    for name, value in head.items():
        if name in _TEXTS and value:
            fields[_TEXTS[name]] = text_of(value, _MAX_TEXT)
        elif name in _NUMBERS and value.isdigit() and len(value) < 12:
            fields[_NUMBERS[name]] = int(value)
    if found := _MAX_AGE.search(text_of(head.get("cache-control", b""), _MAX_TEXT)):
        fields["ssdp.max_age_seconds"] = int(found[1])
    if found := _UUID.match(str(fields.get("ssdp.usn", ""))):
        fields["ssdp.uuid"] = found[1].lower()
    return fields


def _method(data: bytes) -> str:
    return next((name for start, name in _STARTS.items() if data.startswith(start)), "")


def _recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Take what goes to everybody over HTTP; an answer is HTTP's, so it must be SSDP's port or name a target."""
    method = _method(data)
    if not method:
        return Verdict.NO
    if method != "response" or _PORT in (ends.source_port, ends.destination_port):
        return Verdict.YES
    return Verdict.YES if b"usn:" in data[:2048].lower() else Verdict.NO


PROTOCOL: Final = ProtocolKind("ssdp", UDP, _recognise, Ssdp, frozenset({_PORT}), first_bytes=frozenset(b"MNH"))

"""The client's hello of Google's QUIC, up to Q050 (QUIC Crypto, 2013): tags and values, neither TLS nor encrypted."""

from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import Fields
from sakimori_packet_sensor.domain.protocols.text import text_of

_TAG: Final = Struct("<4sI")
_FIELDS: Final = {b"SNI\x00": "tls.client.server_name", b"UAID": "user_agent.original"}
_MAX_TAGS: Final = 128
_SEARCHED: Final = 128
"""Bytes among which the hello begins, behind header, hash and the header of its frame."""


def google_hello(data: bytes) -> Fields:
    """Read server name and user agent of the hello that begins in a packet; empty when none does."""
    at = data.find(b"CHLO", 0, _SEARCHED)
    if at < 0 or at + 8 > len(data):
        return {}
    fields: Fields = {"quic.is_google": True}
    count = int.from_bytes(data[at + 4 : at + 6], "little")
    index, start = at + 8, 0
    values = index + _TAG.size * count
    for _ in range(min(count, _MAX_TAGS)):
        if index + _TAG.size > len(data):
            break
        tag, end = _TAG.unpack_from(data, index)
        index += _TAG.size
        name = _FIELDS.get(tag)
        if name and start < end <= len(data) - values:
            fields[name] = text_of(data[values + start : values + end])
        start = end
    return fields

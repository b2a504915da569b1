"""NTLMSSP messages (MS-NLMP, 2.2.1) wherever they are carried: who logs in, from which host, to which.

Responses and challenges, from which a password can be guessed, are never read.
"""

from collections.abc import Callable
from struct import Struct, error
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import Fields
from sakimori_packet_sensor.domain.protocols.text import text_of

_SIGNATURE: Final = b"NTLMSSP\x00"
_WORD: Final = Struct("<I")
_FIELD: Final = Struct("<HHI")
"""Length, room, offset from the signature."""
_PAIR: Final = Struct("<HH")
_MAX_PAIRS: Final = 32
_UNICODE: Final = 1
_CHALLENGE, _AUTHENTICATE = 2, 3
_TARGETS: Final = {
    1: "ntlmssp.server.computer",
    2: "ntlmssp.server.domain",
    3: "ntlmssp.server.dns_computer",
    4: "ntlmssp.server.dns_domain",
    5: "ntlmssp.server.dns_tree",
}
_SPOKEN: Final = (("ntlmssp.domain", 28), ("ntlmssp.user", 36), ("ntlmssp.host", 44))


def wide_text(data: bytes) -> str:
    """Read little-endian UTF-16 as printable text of at most 4,096 characters; it ends at a zero character."""
    return text_of(data[:8192].decode("utf-16-le", "replace").partition("\x00")[0].encode("utf-8", "replace"))


def ntlm_fields(data: bytes) -> Fields:
    """Describe the first message in a security blob; empty when there is none, or it is cut."""
    at = data.find(_SIGNATURE)
    if at < 0:
        return {}
    message = data[at:]
    try:
        (kind,) = _WORD.unpack_from(message, 8)
        reader = _READERS.get(kind)
        return reader(message) if reader else {}
    except error:
        return {}


def _authenticate(message: bytes) -> Fields:
    is_wide = bool(_WORD.unpack_from(message, 60)[0] & _UNICODE)
    fields: Fields = {}
    for name, at in _SPOKEN:
        raw = _field(message, at)
        if value := wide_text(raw) if is_wide else text_of(raw):
            fields[name] = value
    if not fields.get("ntlmssp.user"):
        fields["ntlmssp.is_anonymous"] = True
    return fields


def _challenge(message: bytes) -> Fields:
    fields: Fields = {}
    pairs, at = _field(message, 40), 0
    for _ in range(_MAX_PAIRS):
        if at + _PAIR.size > len(pairs):
            break
        kind, size = _PAIR.unpack_from(pairs, at)
        at += _PAIR.size
        name = _TARGETS.get(kind)
        if name and size:
            fields[name] = wide_text(pairs[at : at + size])
        at += size
    if len(message) >= 56 and int.from_bytes(message[40:42], "little") and message[48]:
        build = int.from_bytes(message[50:52], "little")
        fields["ntlmssp.server.version"] = f"{message[48]}.{message[49]} build {build}"
    return fields


def _field(message: bytes, at: int) -> bytes:
    size, _, offset = _FIELD.unpack_from(message, at)
    return message[offset : offset + size]


_READERS: Final[dict[int, Callable[[bytes], Fields]]] = {_CHALLENGE: _challenge, _AUTHENTICATE: _authenticate}

"""SDP (RFC 8866): what a call, or a camera's stream, will carry and between whom. Keys are never kept."""

from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import Fields
from sakimori_packet_sensor.domain.protocols.text import text_of

_MAX_LINES: Final = 512
_MAX_LIST: Final = 64
_MAX_TEXT: Final = 1024
_SESSION: Final = {
    b"o": "origin", b"s": "session_name", b"i": "session_info", b"u": "uri", b"e": "email", b"p": "phone_number",
    b"c": "connection_data", b"z": "timezone", b"t": "time", b"r": "repeat_time",
}  # fmt: skip
"""Lines before the first of a medium, of which the first of a kind is kept."""
_LISTS: Final = {b"b": "bandwidths", b"a": "attributes"}


def sdp_fields(body: bytes, prefix: str) -> Fields:
    """Write a description as `<prefix>.origin` and so on; `media` and `media_attributes` list what each medium has."""
    fields: Fields = {}
    media: list[str] = []
    lists: dict[str, list[str]] = {}
    for line in body.split(b"\n", _MAX_LINES)[:_MAX_LINES]:
        kind, equals, value = line.strip().partition(b"=")
        if not equals:
            continue
        text = text_of(value, _MAX_TEXT)
        if kind == b"m":
            media.append(text)
        elif kind == b"k":
            fields[f"{prefix}.has_encryption_key"] = True
        elif kind in _LISTS:
            lists.setdefault(("media_" if media else "") + _LISTS[kind], []).append(_without_key(text))
        elif kind in _SESSION and not media:
            fields.setdefault(f"{prefix}.{_SESSION[kind]}", text)
    if media:
        lists["media"] = media
    for name, values in lists.items():
        fields[f"{prefix}.{name}"] = [*values[:_MAX_LIST]]
    return fields


def _without_key(attribute: str) -> str:
    """Cut the key off a crypto attribute (RFC 4568, 9.1) and the password off ICE's (RFC 8839, 5.4)."""
    name, _, value = attribute.partition(":")
    if name == "crypto":
        return f"{name}:{value.partition(' inline:')[0]}"
    return name if name in {"ice-pwd", "key-mgmt"} else attribute

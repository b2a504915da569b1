"""The two hellos of TLS (RFC 8446, 4.1; RFC 5246, 7.4.1), also as DTLS and QUIC carry them."""

from dataclasses import dataclass
from struct import Struct, error, unpack_from
from typing import Final

from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

_WORDS: Final = Struct("!HH")
_MAX_EXTENSIONS: Final = 256
_MAX_NAME: Final = 255
MAX_ITEMS: Final = 64

_SERVER_NAME, _GROUPS, _FORMATS, _SIGNATURES, _ALPN = 0, 10, 11, 13, 16
_PRE_SHARED_KEY, _VERSIONS, _KEY_SHARE, _ECH = 41, 43, 51, 0xFE0D

RETRY_RANDOM: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""Random of a ServerHello that is a HelloRetryRequest (RFC 8446, 4.1.3)."""


@dataclass(slots=True)
class ClientHello:
    """What a client offers, in its order, numbers as on the wire and GREASE (RFC 8701) among them."""

    version: int
    session: bytes
    ciphers: tuple[int, ...]
    extensions: tuple[int, ...] = ()
    server_name: str | None = None
    groups: tuple[int, ...] = ()
    formats: bytes = b""
    signatures: tuple[int, ...] = ()
    alpn: tuple[bytes, ...] = ()
    versions: tuple[int, ...] = ()
    has_ech: bool = False
    quic_parameters: bytes = b""


@dataclass(slots=True)
class ServerHello:
    """What a server chose. `selected` is the version of the extension, 0 where there is none; `group` likewise."""

    version: int
    random: bytes
    session: bytes
    cipher: int
    extensions: tuple[int, ...] = ()
    selected: int = 0
    group: int = 0
    alpn: bytes = b""
    has_pre_shared_key: bool = False


def is_grease(number: int) -> bool:
    """Say whether a number stands for nothing, there to keep servers tolerant (RFC 8701)."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


def parse_client_hello(body: bytes, *, has_cookie: bool = False) -> ClientHello:
    """Parse a message without its header; with a cookie as DTLS has it. Raises Malformed."""
    try:
        return _client_hello(body, has_cookie)
    except (error, IndexError) as problem:
        raise Malformed("a ClientHello is cut") from problem


def parse_server_hello(body: bytes) -> ServerHello:
    """Parse a message without its header. Raises Malformed."""
    try:
        return _server_hello(body)
    except (error, IndexError) as problem:
        raise Malformed("a ServerHello is cut") from problem


def _client_hello(body: bytes, has_cookie: bool) -> ClientHello:
    at = 35 + body[34]
    session = body[35:at]
    if has_cookie:
        at += 1 + body[at]
    (size,) = unpack_from("!H", body, at)
    at += 2
    hello = ClientHello(body[0] << 8 | body[1], session, unpack_from(f"!{size // 2}H", body, at))
    at += size
    at += 1 + body[at]
    if at > len(body):
        raise Malformed("a ClientHello is cut")
    hello.extensions = tuple(_extensions(body, at, hello))
    return hello


def _extensions(body: bytes, at: int, hello: ClientHello) -> list[int]:
    """Read the extensions from their length on into the hello; returns their types."""
    found: list[int] = []
    for kind, start, end in _walk(body, at):
        found.append(kind)
        reader = _READERS.get(kind)
        if reader is not None:
            reader(body[start:end], hello)
    return found


def _walk(body: bytes, at: int) -> list[tuple[int, int, int]]:
    """List the extensions: type, where its data begins and where it ends."""
    found: list[tuple[int, int, int]] = []
    if at == len(body):
        return found
    (size,) = unpack_from("!H", body, at)
    at += 2
    last = at + size
    if last > len(body):
        raise Malformed("extensions are cut")
    while at + 4 <= last:
        kind, size = _WORDS.unpack_from(body, at)
        at += 4
        if at + size > last:
            raise Malformed("an extension is longer than all of them")
        if len(found) >= _MAX_EXTENSIONS:
            raise Malformed(f"more than {_MAX_EXTENSIONS} extensions")
        found.append((kind, at, at + size))
        at += size
    return found


def _numbers(data: bytes) -> tuple[int, ...]:
    (size,) = unpack_from("!H", data)
    return unpack_from(f"!{size // 2}H", data, 2)


def _read_server_name(data: bytes, hello: ClientHello) -> None:
    hello.server_name = ""
    if len(data) > 5 and data[2] == 0:
        (size,) = unpack_from("!H", data, 3)
        hello.server_name = text_of(data[5 : 5 + size], _MAX_NAME)


def _read_groups(data: bytes, hello: ClientHello) -> None:
    hello.groups = _numbers(data)


def _read_formats(data: bytes, hello: ClientHello) -> None:
    hello.formats = data[1 : 1 + data[0]]


def _read_signatures(data: bytes, hello: ClientHello) -> None:
    hello.signatures = _numbers(data)


def _read_alpn(data: bytes, hello: ClientHello) -> None:
    hello.alpn = _names(data)


def _read_versions(data: bytes, hello: ClientHello) -> None:
    hello.versions = unpack_from(f"!{data[0] // 2}H", data, 1)


def _read_ech(data: bytes, hello: ClientHello) -> None:
    hello.has_ech = True


def _read_quic(data: bytes, hello: ClientHello) -> None:
    hello.quic_parameters = data


_READERS: Final = {
    _SERVER_NAME: _read_server_name,
    _GROUPS: _read_groups,
    _FORMATS: _read_formats,
    _SIGNATURES: _read_signatures,
    _ALPN: _read_alpn,
    _VERSIONS: _read_versions,
    _ECH: _read_ech,
    0x39: _read_quic,
    0xFFA5: _read_quic,  # of the drafts
}


def _names(data: bytes) -> tuple[bytes, ...]:
    """Read the names of ALPN (RFC 7301, 3.1)."""
    found: list[bytes] = []
    at = 2
    while at < len(data) and len(found) < MAX_ITEMS:
        found.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return tuple(found)


def _server_hello(body: bytes) -> ServerHello:
    at = 35 + body[34]
    (cipher,) = unpack_from("!H", body, at)
    hello = ServerHello(body[0] << 8 | body[1], body[2:34], body[35:at], cipher)
    at += 3
    if at > len(body):
        raise Malformed("a ServerHello is cut")
    extensions = _walk(body, at)
    hello.extensions = tuple(kind for kind, _, _ in extensions)
    for kind, start, end in extensions:
        if kind == _VERSIONS and end - start == 2:
            hello.selected = body[start] << 8 | body[start + 1]
        elif kind == _KEY_SHARE and end - start >= 2:
            hello.group = body[start] << 8 | body[start + 1]
        elif kind == _ALPN:
            hello.alpn = next(iter(_names(body[start:end])), b"")
        elif kind == _PRE_SHARED_KEY:
            hello.has_pre_shared_key = True
    return hello

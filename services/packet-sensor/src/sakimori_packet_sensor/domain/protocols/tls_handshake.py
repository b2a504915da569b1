"""What a TLS handshake says, message by message, whatever carries them (RFC 8446, RFC 5246, RFC 6347, RFC 9001)."""

from functools import lru_cache
from struct import Struct, error
from typing import Final

from sakimori_packet_sensor.domain.protocols.certificates import certificate_fields
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, Fields
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of
from sakimori_packet_sensor.domain.protocols.tls_hello import (
    MAX_ITEMS,
    RETRY_RANDOM,
    ClientHello,
    ServerHello,
    is_grease,
    parse_client_hello,
    parse_server_hello,
)
from sakimori_packet_sensor.domain.protocols.tls_names import ALERTS, VERSIONS, cipher_name, group_name, version_name
from sakimori_packet_sensor.domain.protocols.tls_prints import ja3, ja3_digest, ja3s, ja4

CLIENT_HELLO: Final = 1
SERVER_HELLO: Final = 2
CERTIFICATE: Final = 11
SERVER_KEY_EXCHANGE: Final = 12
CERTIFICATE_REQUEST: Final = 13

WANTED: Final = frozenset({CLIENT_HELLO, SERVER_HELLO, CERTIFICATE, SERVER_KEY_EXCHANGE, CERTIFICATE_REQUEST})
"""Messages that are looked at."""
MAX_MESSAGE: Final = 65_536
"""Bytes of one message that is looked at. The largest in use are chains of certificates, some 20,000 bytes with
post-quantum keys; longer ones are skipped."""
_MAX_CHAIN: Final = 64
_TLS13: Final = 0x0304

_ALERT = Struct("!BB")
_Numbers = tuple[int, ...]
_Offered = tuple[_Numbers, _Numbers, _Numbers, bytes, _Numbers, tuple[bytes, ...], _Numbers]
"""Ciphers, extensions, groups, point formats, signature algorithms, protocols, versions, as the client lists them."""


class Handshake:
    """One handshake as seen from outside: what both sides said so far, and with it its fields."""

    def __init__(self, transport: str) -> None:
        """Begin; `transport` as JA4 has it: t, q or d."""
        self._transport = transport
        self._client: ClientHello | None = None
        self._server: ServerHello | None = None
        self._fields: Fields = {}
        self._has_certificate = False
        self.client_side = CLIENT
        self.time = 0
        self.is_established = False

    @property
    def has_begun(self) -> bool:
        """Say that there is something to tell."""
        return self._client is not None or self._server is not None

    @property
    def client(self) -> ClientHello | None:
        """Give the ClientHello, once it was seen."""
        return self._client

    @property
    def has_server(self) -> bool:
        """Say that the server has chosen (a request to try again is no choice)."""
        return self._server is not None

    @property
    def version(self) -> int:
        """Give the version in force: the server's choice, 0 before that."""
        return (self._server.selected or self._server.version) if self._server else 0

    def take(self, kind: int, body: bytes, side: int, time: int) -> None:
        """Take a message without its header. Raises Malformed."""
        try:
            if kind == CLIENT_HELLO:
                self._take_client_hello(parse_client_hello(body, has_cookie=self._transport == "d"), side, time)
            elif kind == SERVER_HELLO:
                self._take_server_hello(parse_server_hello(body), side, time)
            elif kind == CERTIFICATE:
                self._take_certificates(body, side)
            elif kind == SERVER_KEY_EXCHANGE and body[:1] == b"\x03" and self._has_named_group():
                self._fields["tls.curve"] = group_name(body[1] << 8 | body[2])
            elif kind == CERTIFICATE_REQUEST:
                self._fields["tls.client.is_certificate_requested"] = True
        except (error, IndexError) as problem:
            raise Malformed(f"handshake message {kind} is cut") from problem

    def take_old_hello(self, version: int, ciphers: tuple[int, ...], side: int, time: int) -> None:
        """Take a ClientHello in the format of SSL 2.0, which has no extensions (RFC 5246, E.2)."""
        self._take_client_hello(ClientHello(version, b"", ciphers), side, time)

    def take_alert(self, data: bytes, side: int) -> bool:
        """Take an alert that is not encrypted; returns whether it ends the handshake. Raises Malformed."""
        if len(data) != _ALERT.size or data[0] not in {1, 2}:
            raise Malformed("no alert")
        level, description = _ALERT.unpack(data)
        if "tls.alert.description" not in self._fields:
            self._fields["tls.alert.level"] = "fatal" if level == 2 else "warning"
            self._fields["tls.alert.description"] = ALERTS.get(description, str(description))
            self._fields["tls.alert.sender"] = "client" if side == self.client_side else "server"
        return bool(level == 2 or description == 0)

    def fields(self) -> Fields:
        """Give all that is known."""
        fields: Fields = {}
        if self._server:
            unknown = "dtls" if self._transport == "d" else "tls", f"0x{self.version:04X}"
            fields["tls.version_protocol"], fields["tls.version"] = VERSIONS.get(self.version, unknown)
            fields |= _server_fields(self._server)
            fields["tls.resumed"] = self._is_resumed()
        fields["tls.established"] = self.is_established
        if self._client:
            fields |= client_fields(self._client, self._transport)
        return fields | self._fields

    def _take_client_hello(self, hello: ClientHello, side: int, time: int) -> None:
        if self._client is None:
            self._client, self.client_side, self.time = hello, side, time

    def _take_server_hello(self, hello: ServerHello, side: int, time: int) -> None:
        if hello.random == RETRY_RANDOM:
            self._fields["tls.is_retried"] = True
            return
        if self._server is None:
            self._server = hello
            if self._client is None:
                self.client_side, self.time = 1 - side, time

    def _take_certificates(self, body: bytes, side: int) -> None:
        """Read the first certificate of a chain, which is the sender's own, and count the others."""
        whose = "client" if self.has_begun and side == self.client_side else "server"
        if (body[0] << 16 | body[1] << 8 | body[2]) + 3 > len(body):
            raise Malformed("a chain of certificates is cut")
        count, at = 0, 3
        while at + 3 <= len(body) and count < _MAX_CHAIN:
            size = body[at] << 16 | body[at + 1] << 8 | body[at + 2]
            if not count:
                found = certificate_fields(body[at + 3 : at + 3 + size])
                self._fields |= {f"tls.{whose}.{name}": value for name, value in found.items()}
            count += 1
            at += 3 + size
        if count:
            self._fields[f"tls.{whose}.certificates"] = count
        self._has_certificate |= whose == "server"

    def _has_named_group(self) -> bool:
        return self._server is not None and "_ECDH" in cipher_name(self._server.cipher)

    def _is_resumed(self) -> bool:
        server, client = self._server, self._client
        if server is None:
            return False
        if self.version == _TLS13:
            return server.has_pre_shared_key
        return not self._has_certificate and (
            self.is_established or (client is not None and len(server.session) > 0 and server.session == client.session)
        )


def client_fields(hello: ClientHello, transport: str) -> Fields:
    """Describe a client by its hello."""
    offered = hello.ciphers, hello.extensions, hello.groups, hello.formats, hello.signatures, hello.alpn, hello.versions
    fields = _offer_fields(transport, hello.version, offered).copy()
    if hello.server_name:
        fields["tls.client.server_name"] = hello.server_name.lower()
    if hello.has_ech:
        fields["tls.client.has_ech"] = True
    return fields


@lru_cache(maxsize=2048)
def _offer_fields(transport: str, version: int, offered: _Offered) -> Fields:
    """Describe what a client offers. Not to be changed: it is remembered, since a client says the same each time."""
    ciphers, extensions, groups, formats, signatures, alpn, versions = offered
    name = "" if 0 in extensions else None
    hello = ClientHello(version, b"", ciphers, extensions, name, groups, formats, signatures, alpn, versions)
    text = ja3(hello)
    fields: Fields = {
        "tls.client.supported_ciphers": [cipher_name(number) for number in _real(ciphers)],
        "tls.client.supported_versions": [version_name(number) for number in _real(versions or (version,))],
        "tls.client.ja3": ja3_digest(text),
        "tls.client.ja3_string": text[:4096],
        "tls.client.ja4": ja4(hello, transport),
    }
    if names := [text_of(each) for each in alpn if not (len(each) == 2 and is_grease(each[0] << 8 | each[1]))]:
        fields["tls.client.alpn"] = [*names]
    if groups:
        fields["tls.client.supported_groups"] = [group_name(number) for number in _real(groups)]
    return fields


def _server_fields(hello: ServerHello) -> Fields:
    fields: Fields = {"tls.cipher": cipher_name(hello.cipher), "tls.server.ja3s": ja3_digest(ja3s(hello))}
    if hello.alpn:
        fields["tls.next_protocol"] = text_of(hello.alpn)
    if hello.group:
        fields["tls.curve"] = group_name(hello.group)
    return fields


def _real(numbers: tuple[int, ...]) -> list[int]:
    """Leave out GREASE, and what is beyond the longest list that an event has."""
    return [number for number in numbers[: 4 * MAX_ITEMS] if not is_grease(number)][:MAX_ITEMS]

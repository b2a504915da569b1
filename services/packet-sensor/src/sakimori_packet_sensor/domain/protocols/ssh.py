"""SSH 1.x and 2.0: identification (RFC 4253, 4.2) and the first packet of each side, its key exchange lists (7.1).

One `network.ssh` event a connection, when both sides' lists are known. hassh and hasshServer are those of
salesforce/hassh (BSD-3).
"""

from collections.abc import Sequence
from hashlib import md5
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
    DONE,
    SERVER,
    TCP,
    Ends,
    Fields,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.framing import malformed
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

_DATASET: Final = "network.ssh"
_MAX_BANNER: Final = 255
_MAX_BEFORE: Final = 4096
"""Bytes of lines that a server may send before its banner."""
_MAX_PACKET: Final = 35_000
"""Of a packet (RFC 4253, 6.1)."""
_MAX_LIST: Final = 4096
_KEXINIT: Final = 20
_BANNER, _PACKET, _REST = range(3)
_CHOICES: Final = (
    ("ssh.kex_algorithm", 0),
    ("ssh.host_key_algorithm", 1),
    ("ssh.cipher", 2),
    ("ssh.mac", 4),
    ("ssh.compression", 6),
)
"""Field, and which of the ten lists decides; where there is one for each direction, that from the client."""
_SAID_BY_CLIENTS: Final = (b"ext-info-c", b"kex-strict-c-v00@openssh.com")
_SAID_BY_SERVERS: Final = (b"ext-info-s", b"kex-strict-s-v00@openssh.com")
"""Names in the list of key exchanges that are none (RFC 8308, 2.1; OpenSSH's PROTOCOL, 1.9)."""


class _Side:
    """What one side said."""

    __slots__ = ("lists", "software", "state", "version")

    def __init__(self) -> None:
        self.state = _BANNER
        self.version = ""
        self.software = ""
        self.lists: tuple[bytes, ...] = ()


class SshDecoder:
    """Follows a connection until its key exchange."""

    def __init__(self, ends: Ends) -> None:
        self._sides = (_Side(), _Side())
        self._time = 0
        self._is_over = False

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take lines, then one packet. Raises Malformed when no banner came before."""
        self._time = self._time or time
        state = self._sides[side]
        try:
            at = self._step(state, data)
        except Malformed as problem:
            if not any(each.version for each in self._sides):
                raise
            return Read([self._message(malformed(problem))], DONE)
        if all(each.state == _REST for each in self._sides):
            return Read([self._message({})], DONE)
        return Read((), at)

    def finish(self) -> Sequence[Message]:
        """Report what was said until then."""
        if self._is_over or not any(each.version for each in self._sides):
            return ()
        return [self._message({})]

    def _step(self, state: _Side, data: bytes) -> int:
        at = _banner(state, data) if state.state == _BANNER else 0
        if state.state == _PACKET and len(data) - at >= 6:
            size = int.from_bytes(data[at : at + 4], "big")
            if not 12 <= size <= _MAX_PACKET:
                raise Malformed(f"a packet of {size} bytes")
            if len(data) - at - 4 < size:
                return at
            state.state = _REST
            if data[at + 5] == _KEXINIT:
                state.lists = _lists(data[at + 5 : at + 4 + size - data[at + 4]])
        return len(data) if state.state == _REST else at

    def _message(self, more: Fields) -> Message:
        self._is_over = True
        client, server = self._sides
        is_turned = _says(client, _SAID_BY_SERVERS) or _says(server, _SAID_BY_CLIENTS)
        if is_turned:
            client, server = server, client
        fields = _side_fields("client", client, _HASSH) | _side_fields("server", server, _HASSH_SERVER)
        if client.lists and server.lists:
            fields |= _chosen(client.lists, server.lists)
        return Message(_DATASET, fields | more, SERVER if is_turned else 0, self._time, is_turned)


def _says(side: _Side, names: tuple[bytes, ...]) -> bool:
    return bool(side.lists) and any(name in side.lists[0] for name in names)


def _banner(state: _Side, data: bytes) -> int:
    """Find the identification among a side's lines; returns where what follows begins."""
    at = 0
    while (end := data.find(b"\n", at, at + _MAX_BEFORE)) >= 0:
        line = data[at:end].rstrip(b"\r")
        at = end + 1
        if line.startswith(b"SSH-"):
            if len(line) > _MAX_BANNER:
                raise Malformed("a banner of more than 255 bytes")
            version, _, software = line[4:].partition(b"-")
            state.version, state.software = text_of(version, 16), text_of(software)
            state.state = _PACKET if version in {b"2.0", b"1.99"} else _REST
            return at
        if at > _MAX_BEFORE:
            break
    if len(data) > _MAX_BEFORE:
        raise Malformed("no banner")
    return 0


def _lists(payload: bytes) -> tuple[bytes, ...]:
    """Read the ten name lists of a key exchange's first message, behind its type and cookie."""
    found, at = [], 17
    for _ in range(10):
        size = int.from_bytes(payload[at : at + 4], "big")
        if at + 4 + size > len(payload):
            raise Malformed("a list of algorithms is cut")
        found.append(payload[at + 4 : at + 4 + size])
        at += 4 + size
    return tuple(found)


_HASSH: Final = (0, 2, 4, 6)
_HASSH_SERVER: Final = (0, 3, 5, 7)


def _side_fields(whose: str, side: _Side, printed: tuple[int, ...]) -> Fields:
    fields: Fields = {}
    if side.version:
        fields[f"ssh.{whose}.proto_version"] = side.version
        fields[f"ssh.{whose}.software_version"] = side.software
    if side.lists:
        print_of = b";".join(side.lists[index] for index in printed)
        fields[f"ssh.{whose}.hassh"] = md5(print_of, usedforsecurity=False).hexdigest()
        fields[f"ssh.{whose}.hassh_string"] = text_of(print_of, _MAX_LIST)
        fields[f"ssh.{whose}.host_key_algorithms"] = text_of(side.lists[1], _MAX_LIST)
    return fields


def _chosen(client: tuple[bytes, ...], server: tuple[bytes, ...]) -> Fields:
    """Name what both agree on: of each list the client's first that the server has (RFC 4253, 7.1)."""
    fields: Fields = {}
    for name, index in _CHOICES:
        offered = frozenset(server[index].split(b","))
        fields[name] = next((text_of(each, 255) for each in client[index].split(b",") if each in offered), None)
    return fields


def recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Tell a banner; lines before it only on the port that SSH is expected on."""
    if data.startswith(b"SSH-"):
        return Verdict.YES if data[4:5] in {b"1", b"2"} else Verdict.NO if data[4:5] else Verdict.MORE
    return Verdict.MORE if b"SSH-".startswith(data) else Verdict.NO


PROTOCOL = ProtocolKind(
    name="ssh",
    transport=TCP,
    recognise=recognise,
    decoder=SshDecoder,
    ports=frozenset({22, 2222}),
    first_bytes=frozenset(b"S"),
    is_encrypted=True,
    buffer_bytes=_MAX_PACKET + _MAX_BEFORE + 4,
)

"""QUIC (RFC 9000, RFC 9369, drafts 23 to 34): what both sides' Initial packets say, as one `network.quic` event.

The handshake in them is TLS 1.3, in CRYPTO frames that may come in any order. Of Google's older QUIC the client's
hello is read, which is not TLS before version T050.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
    CLIENT,
    DONE,
    UDP,
    Ends,
    Fields,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.dns import is_certain
from sakimori_packet_sensor.domain.protocols.framing import malformed
from sakimori_packet_sensor.domain.protocols.gquic import google_hello
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.quic_frames import CryptoStream, quic_number, read_frames
from sakimori_packet_sensor.domain.protocols.quic_keys import VERSIONS, Keys, Version, initial_keys, unprotected
from sakimori_packet_sensor.domain.protocols.text import text_of
from sakimori_packet_sensor.domain.protocols.tls_handshake import Handshake

_DATASET: Final = "network.quic"
_MAX_DATAGRAMS: Final = 24
"""Datagrams after which the conversation is reported as far as it is known: the handshake takes two to six."""
_MAX_PACKETS: Final = 8
"""Packets of one datagram that are looked at; there are no more than four kinds of long headers."""
_LEAST_SHORT: Final = 21
"""Bytes of a packet with a short header that no stateless reset is (RFC 9000, 10.3)."""
_USER_AGENT: Final = 0x3129
"""Transport parameter in which Google's clients write what they are."""


class _Header:
    """A long header: connection ids, and where what follows them begins."""

    __slots__ = ("at", "destination", "first", "source")

    def __init__(self, data: bytes, at: int) -> None:
        self.first = data[at]
        size = data[at + 5]
        self.destination = data[at + 6 : at + 6 + size]
        at += 6 + size
        size = data[at]
        self.source = data[at + 1 : at + 1 + size]
        self.at = at + 1 + size
        if self.at > len(data):
            raise Malformed("a header is cut")


class QuicDecoder:
    """Reads the Initial packets of one connection."""

    def __init__(self, ends: Ends) -> None:
        self._handshake = Handshake("q")
        self._keys: dict[int, Keys] = {}
        self._streams = (CryptoStream(), CryptoStream())
        self._fields: Fields = {}
        self._datagrams = 0
        self._time = 0
        self._side = CLIENT

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take a datagram with its packets. Raises Malformed."""
        self._datagrams += 1
        self._time = self._time or time
        try:
            is_over = self._old(side, data) if _is_old(data) else self._packets(side, data, time)
        except IndexError as problem:
            raise Malformed("a header is cut") from problem
        except Malformed as problem:
            if not self._handshake.has_begun:
                raise
            return Read([self._message(malformed(problem))], DONE)
        if is_over or self._handshake.has_server or self._datagrams >= _MAX_DATAGRAMS:
            return Read(self.finish(), DONE)
        return Read((), len(data))

    def finish(self) -> Sequence[Message]:
        """Report what is known, be it only the version."""
        return [self._message({})] if self._fields or self._handshake.has_begun else []

    def _message(self, more: Fields) -> Message:
        fields = self._handshake.fields() if self._handshake.has_begun else {}
        fields.pop("tls.established", None)  # what decides it is encrypted
        client = self._handshake.client
        if client is not None and (agent := _parameter(client.quic_parameters, _USER_AGENT)):
            fields["user_agent.original"] = text_of(agent)
        is_turned = self._side != CLIENT
        found = Message(_DATASET, {**self._fields, **fields, **more}, self._side, self._time, is_turned)
        self._fields, self._handshake = {}, Handshake("q")
        return found

    def _packets(self, side: int, data: bytes, time: int) -> bool:
        """Take the packets of a datagram; returns whether nothing more is to be learnt."""
        at = 0
        for _ in range(_MAX_PACKETS):
            if at >= len(data) or not data[at] & 0x80:
                break
            number = int.from_bytes(data[at + 1 : at + 5], "big")
            version = VERSIONS.get(number)
            if version is None:
                return self._other_version(number, side, data)
            header = _Header(data, at)
            self._fields["quic.version"] = version.name
            kind = header.first >> 4 & 3
            if kind == version.retry:
                self._fields["quic.is_retried"] = True
                break
            start = header.at
            if kind == version.initial:
                size, start = quic_number(data, start)
                start += size
            size, start = quic_number(data, start)
            if kind == version.initial:
                frames = self._open(header, version, side, data[at : start + size], start - at)
                if frames is not None and self._initial(header, version, side, frames, time):
                    return True
            at = start + size
        return False

    def _initial(self, header: _Header, version: Version, side: int, frames: bytes, time: int) -> bool:
        """Read the frames of an Initial packet; returns whether the connection is over with it."""
        self._fields.setdefault("quic.client.scid" if side == self._side else "quic.server.scid", header.source.hex())
        if version.name == "Q050":
            return self._google(frames, side)
        stream = self._streams[side]
        closed = read_frames(frames, stream)
        for kind, body in stream.messages():
            self._handshake.take(kind, body, side, time)
        if closed is not None:
            self._fields["quic.close_code"] = closed
        return closed is not None

    def _open(self, header: _Header, version: Version, side: int, packet: bytes, number_at: int) -> bytes | None:
        """Remove a packet's protection; the client's first, and its first after a Retry, tells the keys."""
        keys = self._keys.get(side)
        frames = unprotected(packet, number_at, keys) if keys else None
        if frames is not None or (self._keys and side != self._side):
            return frames
        keys = initial_keys(version, header.destination, CLIENT)
        frames = unprotected(packet, number_at, keys)
        if frames is not None:
            self._side = side
            self._keys = {side: keys, 1 - side: initial_keys(version, header.destination, 1)}
            self._fields.setdefault("quic.client.initial_dcid", header.destination.hex())
        return frames

    def _google(self, data: bytes, side: int) -> bool:
        found = google_hello(data)
        if found:
            self._fields |= found
            self._side = side
        return bool(found)

    def _old(self, side: int, data: bytes) -> bool:
        """Take a packet of Google's versions up to Q043, whose header is another."""
        self._fields["quic.version"] = text_of(data[9:13])
        return self._google(data, side)

    def _other_version(self, number: int, side: int, data: bytes) -> bool:
        """Take a packet of Google's versions without protection, of none (negotiation), or of an unknown one."""
        if number:
            self._fields["quic.version"] = _version_name(number)
            return self._google(data, side)
        at = _Header(data, 0).at
        listed = [int.from_bytes(data[at : at + 4], "big") for at in range(at, min(len(data), at + 64), 4)]
        self._fields["quic.offered_versions"] = [_version_name(each) for each in listed]
        return False


def _version_name(number: int) -> str:
    if number in VERSIONS:
        return VERSIONS[number].name
    letters = number.to_bytes(4, "big")
    return letters.decode() if letters.isalnum() and letters.isascii() else f"0x{number:08x}"


def _parameter(data: bytes, wanted: int) -> bytes:
    """Find a transport parameter (RFC 9000, 18); b"" where it is not, or behind where they are cut."""
    at = 0
    with suppress(IndexError):
        while at < len(data):
            kind, at = quic_number(data, at)
            size, at = quic_number(data, at)
            if kind == wanted:
                return data[at : at + size]
            at += size
    return b""


def recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Tell a long header of a version that is known, or the beginning of Google's older ones.

    A short header says nothing: it counts on port 443 only, where a conversation is met in its middle, and where it is
    not DNS, which some resolvers speak there.
    """
    if not data[0] & 0x80:
        is_short = data[0] & 0x40 and len(data) >= _LEAST_SHORT and 443 in ends[2:]
        return Verdict.YES if (is_short and not is_certain(data)) or _is_old(data) else Verdict.NO
    if len(data) < 21 or data[5] > 20:
        return _is_46(data)
    number = int.from_bytes(data[1:5], "big")
    if number in VERSIONS and 6 + data[5] < len(data) and data[6 + data[5]] <= 20:
        return Verdict.YES
    if not number and 443 in ends[2:]:
        return Verdict.YES
    return _is_46(data)


def _is_46(data: bytes) -> Verdict:
    return Verdict.YES if data[1:3] == b"Q0" and data[3:5].isdigit() else Verdict.NO


def _is_old(data: bytes) -> bool:
    """Say whether a public header of Google's QUIC names its version behind a connection id of eight bytes."""
    return len(data) > 13 and data[0] & 0xC9 == 0x09 and data[9:11] == b"Q0" and data[11:13].isdigit()


PROTOCOL = ProtocolKind(
    name="quic",
    transport=UDP,
    recognise=recognise,
    decoder=QuicDecoder,
    ports=frozenset({443, 784, 853, 4433, 8443}),
    is_encrypted=True,
)

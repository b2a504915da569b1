"""Initial packets of QUIC without their protection (RFC 9001, 5): their keys follow from what everybody can see."""

import hmac
from dataclasses import dataclass
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sakimori_packet_sensor.domain.protocols.contract import CLIENT


class Version(NamedTuple):
    """What Initial packets of one version look like."""

    name: str
    salt: bytes
    labels: tuple[bytes, bytes, bytes]
    """Of key, IV and header protection."""
    initial: int
    """Type of an Initial packet in the long header."""
    retry: int


_LABELS: Final = (b"tls13 quic key", b"tls13 quic iv", b"tls13 quic hp")
_LABELS_2: Final = (b"tls13 quicv2 key", b"tls13 quicv2 iv", b"tls13 quicv2 hp")
_SALT_29: Final = bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899")
_SALT_23: Final = bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502")
_SALT_1: Final = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
_SALT_2: Final = bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9")

VERSIONS: Final = {
    0x00000001: Version("1", _SALT_1, _LABELS, 0, 3),
    0x6B3343CF: Version("2", _SALT_2, _LABELS_2, 1, 0),  # RFC 9369
    **{0xFF000000 + number: Version(f"draft-{number}", _SALT_23, _LABELS, 0, 3) for number in range(23, 29)},
    **{0xFF000000 + number: Version(f"draft-{number}", _SALT_29, _LABELS, 0, 3) for number in range(29, 33)},
    **{0xFF000000 + number: Version(f"draft-{number}", _SALT_1, _LABELS, 0, 3) for number in range(33, 35)},
    0x51303530: Version("Q050", bytes.fromhex("504574efd066fe2f9d945cfcdbd3a7f0d3b56b45"), _LABELS, 0, 3),
    0x54303530: Version("T050", bytes.fromhex("7ff579e5acd072915580304c43a2367c60488310"), _LABELS, 0, 3),
    0x54303531: Version("T051", bytes.fromhex("7a4edef4e7ccee5fa4506c19124fc8ccda6e033d"), _LABELS, 0, 3),
}
"""By number: the salts of the RFCs, of the drafts before them, and of Google's versions with the same protection."""


@dataclass(slots=True)
class Keys:
    """What protects one side's Initial packets."""

    aead: AESGCM
    iv: bytes
    header: Cipher[modes.ECB]


def initial_keys(version: Version, connection: bytes, side: int) -> Keys:
    """Derive the keys of a side from the destination connection id of the client's first packet (RFC 9001, 5.2)."""
    secret = hmac.digest(version.salt, connection, "sha256")
    secret = _expand(secret, b"tls13 client in" if side == CLIENT else b"tls13 server in", 32)
    key, iv, header = (_expand(secret, label, size) for label, size in zip(version.labels, (16, 12, 16), strict=True))
    return Keys(AESGCM(key), iv, Cipher(algorithms.AES(header), modes.ECB()))  # noqa: S305  one block, as RFC 9001 says


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446, 7.1) of no more than one block."""
    info = size.to_bytes(2, "big") + bytes([len(label)]) + label + b"\x00"
    return hmac.digest(secret, info + b"\x01", "sha256")[:size]


def unprotected(packet: bytes, number_at: int, keys: Keys) -> bytes | None:
    """Give the frames of an Initial packet; None when the keys are not its own.

    `number_at` is where its packet number begins. Packet numbers are taken as they stand: of the first packets of a
    connection they are not truncated.
    """
    sample = packet[number_at + 4 : number_at + 20]
    if len(sample) < 16:
        return None
    mask = keys.header.encryptor().update(sample)
    first = packet[0] ^ mask[0] & 0x0F
    size = (first & 3) + 1
    number = bytes(byte ^ key for byte, key in zip(packet[number_at : number_at + size], mask[1:], strict=False))
    header = bytes([first]) + packet[1:number_at] + number
    nonce = int.from_bytes(keys.iv, "big") ^ int.from_bytes(number, "big")
    try:
        return keys.aead.decrypt(nonce.to_bytes(12, "big"), packet[number_at + size :], header)
    except InvalidTag:
        return None

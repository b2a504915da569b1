"""Encryption of what must not lie readable on a disk: rejected lines, which nobody has masked."""

import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
"""Of 96 random bits (NIST SP 800-38D, 8.2.2): good for 2**32 lines under one key."""


class Unreadable(ValueError):
    """What is sealed cannot be opened: another PRIVACY_KEY sealed it, or it is damaged."""


class Sealer:
    """AES-256-GCM under a key that is derived from PRIVACY_KEY for this purpose alone.

    A sealed text is a version byte, the nonce and the ciphertext; `bound_to` says what it belongs to, so that it cannot
    be put in another's place.
    """

    def __init__(self, privacy_key: SecretStr, purpose: str = "quarantine") -> None:
        key = hmac.digest(privacy_key.get_secret_value().encode(), f"sakimori-collector-{purpose}".encode(), "sha256")
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, bound_to: str = "") -> bytes:
        """Encrypt: 29 bytes longer, some 3 us for a log line."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, bound_to.encode())

    def unseal(self, sealed: bytes, bound_to: str = "") -> bytes:
        """Decrypt. Raises Unreadable."""
        nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] != _VERSION or len(nonce) < _NONCE_BYTES:
            raise Unreadable("not sealed by this version")
        try:
            return self._cipher.decrypt(nonce, text, bound_to.encode())
        except InvalidTag:
            raise Unreadable("sealed with another PRIVACY_KEY, or damaged") from None

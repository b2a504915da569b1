"""Encryption of bots' secrets, which must not lie readable in a database or its backups."""

import hmac
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
"""Of 96 random bits (NIST SP 800-38D, 8.2.2): good for 2**32 secrets under one key."""


class Unreadable(ValueError):
    """What is sealed cannot be opened: another CHAT_SECRET_KEY sealed it, or it is damaged, or another bot's."""


class Sealer:
    """AES-256-GCM under a key that is derived from CHAT_SECRET_KEY for this purpose alone.

    A sealed secret is a version byte, the nonce and the ciphertext; it is bound to its bot, so that whoever may write
    to the database cannot give one bot another's. What a previous key sealed can still be opened.
    """

    def __init__(self, secret_key: str, previous_keys: Sequence[str] = ()) -> None:
        self._ciphers = [_cipher(key) for key in (secret_key, *previous_keys)]

    def seal(self, plain: bytes, bot_id: str) -> bytes:
        """Encrypt a secret."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._ciphers[0].encrypt(nonce, plain, bot_id.encode())

    def unseal(self, sealed: bytes, bot_id: str) -> tuple[bytes, bool]:
        """Decrypt a secret; tells whether the key of today sealed it. Raises Unreadable."""
        nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] != _VERSION or len(nonce) < _NONCE_BYTES:
            raise Unreadable("not sealed by this version")
        for cipher in self._ciphers:
            with suppress(InvalidTag):
                return cipher.decrypt(nonce, text, bot_id.encode()), cipher is self._ciphers[0]
        raise Unreadable("sealed with another CHAT_SECRET_KEY, or damaged")


def _cipher(secret_key: str) -> AESGCM:
    return AESGCM(hmac.digest(secret_key.encode(), b"sakimori-chat-bot-secrets", "sha256"))

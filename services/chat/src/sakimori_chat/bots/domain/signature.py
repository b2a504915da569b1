"""How a bot proves who it is: HMAC-SHA256 (RFC 2104) over all that a request does.

The signed text is six lines joined by LF, no LF at the end:

    SAKIMORI-HMAC-SHA256
    POST                                      the method; SESSION for the handshake of a session
    /bots/messages?room=lobby                 path and query, byte for byte as they are sent
    1768528800                                seconds since the epoch
    4yVgkRmT0wQp2sXe                          a nonce: 16 to 64 of A-Z a-z 0-9 _ -, never used before
    e3b0c44298fc1c149afbf4c8996fb924...       the body's SHA-256 as hex digits

None of the lines can hold an LF, so no two requests have the same text. The key is the secret as shown, in ASCII.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from sakimori_chat.bots.domain.device import MAX_SECRETS, BotSecret, is_bot_id

SCHEME: Final = "SAKIMORI-HMAC-SHA256"
MAX_SKEW_SECONDS: Final = 300
NONCE_SECONDS: Final = 2 * MAX_SKEW_SECONDS + 60
"""How long a nonce is remembered: a request may be dated 300 s ahead and so be good for 600; the rest is for clocks."""
SESSION_METHOD: Final = "SESSION"
SESSION_TARGET: Final = b"/bots/ws"
_VERSION: Final = "v1="
_DECOY: Final = b"a key of no bot: keeps the time that checking takes"
"""Takes the place of a secret that is not there; what it matches never counts, so it needs not be secret."""

_TIMESTAMP: Final = re.compile(r"[0-9]{1,11}")
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
_TAG: Final = re.compile(r"[0-9a-f]{64}")


class MalformedClaim(ValueError):
    """A part of a claim does not have its shape; the message says which and what it looks like when right."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A request, and the proof that comes with it; build it with `claim_of`."""

    bot_id: str
    timestamp: int
    nonce: str
    tag: bytes = field(repr=False)
    method: str
    target: bytes
    body: bytes = field(repr=False)

    def text(self) -> bytes:
        """Write what is signed."""
        digest = sha256(self.body).hexdigest()
        parts = (SCHEME.encode(), self.method.encode(), self.target, b"%d" % self.timestamp, self.nonce.encode())
        return b"\n".join((*parts, digest.encode()))


def claim_of(
    *, bot_id: str, timestamp: str, nonce: str, signature: str, method: str, target: bytes, body: bytes
) -> Claim:
    """Take a proof apart, its parts as they came. Raises MalformedClaim."""
    if not is_bot_id(bot_id):
        raise MalformedClaim("the bot's id is `bot-` and 16 hex digits")
    if not _TIMESTAMP.fullmatch(timestamp) or timestamp != str(int(timestamp)):
        raise MalformedClaim("the timestamp is whole seconds since 1970, without leading zeros")
    if not _NONCE.fullmatch(nonce):
        raise MalformedClaim("the nonce is 16 to 64 characters of A-Z a-z 0-9 _ -")
    return Claim(bot_id, int(timestamp), nonce, tag_of(signature), method, target, body)


def is_skewed(timestamp: int, now: float) -> bool:
    """Tell whether a time (whole seconds) is more than 300 s away, either way."""
    return abs(int(now) - timestamp) > MAX_SKEW_SECONDS


def is_authentic(message: bytes, tag: bytes, key: bytes, algorithm: str = "sha256") -> bool:
    """Compare a tag with the one that the key gives, in constant time; a truncated tag is never the right one."""
    return hmac.compare_digest(hmac.digest(key, message, algorithm), tag)


def signer_of(text: bytes, tag: bytes, secrets: Sequence[BotSecret], now: float) -> BotSecret | None:
    """Find which of a bot's valid secrets signed a text; None when none did.

    Always makes two signatures and compares both, so the time taken tells neither whether the bot exists (give no
    secrets where it does not) nor how many secrets it has nor which of them matched.
    """
    signer: BotSecret | None = None
    for place in range(MAX_SECRETS):
        secret = secrets[place] if place < len(secrets) and secrets[place].is_valid(now) else None
        matches = is_authentic(text, tag, _DECOY if secret is None else secret.key)
        signer = secret if matches and secret is not None else signer
    return signer


def sign(key: bytes, text: bytes) -> str:
    """Sign a text: `v1=` and 64 hex digits."""
    return _VERSION + hmac.digest(key, text, "sha256").hex()


def tag_of(signature: str) -> bytes:
    """Read a signature as it is sent. Raises MalformedClaim."""
    digits = signature.removeprefix(_VERSION)
    if not signature.startswith(_VERSION) or not _TAG.fullmatch(digits):
        raise MalformedClaim("the signature is `v1=` and 64 hex digits in lower case")
    return bytes.fromhex(digits)

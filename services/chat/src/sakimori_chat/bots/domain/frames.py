"""The frames of a bot's session: JSON, one a WebSocket message or one a line.

The first frame a bot sends is a handshake. Every later one is an envelope, in which the frame itself is text: a
signature over text needs no agreement on how JSON is to be spelt.
"""

from hashlib import sha256
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from sakimori_chat.bots.domain.signature import SCHEME

MAX_HANDSHAKE_BYTES: Final = 4096
"""Six times the longest handshake: what somebody unknown may make this service hold."""
MAX_FRAME_BYTES: Final = 64 * 1024
"""The longest text that a room takes, 2,000 characters, is 28 KB in the wordiest JSON: 14 bytes each, escaped twice."""
MAX_TEXT_CHARACTERS: Final = 65_000
"""A text beyond that is refused here; a room's own limit is far below."""
MAX_SEQUENCE: Final = 2**53
"""JSON numbers above are not the same everywhere (RFC 8259, 6)."""

_METHOD: Final = "FRAME"

_Word = Annotated[str, Meta(max_length=64, pattern=r"^[^\n]*\Z")]
_Ref = Annotated[str, Meta(max_length=64)]
_Count = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]


class Handshake(msgspec.Struct, frozen=True, tag_field="type", tag="handshake", forbid_unknown_fields=True):
    """Who is there. `name` is what the device calls itself, `version` that of its program; both are signed."""

    id: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\n]*\Z")]
    timestamp: Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]
    nonce: Annotated[str, Meta(min_length=1, max_length=128)]
    signature: Annotated[str, Meta(max_length=128)]
    name: _Word = ""
    version: _Word = ""

    @property
    def body(self) -> bytes:
        """What stands for the body in the signed text."""
        return f"{self.id}\n{self.name}\n{self.version}".encode()


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signed frame: `sequence` is 1 for the first of a session and grows by one, `body` a frame as JSON text."""

    sequence: Annotated[int, Meta(ge=1, le=MAX_SEQUENCE)]
    body: str
    signature: Annotated[str, Meta(max_length=128)]


class Post(msgspec.Struct, frozen=True, tag_field="type", tag="post", forbid_unknown_fields=True):
    """Say something. The answer carries `ref`."""

    room: Annotated[str, Meta(max_length=64)]
    text: Annotated[str, Meta(max_length=MAX_TEXT_CHARACTERS)]
    ref: _Ref = ""


class Read(msgspec.Struct, frozen=True, tag_field="type", tag="read", forbid_unknown_fields=True):
    """Read what follows number `after` of a room."""

    room: Annotated[str, Meta(max_length=64)]
    after: _Count = 0
    limit: Annotated[int, Meta(ge=1, le=100)] = 100
    ref: _Ref = ""


class Ping(msgspec.Struct, frozen=True, tag_field="type", tag="ping", forbid_unknown_fields=True):
    """Ask whether the server is there."""

    ref: _Ref = ""


class Pong(msgspec.Struct, frozen=True, tag_field="type", tag="pong", forbid_unknown_fields=True):
    """Answer the server's ping, and tell how the bot is doing where it likes to."""

    id: _Count
    memory_bytes: _Count | None = None
    queue: _Count | None = None
    rooms: _Count | None = None


Body = Post | Read | Ping | Pong

handshakes: Final = msgspec.json.Decoder(Handshake)
envelopes: Final = msgspec.json.Decoder(Envelope)
bodies: Final[msgspec.json.Decoder[Body]] = msgspec.json.Decoder(Body)
_encoder: Final = msgspec.json.Encoder()


def signed_text(session_id: str, sequence: int, body: str) -> bytes:
    """Put together what an envelope's signature covers: five lines, without a line end after the last."""
    digest = sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
    return "\n".join((SCHEME, _METHOD, session_id, str(sequence), digest)).encode()


def frame(kind: str, **fields: Any) -> bytes:
    """Encode a frame of the server. Fields that are None are left out."""
    return _encoder.encode({"type": kind, **{name: value for name, value in fields.items() if value is not None}})

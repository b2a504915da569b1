"""The wire format: one message is one batch, a MessagePack array of structs of one kind (docs/reference/wire.md)."""

from collections.abc import Sequence
from typing import Final, Generic, TypeVar

import msgspec

from sakimori_common.contracts.decision import Decision
from sakimori_common.contracts.event import Event
from sakimori_common.contracts.finding import Finding

SCHEMA_VERSION: Final = "1"
"""Adding a field keeps the version; anything else is a new one, published beside the old for a release."""

S = TypeVar("S", bound=msgspec.Struct)


class WireError(ValueError):
    """A message body is not a batch of what its topic carries."""


class Codec(Generic[S]):
    """Encode and decode batches of one struct type. Not for use by several threads at once."""

    def __init__(self, kind: type[S]) -> None:
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[list[S]] = msgspec.msgpack.Decoder(list[kind])  # type: ignore[valid-type]

    def encode(self, batch: Sequence[S]) -> bytes:
        """Write a batch; 1 us an event of 25 fields."""
        return self._encoder.encode(list(batch))

    def decode(self, body: bytes) -> list[S]:
        """Read a batch back, validating it. Raises WireError that says what is wrong where."""
        try:
            return self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise WireError(str(error)) from None


EVENTS: Final[Codec[Event]] = Codec(Event)
FINDINGS: Final[Codec[Finding]] = Codec(Finding)
DECISIONS: Final[Codec[Decision]] = Codec(Decision)

"""Ask a decoder, and take whatever it does for an answer."""

from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import Decoder, Fields, Message, ProtocolKind, Read
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

_MAX_REASON_CHARACTERS: Final = 200


class Refused(Exception):
    """A piece that its decoder would not have."""


def feed(decoder: Decoder, side: int, data: bytes, time: int) -> Read:
    """Offer a piece. Raises Refused; also where a decoder breaks its promise: no packet may stop the sensor."""
    try:
        return decoder.feed(side, data, time)
    except Malformed as problem:
        raise Refused(str(problem)) from None
    except Exception as error:  # a decoder's bug is met by a packet that somebody made for it
        raise Refused(f"the decoder failed: {type(error).__name__}") from error


def finish(decoder: Decoder) -> Sequence[Message]:
    """Ask for what is left."""
    try:
        return decoder.finish()
    except Exception:  # noqa: BLE001  # as above
        return ()


def malformed(kind: ProtocolKind, side: int, reason: str) -> Message:
    """Report a refusal."""
    fields: Fields = {"error.code": "malformed", "error.message": reason[:_MAX_REASON_CHARACTERS]}
    return Message(f"network.{kind.name}", fields, side)

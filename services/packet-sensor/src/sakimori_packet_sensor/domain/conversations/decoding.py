"""Ask a decoder, and take whatever it does for an answer."""

from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import CLIENT, Decoder, Fields, Message, ProtocolKind
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

_MAX_REASON_CHARACTERS: Final = 200


def reason_of(error: Exception) -> str:
    """Say why a decoder would not have a piece; also where it broke its promise: no packet may stop the sensor."""
    if isinstance(error, Malformed):
        return str(error)
    return f"the decoder failed: {type(error).__name__}"


def finish(kind: ProtocolKind, decoder: Decoder) -> Sequence[Message]:
    """Ask for what is left."""
    try:
        return decoder.finish()
    except Exception as error:  # noqa: BLE001  # a decoder's bug is met by a packet that somebody made for it
        return (malformed(kind, CLIENT, reason_of(error)),)


def malformed(kind: ProtocolKind, side: int, reason: str) -> Message:
    """Report a refusal."""
    fields: Fields = {"error.code": "malformed", "error.message": reason[:_MAX_REASON_CHARACTERS]}
    return Message(f"network.{kind.name}", fields, side)

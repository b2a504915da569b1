"""A bot's session, whatever carries it: what each frame means, and which are refused.

Nothing here waits or looks anything up. Whoever drives a session feeds it what came, asks the registry when it answers
with a Handshake, and tells it the outcome.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import msgspec

from sakimori_chat.bots.domain.frames import (
    MAX_FRAME_BYTES,
    MAX_HANDSHAKE_BYTES,
    Body,
    Envelope,
    Handshake,
    bodies,
    envelopes,
    handshakes,
    signed_text,
)

T = TypeVar("T")

IsSigned = Callable[[bytes, str], bool]
"""Tells whether a signature fits a text, by the secrets that the bot has at this moment. Constant in time."""


class Phase(StrEnum):
    """How far a session has come."""

    EXPECTING = "expecting"
    """Nothing is known of who is there."""
    CHECKING = "checking"
    """A handshake is being looked at."""
    OPEN = "open"
    CLOSED = "closed"


class FaultCode(StrEnum):
    """Why a frame is refused, as the frame `refused` says it."""

    FRAME_TOO_LARGE = "frame_too_large"
    FRAME_TOO_SLOW = "frame_too_slow"
    INVALID_UTF8 = "invalid_utf8"
    INVALID_JSON = "invalid_json"
    MALFORMED = "malformed"
    UNKNOWN_FRAME = "unknown_frame"
    HANDSHAKE_EXPECTED = "handshake_expected"
    SIGNATURE_WRONG = "signature_wrong"
    REPLAYED = "replayed"
    OUT_OF_ORDER = "out_of_order"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Fault:
    """A frame that is refused. After one that `ends` the session nothing more is taken from it."""

    code: FaultCode
    detail: str
    ends: bool = True


_NOT_NOW = Fault(FaultCode.CLOSED, "This session takes no such frame now.")


class Session:
    """One session. Frames are taken in the order in which they came."""

    def __init__(self, *, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._phase = Phase.EXPECTING
        self._id = ""
        self._sequence = 0

    @property
    def phase(self) -> Phase:
        """Say how far it has come."""
        return self._phase

    @property
    def id(self) -> str:
        """Name the session; empty before it is open."""
        return self._id

    @property
    def max_bytes(self) -> int:
        """Bound the next frame."""
        return self._max_frame_bytes if self._phase is Phase.OPEN else MAX_HANDSHAKE_BYTES

    def opened(self, session_id: str) -> None:
        """Go on after a handshake that was taken. Raises ValueError when there was none."""
        if self._phase is not Phase.CHECKING or not session_id:
            raise ValueError(f"a session that is {self._phase} does not open")
        self._phase, self._id = Phase.OPEN, session_id

    def closed(self) -> None:
        """Take nothing any more."""
        self._phase = Phase.CLOSED

    def greet(self, raw: bytes) -> Handshake | Fault:
        """Read the first frame. Never raises; any other than a handshake closes the session."""
        if self._phase is not Phase.EXPECTING:
            return self._ended(_NOT_NOW)
        if len(raw) > self.max_bytes:
            return self._ended(_too_large(self.max_bytes))
        found = _decoded(handshakes, raw, FaultCode.HANDSHAKE_EXPECTED, "a handshake, which comes first")
        if isinstance(found, Fault):
            return self._ended(found)
        self._phase = Phase.CHECKING
        return found

    def feed(self, raw: bytes, is_signed: IsSigned) -> Body | Fault:
        """Read a later frame. Never raises; a fault that ends the session closes it here."""
        if self._phase is not Phase.OPEN:
            return self._ended(_NOT_NOW)
        if len(raw) > self.max_bytes:
            return self._ended(_too_large(self.max_bytes))
        envelope = _decoded(envelopes, raw, FaultCode.MALFORMED, "an envelope: sequence, body, signature")
        step = envelope if isinstance(envelope, Fault) else self._opened_envelope(envelope, is_signed)
        return self._ended(step) if isinstance(step, Fault) and step.ends else step

    def _ended(self, fault: Fault) -> Fault:
        self.closed()
        return fault

    def _opened_envelope(self, envelope: Envelope, is_signed: IsSigned) -> Body | Fault:
        """The signature decides before anything else is believed, the sequence included."""
        if not is_signed(signed_text(self._id, envelope.sequence, envelope.body), envelope.signature):
            return Fault(FaultCode.SIGNATURE_WRONG, "The signature does not fit session, sequence and body.")
        if envelope.sequence <= self._sequence:
            return Fault(FaultCode.REPLAYED, f"Sequence {envelope.sequence} was there already.")
        if envelope.sequence != self._sequence + 1:
            return Fault(FaultCode.OUT_OF_ORDER, f"Sequence {self._sequence + 1} comes next.")
        self._sequence = envelope.sequence
        body = _decoded(bodies, envelope.body, FaultCode.UNKNOWN_FRAME, "post, read, ping or pong")
        # It is who it says it is and counts right: a mistake of a program, which may go on.
        return body if not isinstance(body, Fault) else Fault(body.code, body.detail, ends=False)


def _too_large(limit: int) -> Fault:
    return Fault(FaultCode.FRAME_TOO_LARGE, f"A frame has at most {limit} bytes here.")


def _decoded(decoder: "msgspec.json.Decoder[T]", raw: bytes | str, otherwise: FaultCode, expected: str) -> "T | Fault":
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        return Fault(otherwise, f"This is not {expected}: {error}"[:300])
    except UnicodeError:
        return Fault(FaultCode.INVALID_UTF8, "A frame is UTF-8.")
    except msgspec.DecodeError as error:
        return Fault(FaultCode.INVALID_JSON, f"A frame is one JSON object: {error}"[:300])
    except RecursionError:
        return Fault(FaultCode.INVALID_JSON, "A frame is a flat JSON object.")

"""What a replica hears of the others, and of itself."""

from dataclasses import dataclass

from sakimori_chat.domain.messages import Draft


@dataclass(frozen=True, slots=True)
class Opened:
    """From now on everything is heard; what was before may have been missed."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing is heard any more."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A message was stored."""

    room: str
    number: int
    draft: Draft


@dataclass(frozen=True, slots=True)
class Removed:
    """A message was taken away."""

    room: str
    number: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Somebody was blocked for so long, or (0) no longer is: an identity (user), a fingerprint (fp), a network (ip)."""

    kind: str
    entity: str
    seconds: float


FeedEvent = Opened | Lost | Spoken | Removed | Measured

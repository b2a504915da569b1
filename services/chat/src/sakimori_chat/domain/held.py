"""Messages that wait for an operator."""

import msgspec

from sakimori_chat.domain.checks import Objection
from sakimori_chat.domain.messages import Draft
from sakimori_chat.domain.rooms import CheckName


class HeldObjection(msgspec.Struct, frozen=True):
    """An objection as operators read it; `reasons` may hold words of the message."""

    check: CheckName
    score: float
    threshold: float
    reasons: tuple[str, ...] = ()

    @classmethod
    def of(cls, objection: Objection) -> "HeldObjection":
        """Describe an objection."""
        return cls(objection.check, objection.score, objection.threshold, objection.reasons)


class Held(msgspec.Struct, frozen=True):
    """A held message: where it is, who wrote it and when (RFC 3339), what it says, what the checks say to it."""

    room: str
    number: int
    author_id: str
    fingerprint: str
    name: str
    text: str
    held_at: str
    objections: tuple[HeldObjection, ...] = ()

    @classmethod
    def of(cls, room: str, number: int, draft: Draft, objections: tuple[Objection, ...]) -> "Held":
        """Describe a draft that was stored under a number."""
        told = tuple(map(HeldObjection.of, objections))
        return cls(room, number, draft.author_id, draft.fingerprint, draft.name, draft.text, draft.posted_at, told)

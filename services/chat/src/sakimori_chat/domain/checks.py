"""What a check of a message's text says, and what the room makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sakimori_chat.domain.rooms import CheckName, Reaction, RoomPolicy


@dataclass(frozen=True, slots=True)
class Objection:
    """A check found something: how much (`score`), from where on it counts (`threshold`), and why, for operators.

    `reasons` are short and say what moved the check. They may hold words of the message, so they go to operators'
    eyes (the queue of held messages) and into events only where texts do. `outline` says the same without any word
    of the message, for events. `at_most` is the strongest reaction that it may lead to, however the room is set.
    """

    check: CheckName
    score: float
    threshold: float
    reasons: tuple[str, ...] = ()
    outline: tuple[str, ...] = ()
    at_most: Reaction = Reaction.REFUSE


@dataclass(frozen=True, slots=True)
class Recent:
    """What was lately said in the room, as similarity needs it: who said it, when (seconds), its signature."""

    author_id: str
    at: float
    signature: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """A message about to be posted, cleaned, with what stands around it. `at` is in seconds since the epoch."""

    text: str
    name: str
    author_id: str
    at: float
    recent: Sequence[Recent] = ()
    is_bot: bool = False


class Check(Protocol):
    """One thing to look at a message for; pure, and bounded in time by the length of a message."""

    @property
    def name(self) -> CheckName:
        """Say which check this is."""

    def objection(self, said: Said, policy: RoomPolicy) -> Objection | None:
        """Look at a message; None when there is nothing to say against it."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """All objections to a message, and the strongest reaction that the room has to any of them."""

    reaction: Reaction
    objections: tuple[Objection, ...] = ()

    def refused_by(self, policy: RoomPolicy, *, is_bot: bool = False) -> CheckName | None:
        """Name the first check that refuses; None where none does."""
        if self.reaction is not Reaction.REFUSE:
            return None
        refusing = (each.check for each in self.objections if each.at_most is Reaction.REFUSE)
        return next(name for name in refusing if policy.reaction(name, is_bot=is_bot) is Reaction.REFUSE)


def judge(said: Said, policy: RoomPolicy, checks: Sequence[Check]) -> Judgement:
    """Ask every check that the room has switched on."""
    order = list(Reaction)
    strongest, objections = Reaction.OFF, []
    for check in checks:
        reaction = policy.reaction(check.name, is_bot=said.is_bot)
        if reaction is Reaction.OFF or (objection := check.objection(said, policy)) is None:
            continue
        objections.append(objection)
        strongest = max(strongest, min(reaction, objection.at_most, key=order.index), key=order.index)
    return Judgement(strongest, tuple(objections))

"""What would become of a text in a room, for operators who set its policy or are asked why something was refused."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from sakimori_chat.domain.checks import Check, Said, judge
from sakimori_chat.domain.held import HeldObjection
from sakimori_chat.domain.posting import refusal_of_length, refusal_of_text
from sakimori_chat.domain.rooms import Reaction, RoomPolicy
from sakimori_chat.domain.text import MAX_RAW_CHARACTERS, clean_text, is_oversized

OPERATOR = "00000000-0000-4000-8000-000000000000"
"""Who says it: nobody who was there before, so nothing is repeated."""


class Attempted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text, as somebody would type it; `is_bot`: as a bot would."""

    text: Annotated[str, msgspec.Meta(max_length=4 * MAX_RAW_CHARACTERS)]
    is_bot: bool = False


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """The text as it would be shown, the code that it would be refused with (empty: it would be taken), what becomes
    of it where checks object (off: none does), and their objections with reasons.
    """

    text: str
    refusal: str
    reaction: Reaction
    objections: tuple[HeldObjection, ...]


def tried(attempted: Attempted, policy: RoomPolicy, checks: Sequence[Check], at: float) -> Trial:
    """Look at a text as if it were posted now (`at`, seconds); what depends on who posts when, no trial can tell."""
    text = clean_text(attempted.text)
    raw = len(attempted.text)
    limit = policy.max_characters
    unfit = refusal_of_length(raw, limit) if is_oversized(attempted.text) else refusal_of_text(text, limit)
    judgement = judge(Said(text, "", OPERATOR, at, is_bot=attempted.is_bot), policy, checks)
    refused_by = judgement.refused_by(policy, is_bot=attempted.is_bot)
    return Trial(
        text=text,
        refusal=unfit.code if unfit else refused_by or "",
        reaction=judgement.reaction,
        objections=tuple(map(HeldObjection.of, judgement.objections)),
    )

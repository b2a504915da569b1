"""What becomes of a message that a check objects to: of people's, and of bots'."""

import pytest

from sakimori_chat.domain.checks import Judgement, Objection, Said, judge
from sakimori_chat.domain.rooms import CheckName, CheckPolicy, Reaction, RoomPolicy

HOLD = CheckPolicy(reaction=Reaction.HOLD)


class Always:
    """A check that objects to whatever is said."""

    def __init__(self, name: CheckName) -> None:
        self.name = name

    def objection(self, said: Said, policy: RoomPolicy) -> Objection:
        """See Check."""
        return Objection(self.name, 1.0, 1.0)


@pytest.mark.parametrize(
    ("name", "check", "of_people", "of_bots"),
    [
        (CheckName.WORDS, None, Reaction.REFUSE, Reaction.REFUSE),
        (CheckName.SPAM, None, Reaction.NOTE, Reaction.NOTE),
        (CheckName.WORDS, HOLD, Reaction.HOLD, Reaction.HOLD),
        (CheckName.DUPLICATE, None, Reaction.REFUSE, Reaction.OFF),
        (CheckName.DUPLICATE, HOLD, Reaction.HOLD, Reaction.OFF),
        (CheckName.DUPLICATE, CheckPolicy(bots=Reaction.REFUSE), Reaction.OFF, Reaction.REFUSE),
        (CheckName.WORDS, CheckPolicy(reaction=Reaction.REFUSE, bots=Reaction.NOTE), Reaction.REFUSE, Reaction.NOTE),
        (CheckName.WORDS, CheckPolicy(reaction=Reaction.REFUSE, bots=Reaction.OFF), Reaction.REFUSE, Reaction.OFF),
    ],
)
def test_a_policy_is_everybodys_but_where_it_names_bots_or_they_repeat_themselves(
    name: CheckName, check: CheckPolicy | None, of_people: Reaction, of_bots: Reaction
) -> None:
    policy = RoomPolicy(checks={} if check is None else {name: check})
    for is_bot, reaction in ((False, of_people), (True, of_bots)):
        judgement = judge(Said("text", "", "one", 0.0, is_bot=is_bot), policy, [Always(name)])
        assert judgement.reaction is reaction
        assert bool(judgement.objections) is (reaction is not Reaction.OFF)


def test_the_first_check_that_refuses_is_named_which_may_be_another_one_for_a_bot() -> None:
    policy = RoomPolicy(
        checks={
            CheckName.WORDS: CheckPolicy(reaction=Reaction.REFUSE, bots=Reaction.NOTE),
            CheckName.SPAM: CheckPolicy(reaction=Reaction.REFUSE),
        }
    )
    judgement = Judgement(Reaction.REFUSE, (Objection(CheckName.WORDS, 1, 1), Objection(CheckName.SPAM, 1, 1)))
    assert judgement.refused_by(policy) is CheckName.WORDS
    assert judgement.refused_by(policy, is_bot=True) is CheckName.SPAM
    assert Judgement(Reaction.HOLD, judgement.objections).refused_by(policy) is None

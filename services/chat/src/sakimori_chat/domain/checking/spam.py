"""Advertising spam, by a learned score that tells operators what moved it."""

from typing import Final

from sakimori_chat.domain.checking.spam_model import SIGNS, SpamModel
from sakimori_chat.domain.checks import Objection, Said
from sakimori_chat.domain.rooms import CheckName, RoomPolicy

SUREST: Final = 0.999
"""What is shown at most: calibration has too few texts to tell more."""


class Spam:
    """Objects to messages whose probability of being spam reaches the room's threshold, or the model's own."""

    name = CheckName.SPAM

    def __init__(self, model: SpamModel) -> None:
        self._model = model

    def objection(self, said: Said, policy: RoomPolicy) -> Objection | None:
        """See Check. Some 60 us for 100 characters; the explanation of an objection 100 more."""
        threshold = policy.check(self.name).threshold or self._model.threshold
        probability = self._model.probability(said.text)
        if probability < threshold:
            return None
        reasons = self._model.explained(said.text)
        outline = tuple(map(_unquoted, reasons))
        return Objection(self.name, min(round(probability, 3), SUREST), threshold, reasons, outline)


def _unquoted(reason: str) -> str:
    """Leave out which word it was."""
    name, _, share = reason.rpartition(" ")
    return reason if name in SIGNS else f"a word {share}"

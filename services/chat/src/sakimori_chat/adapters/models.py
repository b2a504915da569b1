"""The spam model as a file: `weights` (int16, shape (buckets,)), `signs` (int16), and SpamModel's numbers."""

from typing import Final

import msgspec

from sakimori_chat.domain.checking.spam_model import SpamModel, SpamModelError
from sakimori_common.model_files import ModelFile


class _About(msgspec.Struct, frozen=True):
    version: str
    step: float
    bias: float
    slope: float
    shift: float
    threshold: float


SPAM_MODEL: Final = ModelFile(SpamModel, _About, ("weights", "signs"), format=1, error=SpamModelError)
"""Its format goes up, too, when how sequences are made and hashed changes."""


def shipped() -> SpamModel:
    """Read the model that comes with the chat. Raises SpamModelError."""
    return SPAM_MODEL.shipped("sakimori_chat", "chat_spam.npz")

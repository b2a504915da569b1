"""All checks of what a message says, with what they need from files."""

from collections.abc import Sequence

from sakimori_chat.adapters.models import shipped
from sakimori_chat.adapters.suffixes import is_suffix
from sakimori_chat.domain.checking.duplicate import Duplicate
from sakimori_chat.domain.checking.links import Links
from sakimori_chat.domain.checking.spam import Spam
from sakimori_chat.domain.checking.words import Words
from sakimori_chat.domain.checks import Check


def all_checks() -> Sequence[Check]:
    """Make the checks, in the order in which messages are looked at. Raises SpamModelError."""
    is_suffix("com")  # reads the list now, not while somebody waits
    return (Words(), Links(is_suffix), Duplicate(), Spam(shipped()))

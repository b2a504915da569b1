"""What became of a connection."""

from enum import StrEnum
from functools import lru_cache
from typing import Final

_LETTERS: Final = (("F", 0x01), ("S", 0x02), ("R", 0x04), ("P", 0x08), ("A", 0x10), ("U", 0x20))
_FIN, _SYN, _RST, _ACK = 0x01, 0x02, 0x04, 0x10


class FlowState(StrEnum):
    """States as docs/reference/fields.md defines them."""

    ATTEMPTED = "attempted"
    REJECTED = "rejected"
    ESTABLISHED = "established"
    CLOSED = "closed"
    RESET = "reset"
    ACTIVE = "active"


def tcp_state(opening: int, source: int, destination: int, *, is_answered: bool) -> FlowState:
    """Tell it from flags: those of the first packet, and all of either side.

    A first packet without ACK that is no SYN belongs to no connection: NULL, FIN and XMAS scans send it. It counts as
    an attempt like a SYN. A source that acknowledges got an answer, even if the capture saw one side only.
    """
    if source & destination & _FIN:
        return FlowState.CLOSED
    is_attempt = not opening & _ACK
    if is_attempt and not is_answered and not source & _ACK:
        return FlowState.ATTEMPTED
    if is_attempt and destination & _RST and not destination & _SYN:
        return FlowState.REJECTED
    if (source | destination) & _RST:
        return FlowState.RESET
    return FlowState.ESTABLISHED


@lru_cache(256)
def flag_letters(flags: int) -> str:
    """Write the letters of flags, in the order FSRPAU."""
    return "".join(letter for letter, bit in _LETTERS if flags & bit)

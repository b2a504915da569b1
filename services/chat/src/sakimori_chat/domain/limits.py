"""The limits of a post, and what it means to run into one."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is too much. Windows slide; `ban_seconds` is for the identity that went over its own limit."""

    posts: int = 5
    window_seconds: float = 10.0
    ban_seconds: float = 30.0
    fingerprint_posts: int = 20
    address_posts: int = 60
    risk: float = 8.0


class Outcome(StrEnum):
    """What the gate says to a post; the first that applies, in this order (appendix B6 of the requirements)."""

    HIGH_RISK = "high_risk"
    BANNED = "banned"
    DECIDED = "decided"
    LIMITED = "limited"
    ADMITTED = "admitted"


class Scope(StrEnum):
    """Which limit a post ran into."""

    IDENTITY = "identity"
    FINGERPRINT = "fingerprint"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer: `seconds` until another try makes sense (0 when admitted), the scope of a limit, the risk."""

    outcome: Outcome
    seconds: float = 0.0
    scope: Scope | None = None
    risk: float = 0.0

"""The limits of a post, and what it means to run into one."""

from dataclasses import dataclass
from enum import StrEnum

DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is too much. Windows slide; all times are in seconds.

    An identity that goes over its own limit is banned, each time for the next step of `ban_ladder_seconds` (X-16). The
    step falls by one for each `ban_memory_seconds` after the end of a ban without another.
    `new_identities` are those that one network may bring in `new_identity_window_seconds`; who has posted from there
    before is none of them. `throttled_posts` is the limit of whatever a decision throttles.
    """

    posts: int = 5
    window_seconds: float = 10.0
    ban_ladder_seconds: tuple[float, ...] = (30.0, 300.0, 3600.0, DAY_SECONDS)
    ban_memory_seconds: float = DAY_SECONDS
    fingerprint_posts: int = 20
    address_posts: int = 60
    throttled_posts: int = 1
    new_identities: int = 100
    new_identity_window_seconds: float = 600.0
    risk: float = 8.0


class Outcome(StrEnum):
    """What the gate says to a post; the first that applies, in this order (appendix B6 of the requirements)."""

    HIGH_RISK = "high_risk"
    BANNED = "banned"
    DECIDED = "decided"
    CROWDED = "crowded"
    """Too many new identities from one network."""
    LIMITED = "limited"
    SLOWED = "slowed"
    """The room's slow mode."""
    ADMITTED = "admitted"


class Scope(StrEnum):
    """Which limit a post ran into."""

    IDENTITY = "identity"
    FINGERPRINT = "fingerprint"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer: `seconds` until another try makes sense (0 when admitted), the scope of a limit, the risk.

    `ban_step` counts from 1 and says that this very post led to a ban, and to which step of the ladder.
    """

    outcome: Outcome
    seconds: float = 0.0
    scope: Scope | None = None
    risk: float = 0.0
    ban_step: int = 0

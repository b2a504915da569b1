"""Who speaks from behind one fingerprint, and which new identities follow a limit (C0-3, C0-4).

A fingerprint (address and browser, hashed) may be one person or a whole office. What counts is an identity that this
fingerprint has not had before and that shows up shortly after the fingerprint was limited: whoever was there before
the limit, or was never near one, is left alone.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from sakimori_common.contracts import Event
from sakimori_detector.sigma.windows import microseconds

LIMITS: Final = frozenset({"security.rate_limit_hit", "security.user_blocked", "security.blocked_action_attempt"})
"""Actions that say: this identity was limited or tried while it was."""
REFUSALS: Final = frozenset({"security.high_risk_block"})
"""The whole fingerprint is refused, whoever asks: says nothing about the one who asked."""

MAX_IDENTITIES: Final = 32
MAX_CHANGES: Final = 64
DATASETS: Final = ("chat.message", "chat.security")


class Parameters(msgspec.Struct, frozen=True):
    """How long after a limit a new identity counts, and how long an identity is remembered."""

    after_limit_seconds: int = 600
    remember_seconds: int = 1800


class Change(msgspec.Struct, frozen=True, array_like=True):
    """A counted change of identity."""

    time: int
    event_id: str
    previous: str
    new: str
    trigger: str


class Identities(msgspec.Struct, array_like=True):
    """What is remembered of a fingerprint: who was seen when, the latest limit and whom it hit."""

    seen: dict[str, int] = {}
    limited_at: int | None = None
    limited: str = ""

    def observe(self, event: Event, chosen: Parameters) -> Change | None:
        """Take note of an event of this fingerprint; gives the change if it is one that counts."""
        user, action = event.fields.get("user.id"), str(event.fields.get("event.action", ""))
        if not isinstance(user, str) or not user:
            return None
        is_known = self._knows(user, event.time, chosen)
        change = None
        if not is_known and action not in REFUSALS and self._follows_limit(event.time, chosen):
            change = Change(event.time, event.id, self.limited, user, action)
        self.seen[user] = max(event.time, self.seen.get(user, 0))
        if len(self.seen) > MAX_IDENTITIES:
            del self.seen[min(self.seen, key=lambda name: (self.seen[name], name))]
        if action in LIMITS and event.time >= (self.limited_at or 0):
            self.limited_at, self.limited = event.time, user
        return change

    def _knows(self, user: str, time: int, chosen: Parameters) -> bool:
        return user in self.seen and time - self.seen[user] <= microseconds(chosen.remember_seconds)

    def _follows_limit(self, time: int, chosen: Parameters) -> bool:
        return self.limited_at is not None and 0 <= time - self.limited_at <= microseconds(chosen.after_limit_seconds)


def by_fingerprint(events: Sequence[Event]) -> dict[str, list[Event]]:
    """Sort chat events by fingerprint, those without one left out."""
    found: dict[str, list[Event]] = {}
    for event in events:
        fingerprint = event.fields.get("client.fingerprint")
        if isinstance(fingerprint, str) and fingerprint:
            found.setdefault(fingerprint, []).append(event)
    return found

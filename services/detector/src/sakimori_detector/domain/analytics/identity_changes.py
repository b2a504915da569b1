"""Who speaks from behind one fingerprint, and which new identities are an old one in disguise (C0-3, C0-4).

A fingerprint (network, browser and language, hashed) may be one person or a whole office. An identity is a **change**
if this fingerprint has not had it before and it shows up after another was limited and has not been back since. Each
piece of evidence has a weight; a change counts from `count_from` on:

- `follows_limit`: another identity was limited within `after_limit_seconds` and has posted nothing since
- `during_ban`: that one's ban still runs. Afterwards there is nothing to be gained by a new cookie
- `limited_too`: the new identity runs into the limit itself; this may come later, and make the change count then
- `shared`: identities were seen side by side here, so more than one person uses this fingerprint
- `cookie_older`: its cookie was certainly given out before the limit (`client.cookie_age_seconds`, a difference of
  whole seconds, where the source has it)
- `other_language`: its browser asks for another language (`client.language_hash`, where the source has it)

What a limit of the fingerprint or address says (`chat.limit_scope`), and a refusal by decision or risk, is about
everybody there and so about nobody. A counted change is **withdrawn** when an identity that was there before it is seen
again: whoever sheds a cookie cannot come back with it. Only an identity that was limited itself stays counted.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from sakimori_common.contracts import Event
from sakimori_detector.sigma.windows import microseconds

LIMITS: Final = frozenset({"security.rate_limit_hit", "security.user_blocked", "security.blocked_action_attempt"})
"""Actions that say: this identity was limited or tried while it was."""
POSTED: Final = "chat.message_posted"
BAN_SECONDS: Final = 30
"""How long a ban holds where the event does not say (`chat.block_seconds`)."""

MAX_COOKIE_SECONDS: Final = 366 * 86_400
MAX_IDENTITIES: Final = 32
"""Remembered of a fingerprint, the longest unseen forgotten first: 14 KB with the changes, however hard one tries."""
MAX_NAME_CHARACTERS: Final = 64


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each piece of evidence adds."""

    follows_limit: float = 1.0
    during_ban: float = 0.5
    limited_too: float = 0.5
    shared: float = -0.5
    cookie_older: float = -2.0
    other_language: float = -2.0


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """How long after a limit a new identity may count, from which weight, and how long an identity is remembered."""

    after_limit_seconds: int = 600
    remember_seconds: int = 1800
    count_from: float = 1.0
    weights: Weights = Weights()


class Change(msgspec.Struct, frozen=True, array_like=True):
    """A new identity after a limit: `evidence` names what speaks for and against it being an old one."""

    time: int
    event_id: str
    previous: str
    new: str
    trigger: str
    evidence: list[str]

    def weight(self, weights: Weights) -> float:
        """Add up the evidence."""
        return sum(float(getattr(weights, name)) for name in self.evidence)

    def told(self, weights: Weights) -> str:
        """Write the evidence with its weights, for people."""
        return ", ".join(f"{name} {getattr(weights, name):+g}" for name in self.evidence)


class Observed(NamedTuple):
    """What an event shows: a change that counts from now on, those that no longer do."""

    counted: Change | None = None
    withdrawn: tuple[Change, ...] = ()


NOTHING: Final = Observed()


class Identity(msgspec.Struct, array_like=True):
    """One identity; `limited_at` only until it is back. `is_person`: it was seen again after a later one had come."""

    first: int
    last: int
    language: str = ""
    was_limited: bool = False
    limited_at: int | None = None
    banned_until: int = 0
    is_person: bool = False
    change: Change | None = None
    is_counted: bool = False


class Identities(msgspec.Struct, array_like=True):
    """What is remembered of a fingerprint."""

    seen: dict[str, Identity] = {}

    def observe(self, event: Event, chosen: Parameters) -> Observed:
        """Take note of an event of this fingerprint, and say what it shows."""
        user = event.fields.get("user.id")
        if not isinstance(user, str) or not 0 < len(user) <= MAX_NAME_CHARACTERS:
            return NOTHING
        identity = self.seen.get(user)
        withdrawn: tuple[Change, ...] = ()
        if identity is None or event.time - identity.last > microseconds(chosen.remember_seconds):
            identity = self._newcomer(user, event, chosen)
        else:
            withdrawn = self._returned(identity, event.time)
            identity.last = max(event.time, identity.last)
        _note_limit(identity, event)
        return Observed(_judge(identity, event, chosen), withdrawn)

    def _newcomer(self, user: str, event: Event, chosen: Parameters) -> Identity:
        language = str(event.fields.get("client.language_hash") or "")[:MAX_NAME_CHARACTERS]
        identity = Identity(event.time, event.time, language)
        limited = self._limited_before(event.time, chosen)
        if limited is not None and not _is_about_everybody(event):
            evidence = self._evidence(self.seen[limited], event, language)
            identity.change = Change(event.time, event.id, limited, user, action_of(event), evidence)
        self.seen[user] = identity
        if len(self.seen) > MAX_IDENTITIES:
            del self.seen[min(self.seen, key=lambda name: (self.seen[name].last, name))]
        return identity

    def _limited_before(self, time: int, chosen: Parameters) -> str | None:
        """Name the identity that was limited last, not too long ago, and has not been back."""
        since = time - microseconds(chosen.after_limit_seconds)
        times = {name: each.limited_at for name, each in self.seen.items() if each.limited_at is not None}
        recent = [(at, name) for name, at in times.items() if since <= at <= time]
        return max(recent)[1] if recent else None

    def _evidence(self, limited: Identity, event: Event, language: str) -> list[str]:
        pieces = {
            "follows_limit": True,
            "during_ban": event.time <= limited.banned_until,
            "shared": any(each.is_person for each in self.seen.values()),
            "cookie_older": _cookie_given_before(limited.limited_at or 0, event),
            "other_language": bool(language and limited.language and language != limited.language),
        }
        return [name for name, holds in pieces.items() if holds]

    def _returned(self, identity: Identity, time: int) -> tuple[Change, ...]:
        """Tell whose changes an identity that is seen again refutes: all that came since it was seen last."""
        since = [each for each in self.seen.values() if identity.last < each.first < time]
        identity.is_person = identity.is_person or bool(since)
        refuted = [each for each in since if each.change is not None and not each.was_limited]
        withdrawn = tuple(each.change for each in refuted if each.is_counted and each.change is not None)
        for each in refuted:
            each.change, each.is_counted = None, False
        return withdrawn


def _note_limit(identity: Identity, event: Event) -> None:
    action = action_of(event)
    if action == POSTED and identity.limited_at is not None and event.time > identity.limited_at:
        identity.limited_at = None  # it waited, and is back: what comes now is somebody else
    if action not in LIMITS or _is_about_everybody(event):
        return
    seconds = event.fields.get("chat.block_seconds")
    ban = seconds if isinstance(seconds, int | float) and seconds > 0 else BAN_SECONDS
    identity.limited_at = max(event.time, identity.limited_at or 0)
    identity.banned_until = max(event.time + microseconds(min(ban, 86_400)), identity.banned_until)
    identity.was_limited = True


def _judge(identity: Identity, event: Event, chosen: Parameters) -> Change | None:
    """Count the identity's change if it has not been and its evidence now weighs enough."""
    change = identity.change
    if change is None or identity.is_counted:
        return None
    if identity.was_limited and "limited_too" not in change.evidence:
        change = msgspec.structs.replace(
            change, time=event.time, event_id=event.id, evidence=[*change.evidence, "limited_too"]
        )
        identity.change = change
    if change.weight(chosen.weights) < chosen.count_from:
        return None
    identity.is_counted = True
    return change


def _cookie_given_before(time: int, event: Event) -> bool:
    """Tell whether the cookie is certainly older: the age that is said is up to a second more than the true one."""
    age = event.fields.get("client.cookie_age_seconds")
    if not isinstance(age, int | float) or not 0 <= age <= MAX_COOKIE_SECONDS:
        return False
    return event.time - microseconds(float(age) - 1) <= time


def _is_about_everybody(event: Event) -> bool:
    """Say whether an event is a refusal of the whole fingerprint or address, whoever asks."""
    scope, reason = event.fields.get("chat.limit_scope"), event.fields.get("chat.block_reason")
    return action_of(event) == "security.high_risk_block" or scope in {"fingerprint", "address"} or reason == "decision"


def action_of(event: Event) -> str:
    """Read the action of a chat event."""
    return str(event.fields.get("event.action", ""))


def by_fingerprint(events: Sequence[Event]) -> dict[str, list[Event]]:
    """Sort chat events by fingerprint, those without one left out."""
    found: dict[str, list[Event]] = {}
    for event in events:
        fingerprint = event.fields.get("client.fingerprint")
        if isinstance(fingerprint, str) and 0 < len(fingerprint) <= MAX_NAME_CHARACTERS:
            found.setdefault(fingerprint, []).append(event)
    return found

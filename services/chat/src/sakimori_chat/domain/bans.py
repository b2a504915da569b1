"""What keeps somebody from posting, or from posting much, as operators list it."""

import msgspec

ENTITY_TYPES = {"user": "user.id", "fp": "client.fingerprint", "ip": "source.ip"}
"""By the kind of a Measure, as decisions name them; of an IPv6 address the entity is its /64."""


class Ban(msgspec.Struct, frozen=True, kw_only=True):
    """A block or throttle in force: of whom, for how many seconds yet, and who set it.

    `by` is `chat` (an identity that posted too fast; `step` is its step of the ladder), `detector` or `operator`.
    `decided_at` is RFC 3339, empty for bans of the chat's own.
    """

    entity_type: str
    entity: str
    action: str
    seconds: int
    by: str
    step: int = 0
    decided_at: str = ""

"""What is to be done about an entity, and until when."""

from enum import StrEnum

import msgspec


class DecisionAction(StrEnum):
    """The measures that enforcers know."""

    BLOCK = "block"
    THROTTLE = "throttle"
    CHALLENGE = "challenge"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A measure against an entity; it always ends.

    `entity_type` is an ECS field name (`source.ip`) or `client.fingerprint`; `finding_id` is the reason. `origin` is
    `detector` or the operator's user name. `dry_run` decisions are recorded and shown, never enforced. A decision with
    `expires_at` in the past lifts an earlier one of the same entity.
    """

    id: str
    entity_type: str
    entity: str
    action: DecisionAction
    rule_id: str
    finding_id: str
    created_at: str
    expires_at: str
    origin: str
    dry_run: bool = False

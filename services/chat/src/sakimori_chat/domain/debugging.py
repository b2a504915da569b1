"""Whom the debug API speaks of."""

from typing import Annotated

import msgspec

from sakimori_chat.domain.enforcement import Measure
from sakimori_chat.domain.identity import canonical_address, is_address, is_anonymous_id, network_of

MAX_SECONDS = 24 * 3600


class Target(msgspec.Struct, forbid_unknown_fields=True):
    """One of: an identity, a fingerprint, an address."""

    anon_id: str = ""
    fingerprint: str = ""
    address: str = ""

    def entity(self) -> tuple[str, str]:
        """Name kind and entity as a Measure does. Raises ValueError unless exactly one is given, and right."""
        given = [(name, value) for name, value in msgspec.structs.asdict(self).items() if name in _KINDS and value]
        if len(given) != 1:
            raise ValueError("name one of anon_id, fingerprint, address")
        name, value = given[0]
        kind, is_valid = _KINDS[name], _IS_VALID[name](value)
        if not is_valid:
            raise ValueError(f"{name}: not one: {value[:64]!r}")
        return kind, network_of(canonical_address(value)) if kind == "ip" else value


class Block(Target, forbid_unknown_fields=True):
    """Whom to block, and for how long."""

    seconds: Annotated[int, msgspec.Meta(ge=1, le=MAX_SECONDS)] = 30


def is_fingerprint(text: str) -> bool:
    """Tell whether a text can be a fingerprint."""
    return text.isascii() and text.isalnum() and len(text) <= 64


def lift(kind: str, entity: str, now: int) -> Measure:
    """Lift whatever blocks an entity; `now` in microseconds."""
    return Measure(kind, entity, decided_at=now, milliseconds=0, is_automatic=False)


_KINDS = {"anon_id": "user", "fingerprint": "fp", "address": "ip"}
_IS_VALID = {"anon_id": is_anonymous_id, "fingerprint": is_fingerprint, "address": is_address}

"""The addresses that are locked out now."""

from collections.abc import Iterable, Sequence

from sakimori_api_gateway.domain.addresses import Network, is_within, parse_address
from sakimori_common.contracts import Decision, DecisionAction
from sakimori_common.instants import MICROSECONDS, parse_instant

_SETTLING = 5 * MICROSECONDS
"""A decision heard of so shortly before the database was read may not have been in it yet."""


class Blocklist:
    """Addresses with the instant their block ends, from decisions as they come and from the database now and then.

    Instants are microseconds since the epoch. A lookup costs one dictionary access.
    """

    def __init__(self, never: Sequence[Network]) -> None:
        self._never = never
        self._until: dict[str, int] = {}
        self._heard_at: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._until)

    def remaining_seconds(self, address: str, now: int) -> int | None:
        """Tell how long an address stays locked out, at least 1; None when it is not."""
        until = self._until.get(address)
        if until is None or until <= now:
            return None
        return max(1, -(-(until - now) // MICROSECONDS))

    def hear(self, decision: Decision, now: int) -> None:
        """Take a decision as it is published; one that has expired lifts the block of its address."""
        address = self._address(decision)
        if address is None:
            return
        until = parse_instant(decision.expires_at)
        self._heard_at[address] = now
        if until <= now:
            self._until.pop(address, None)
        else:
            self._until[address] = max(until, self._until.get(address, 0))

    def replace(self, active: Iterable[Decision], read_at: int) -> None:
        """Put what the database says in place of all but what was heard of since, or shortly before, it was read.

        Of an address that was heard of, only decisions made after that add to it.
        """
        self._heard_at = {address: at for address, at in self._heard_at.items() if at > read_at - _SETTLING}
        until = {address: self._until[address] for address in self._heard_at if address in self._until}
        for decision in active:
            address = self._address(decision)
            if address is not None and parse_instant(decision.created_at) > self._heard_at.get(address, -1):
                until[address] = max(parse_instant(decision.expires_at), until.get(address, 0))
        self._until = until

    def _address(self, decision: Decision) -> str | None:
        if decision.entity_type != "source.ip" or decision.action is not DecisionAction.BLOCK or decision.dry_run:
            return None
        address = parse_address(decision.entity)
        return None if address is None or is_within(address, self._never) else str(address)

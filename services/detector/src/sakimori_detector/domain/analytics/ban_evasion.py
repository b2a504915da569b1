"""Ban evasion (S0-26, S0-33): a fingerprint that was limited comes back under new identities."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from sakimori_common.contracts import Event
from sakimori_detector.domain.analytics import identity_changes
from sakimori_detector.domain.analytics.contract import World, note, parameters, window_of
from sakimori_detector.domain.analytics.identity_changes import Change, Identities
from sakimori_detector.domain.folds import Fold, Step, Write, fold_over, recall
from sakimori_detector.domain.rules import AnalyticRule
from sakimori_detector.sigma.windows import Group, Sign, microseconds

MAX_CHANGES: Final = 16


class Parameters(identity_changes.Parameters, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """So many counted changes within so many seconds."""

    changes: int = 2
    within_seconds: int = 600


class _Memory(msgspec.Struct, array_like=True):
    identities: Identities
    changes: list[Change]


class BanEvasion:
    """Remembers identities and counted changes by fingerprint; the rule's window is the cooldown (120 s)."""

    def __init__(self, rule: AnalyticRule, world: World) -> None:  # all are built alike
        self._chosen = parameters(rule, Parameters)
        self.window = window_of(rule)
        self._ttl_seconds = max(self._chosen.remember_seconds, self._chosen.within_seconds)

    def observe(self, events: Sequence[Event]) -> tuple[list[Group], list[Fold]]:
        """See Analytic."""
        return [], [
            fold_over(
                (event.time for event in mine),
                (f"detector:identities:{self.window.rule_id}:{key}",),
                partial(self._step, key, mine),
            )
            for key, mine in identity_changes.by_fingerprint(events).items()
        ]

    def _step(self, key: str, events: Sequence[Event], values: Sequence[bytes | None]) -> Step:
        memory = recall(values[0], _Memory) or _Memory(Identities(), [])
        signs = []
        for event in events:
            change, withdrawn = memory.identities.observe(event, self._chosen)
            gone = {each.new for each in withdrawn}
            memory.changes = [earlier for earlier in memory.changes if earlier.new not in gone]
            if change is not None:
                memory.changes = self._recent(memory.changes, change)
                if len(memory.changes) >= self._chosen.changes:
                    signs.append(self._sign(memory.changes))
        write = Write(msgspec.msgpack.encode(memory), self._ttl_seconds)
        return Step([write], [Group(self.window, key, signs)] if signs else [])

    def _recent(self, changes: list[Change], change: Change) -> list[Change]:
        since = change.time - microseconds(self._chosen.within_seconds)
        return [*(earlier for earlier in changes if earlier.time >= since), change][-MAX_CHANGES:]

    def _sign(self, changes: list[Change]) -> Sign:
        latest = changes[-1]
        facts = {
            "previous_user": latest.previous,
            "new_user": latest.new,
            "changes": len(changes),
            "trigger": latest.trigger,
            "evidence": latest.told(self._chosen.weights),
        }
        return Sign(latest.time, latest.event_id, note=note(facts))

"""DNS tunnelling (S3-25): many different names under one domain, each too long or too random to be a name.

One such name is nothing: content networks and mail checks have them. So distinct names are counted by source and
registered domain, and names of which only the length of the registered domain itself is odd do not count.
"""

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from sakimori_common.contracts import Event
from sakimori_detector.domain.analytics.contract import World, note, parameters, window_of
from sakimori_detector.domain.folds import Fold
from sakimori_detector.domain.rules import AnalyticRule
from sakimori_detector.sigma.windows import Group, Sign


class Parameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Distinct suspicious names and the time they come in; what makes one suspicious (over, not at, each bound)."""

    names: int = 10
    within_seconds: int = 300
    max_length: int = 100
    max_labels: int = 10
    entropy: float = 4.0


class DnsTunnel:
    """Counts distinct suspicious names by source and registered domain."""

    def __init__(self, rule: AnalyticRule, world: World) -> None:  # all are built alike
        self._chosen = parameters(rule, Parameters)
        self.window = window_of(
            rule, threshold=self._chosen.names, timespan_seconds=self._chosen.within_seconds, by_value=True
        )

    def observe(self, events: Sequence[Event]) -> tuple[list[Group], list[Fold]]:
        """See Analytic."""
        groups = []
        for event in events:
            fields = event.fields
            name, source = fields.get("dns.question.name"), fields.get("source.ip")
            if not isinstance(name, str) or not isinstance(source, str) or fields.get("dns.type") == "answer":
                continue
            domain = str(fields.get("dns.question.registered_domain") or ".".join(name.split(".")[-2:]))
            if self._is_suspicious(name, name.removesuffix(domain).rstrip(".")):
                sign = Sign(event.time, event.id, name, note({"registered_domain": domain}))
                groups.append(Group(self.window, f"{source}\x1f{domain}", [sign]))
        return groups, []

    def _is_suspicious(self, name: str, subdomain: str) -> bool:
        chosen = self._chosen
        if not subdomain or name.endswith(".arpa"):
            return False
        is_odd = len(name) > chosen.max_length or name.count(".") + 1 > chosen.max_labels
        return is_odd or entropy(subdomain) > chosen.entropy


@lru_cache(maxsize=4096)
def entropy(text: str) -> float:
    """Compute Shannon's entropy of a text's characters, dots left out, in bits a character."""
    counts = Counter(text.replace(".", ""))
    total = sum(counts.values())
    return -sum(count / total * math.log2(count / total) for count in counts.values()) if total else 0.0

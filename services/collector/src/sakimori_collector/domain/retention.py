"""How long events are kept, by dataset."""

import re
from typing import Final

EVERYTHING: Final = "*"
_FLOWS: Final = "network.*"
_FLOW_DAYS: Final = 30
"""Flows are most of what a site stores, and after a month hardly anybody asks for a single one."""
_PATTERN: Final = re.compile(r"[a-z0-9_.-]{1,100}\*?")
_LONGEST_DAYS: Final = 36_500


def parse_retention(text: str, other_days: int) -> dict[str, int]:
    """Read COLLECTOR_RETENTION, `network.*=30,nginx.access=14`: days by dataset, or by how its name begins.

    The longest pattern that fits decides; `other_days` is for all others. `network.*` is kept for 30 days at most
    unless the text says so. Raises ValueError.
    """
    retention = {EVERYTHING: other_days, _FLOWS: min(_FLOW_DAYS, other_days)}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        pattern, _, days = (part.strip() for part in entry.partition("="))
        if not _PATTERN.fullmatch(pattern):
            raise ValueError(f"{entry!r}: write a dataset or how it begins, and days: nginx.access=14 or network.*=30")
        if not days.isascii() or not days.isdigit() or not 1 <= int(days) <= _LONGEST_DAYS:
            raise ValueError(f"{entry!r}: days are a whole number from 1 to {_LONGEST_DAYS}")
        retention[pattern] = int(days)
    return retention

"""The committed ratios, and whether this run is as good: machines differ and are noisy, ratios in one run much less."""

import json
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parent / "ratios.json"
TOLERANCE: Final = 1.25
"""A ratio that is this much worse than the committed one is a regression."""


def committed() -> dict[str, float]:
    """Read the ratios of the last update."""
    found: dict[str, float] = json.loads(FILE.read_text())
    return found


def write(ratios: dict[str, float]) -> None:
    """Make these the committed ones, beside those that this run did not measure."""
    merged = {**(committed() if FILE.exists() else {}), **ratios}
    FILE.write_text(json.dumps({name: round(value, 2) for name, value in sorted(merged.items())}, indent=2) + "\n")


def regressions(ratios: dict[str, float], known: dict[str, float]) -> list[str]:
    """List what is worse than it may be: what is named `times ...` should be more, all others less."""
    found = []
    for name, value in ratios.items():
        limit = known.get(name)
        if limit is None:
            continue
        is_worse = value * TOLERANCE < limit if name.startswith("times ") else value > limit * TOLERANCE
        if is_worse:
            found.append(f"{name} is {value:.2f}, was {limit:.2f}: over {TOLERANCE - 1:.0%} worse")
    return found

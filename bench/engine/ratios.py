"""The committed ratios, and whether this run is as good: machines differ and are noisy, ratios in one run much less."""

import json
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parent / "ratios.json"
TOLERANCE: Final = 1.2
"""A ratio that is this much worse than the committed one is a regression."""
GROWTH_LIMIT: Final = 2.0
LEAST_TO_PEER: Final = 20.0


def committed() -> dict[str, float]:
    """Read the ratios of the last update."""
    found: dict[str, float] = json.loads(FILE.read_text())
    return found


def write(ratios: dict[str, float]) -> None:
    """Make these the committed ones."""
    FILE.write_text(json.dumps({name: round(value, 2) for name, value in ratios.items()}, indent=2) + "\n")


def regressions(ratios: dict[str, float], known: dict[str, float]) -> list[str]:
    """List what is worse than it may be; `times_peer` is better when it is more, all others when they are less."""
    found = []
    for name, value in ratios.items():
        limit = known.get(name)
        if limit is None:
            continue
        is_worse = value * TOLERANCE < limit if name == "times_peer" else value > limit * TOLERANCE
        if is_worse:
            found.append(f"{name} is {value:.2f}, was {limit:.2f}: over {TOLERANCE - 1:.0%} worse")
    if ratios["growth"] >= GROWTH_LIMIT:
        found.append(f"growth from 100 to 3,000 rules is {ratios['growth']:.2f}, must be under {GROWTH_LIMIT}")
    if ratios.get("times_peer", LEAST_TO_PEER) < LEAST_TO_PEER:
        found.append(f"{ratios['times_peer']:.0f} times the best peer, must be {LEAST_TO_PEER:.0f}")
    return found

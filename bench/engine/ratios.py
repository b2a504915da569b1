"""The ratios of the engine, and what they must be whatever was committed."""

from pathlib import Path
from typing import Final

from bench.ratios import Ratios

RATIOS: Final = Ratios(Path(__file__).with_name("ratios.json"), 1.2, lambda name: name == "times_peer")
GROWTH_LIMIT: Final = 2.0
LEAST_TO_PEER: Final = 20.0


def beyond_limits(ratios: dict[str, float]) -> list[str]:
    """List the limits that a run does not keep."""
    found = []
    if ratios["growth"] >= GROWTH_LIMIT:
        found.append(f"growth from 100 to 3,000 rules is {ratios['growth']:.2f}, must be under {GROWTH_LIMIT}")
    if ratios.get("times_peer", LEAST_TO_PEER) < LEAST_TO_PEER:
        found.append(f"{ratios['times_peer']:.0f} times the best peer, must be {LEAST_TO_PEER:.0f}")
    return found

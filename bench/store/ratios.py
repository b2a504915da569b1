"""The committed ratios, and whether this run is as good."""

import json
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parent / "ratios.json"
TOLERANCE: Final = 1.2


def write(ratios: dict[str, float]) -> None:
    """Make these the committed ones."""
    FILE.write_text(json.dumps({name: round(value, 2) for name, value in ratios.items()}, indent=2) + "\n")


def checked(ratios: dict[str, float]) -> int:
    """Say what is worse than committed; 1 if anything is."""
    known: dict[str, float] = json.loads(FILE.read_text())
    worse = [name for name, value in ratios.items() if value * TOLERANCE < known[name]]
    for name in worse:
        print(f"regression: {name} is {ratios[name]:.2f}, was {known[name]:.2f}")
    if not worse:
        print("no regression")
    return 1 if worse else 0

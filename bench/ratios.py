"""Committed ratios, and whether a run is as good: machines differ and are noisy, ratios in one run much less."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ratios:
    """The ratios of one bench, in a file of JSON.

    One that is `tolerance` times worse than the committed one is a regression; `is_better_high` tells by its name
    whether more is better.
    """

    file: Path
    tolerance: float
    is_better_high: Callable[[str], bool]

    def committed(self) -> dict[str, float]:
        """Read the ratios of the last update."""
        found: dict[str, float] = json.loads(self.file.read_text()) if self.file.exists() else {}
        return found

    def write(self, ratios: dict[str, float]) -> None:
        """Make these the committed ones, beside those that this run did not measure."""
        merged = {**self.committed(), **ratios}
        rounded = {name: round(value, 2) for name, value in sorted(merged.items())}
        self.file.write_text(json.dumps(rounded, indent=2) + "\n")

    def regressions(self, ratios: dict[str, float]) -> list[str]:
        """List what is worse than it may be."""
        known, found = self.committed(), []
        for name, value in ratios.items():
            limit = known.get(name)
            if limit is None:
                continue
            if value * self.tolerance < limit if self.is_better_high(name) else value > limit * self.tolerance:
                found.append(f"{name} is {value:.2f}, was {limit:.2f}: over {self.tolerance - 1:.0%} worse")
        return found

    def check(self, ratios: dict[str, float], others: Iterable[str] = ()) -> int:
        """Print regressions, and other complaints of the same run; returns 1 if there are any."""
        worse = [*self.regressions(ratios), *others]
        for line in worse:
            print(f"regression: {line}")
        if not worse:
            print("no regression")
        return 1 if worse else 0

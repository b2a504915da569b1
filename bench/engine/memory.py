"""How much memory the rules take, and that events leave nothing behind: run in a process of its own.

python -m bench.engine.memory [RULES] [EVENTS]
"""

import gc
import sys
from pathlib import Path
from typing import Final

from bench.engine import engines, events, rules
from sakimori_detector.domain.engine import Engine

_BATCH: Final = 200


def resident_mebibytes() -> float:
    """Read the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / (1 << 20)


def main() -> None:
    """Load, evaluate, tell: `before` with everything imported, `rules` built and warm, then after each fifth."""
    count, total = int(sys.argv[1]), int(sys.argv[2])
    made = rules.generate(count, seed=1)
    warm = events.generate(20_000, made, seed=2)
    gc.collect()
    before = resident_mebibytes()
    found = engines.loaded(made)
    loaded = resident_mebibytes()
    engines.evaluating(found, engines.batches(warm, _BATCH))()
    gc.collect()
    print(f"before {before:.0f} MB, {count} rules loaded +{loaded - before:.0f}", end=", ", flush=True)
    fresh = resident_mebibytes()
    print(f"automata after {len(warm):,} events +{fresh - loaded:.0f}", flush=True)
    engine = Engine(found.rules, found.world)
    for part in range(5):
        for number in range(0, total // 5, 5_000):
            for batch in engines.batches(events.generate(5_000, made, seed=100 + part * total + number), _BATCH):
                engine.evaluate(batch)
        print(f"after {(part + 1) * total // 5:>9,} events {resident_mebibytes():.0f} MB", flush=True)


if __name__ == "__main__":
    main()

"""That lines leave nothing behind: resident memory while millions of different lines become events.

python -m bench.collector.memory [LINES]
"""

import gc
import sys
import time
from pathlib import Path
from typing import Final

from bench.collector import lines
from bench.collector.parsing import reading
from sakimori_collector.domain.formats import AUTO
from sakimori_common.runtime import calm_garbage_collector

_AT_ONCE: Final = 10_000
_PARTS: Final = 10


def resident_mebibytes() -> float:
    """Read the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / (1 << 20)


def main() -> None:
    """Read lines of all kinds, half of them by `auto`, and tell the memory after each tenth."""
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    calm_garbage_collector()
    print(f"before {resident_mebibytes():.1f} MB", flush=True)
    done, seed = 0, 0
    for part in range(1, _PARTS + 1):
        started = time.process_time()
        while done < total * part // _PARTS:
            for name, make in lines.MAKERS.items():
                seed += 1
                reading(make(_AT_ONCE, seed), AUTO if seed % 4 < 2 else name)()
                done += _AT_ONCE
        gc.collect()
        seconds = time.process_time() - started
        print(f"after {done:>10,} lines {resident_mebibytes():.1f} MB ({seconds:.0f} s with making them)", flush=True)


if __name__ == "__main__":
    main()

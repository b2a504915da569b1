"""The event store: rows a second beside a bare COPY, and what searches take as it grows.

    python -m bench.store [--rows N] [--search N,N,...] [--check | --update]

On an embedded PostgreSQL with the settings of `make run`, durable, in a folder that is deleted. `--search` fills the
store with so many events over 30 days, made by the server, and times what the gateway and the dashboards ask.
`--check` compares the ratio with the committed one and exits with 1 when it is over 20 % worse.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

import asyncpg

from bench.ratios import Ratios
from bench.store import searching, writing
from sakimori.embedded import PostgresServer
from sakimori_common.postgres import migrate, open_postgres

RATIOS = Ratios(Path(__file__).with_name("ratios.json"), 1.2, lambda _: True)
_ROUNDS = 7


def main() -> int:
    """Read the options and run."""
    options = argparse.ArgumentParser(prog="python -m bench.store", description=__doc__.partition("\n")[0])
    options.add_argument("--rows", type=int, default=50_000, help="in each round of writing; 0 leaves it out")
    options.add_argument("--search", default="", help="sizes at which to search: 1000000,5000000")
    deed = options.add_mutually_exclusive_group()
    deed.add_argument("--check", action="store_true", help="exit with 1 for a regression of over 20 %%")
    deed.add_argument("--update", action="store_true", help="commit to the ratios of this run")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="sakimori-bench-store-") as folder:
        Path(folder).chmod(0o755)
        server = PostgresServer(Path(folder))
        server.start()
        try:
            found = asyncio.run(
                _measured(server.url, given.rows, [int(size) for size in given.search.split(",") if size])
            )
        finally:
            server.stop()
    if given.update:
        RATIOS.write(found)
    return RATIOS.check(found) if given.check else 0


async def _measured(url: str, rows: int, sizes: list[int]) -> dict[str, float]:
    connection = await asyncpg.connect(url)
    await migrate(connection)
    await connection.close()
    postgres = await open_postgres(url)
    try:
        found = await _writing(postgres, rows) if rows else {}
        if sizes:
            await searching.measure(postgres, sorted(sizes))
    finally:
        await postgres.close()
    return found


async def _writing(postgres: "asyncpg.Pool", rows: int) -> dict[str, float]:
    costs = await writing.costs(postgres, rows, _ROUNDS)
    bare = costs[writing.BARE]
    print(f"{'':<42} {'rows/s':>9} {'us a row':>9} {'of bare':>8}   medians of {_ROUNDS}, {rows:,} rows each")
    shares = {}
    for name, seconds in costs.items():
        middle = statistics.median(seconds)
        shares[name] = statistics.median(one / other for one, other in zip(bare, seconds, strict=True))
        print(f"{name:<42} {rows / middle:>9,.0f} {middle / rows * 1e6:>9.1f} {shares[name]:>8.0%}")
    return {"write_to_bare": shares[writing.WRITE], "worker_to_bare": shares[writing.HANDLE]}


if __name__ == "__main__":
    sys.exit(main())

"""TimescaleDB for checks of SQL: the real extension in a PostgreSQL of WebAssembly (tests/timescale/server.js)."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "timescale"
MISSING = "No TimescaleDB for the tests: run them with `make test-timescale`, which needs node (20 or later) and npm."


class NoTimescale(Exception):
    """Node or its packages are not installed."""


@contextmanager
def timescale_server() -> Iterator[str]:
    """Start a server with nothing in it and give its URL; one client at a time, no COPY FROM STDIN."""
    if not (FOLDER / "node_modules").is_dir():
        raise NoTimescale(MISSING)
    process = subprocess.Popen(
        ["node", "server.js"], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        if not port:
            raise NoTimescale(f"TimescaleDB did not start: node ended with status {process.wait()}")
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable"
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()

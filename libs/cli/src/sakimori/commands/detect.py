"""`sakimori detect`: events (NDJSON) to findings (NDJSON) by the live engine."""

import itertools
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer

from sakimori.commands.rules import TimeZone, loaded_rules, report_problems
from sakimori_common.runtime import calm_garbage_collector
from sakimori_detector.offline import BATCH_EVENTS, BadLine, Latest, OfflineDetector, read_events

Files = Annotated[list[Path] | None, typer.Argument(help="Files of events, one JSON object a line; - is stdin.")]
Rules = Annotated[Path | None, typer.Option("--rules", help="The rules' folder.")]
Feeds = Annotated[
    Path | None, typer.Option("--feeds", help="Folder of feeds' last good copies, to use as they are; asks no server.")
]


def detect(files: Files = None, rules: Rules = None, time_zone: TimeZone = "Asia/Tokyo", feeds: Feeds = None) -> None:
    """Evaluate events against the rules; findings go to stdout when all events are read."""
    loaded = loaded_rules(rules, time_zone, feeds)
    report_problems(loaded)
    detector, latest = OfflineDetector(loaded.rules, loaded.world), Latest()
    calm_garbage_collector()
    is_refused = bool(loaded.problems)
    for path in files or [Path("-")]:
        is_refused |= not _feed(detector, latest, path)
    latest.add(detector.finish())
    for finding in latest.all():
        typer.echo(msgspec.json.encode(finding))
    raise typer.Exit(1 if is_refused else 0)


def _feed(detector: OfflineDetector, latest: Latest, path: Path) -> bool:
    """Run a file; says whether all of it could be read."""
    try:
        with _open(path) as lines:
            return _feed_lines(detector, latest, str(path), lines)
    except OSError as error:
        typer.echo(f"{path}: {error.strerror}", err=True)
        return False


def _feed_lines(detector: OfflineDetector, latest: Latest, name: str, lines: Iterable[bytes]) -> bool:
    bad: list[BadLine] = []
    refused = 0
    events = read_events(lines, bad)
    while batch := list(itertools.islice(events, BATCH_EVENTS)):
        latest.add(detector.feed(batch))
        refused += _report(name, bad)
    return refused + _report(name, bad) == 0


def _report(name: str, bad: list[BadLine]) -> int:
    for line in bad:
        typer.echo(f"{name}:{line.number}: {line.why}", err=True)
    count = len(bad)
    bad.clear()
    return count


def _open(path: Path) -> BinaryIO:
    return sys.stdin.buffer if str(path) == "-" else path.open("rb")

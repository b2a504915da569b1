"""`sakimori parse`: log lines to events."""

import os
import sys
import time
import zoneinfo
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, BinaryIO

import typer
from msgspec import json

from sakimori_collector.domain.formats import AUTO, FORMATS, Reference
from sakimori_collector.domain.reading import UnknownFormat, check_format
from sakimori_collector.offline import RejectedAt, parse_stream

STDIN = "-"
_PROGRESS_LINES = 20_000


def parse(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Log files; - reads standard input.")],
    format: Annotated[str, typer.Option(help=f"One of {', '.join([AUTO, *FORMATS])}.")] = AUTO,
    rejects: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write lines that are no event there, with the reason, as NDJSON."),
    ] = None,
    timezone: Annotated[str, typer.Option(help="Zone of times that name none, such as Asia/Tokyo.")] = "UTC",
) -> None:
    """Turn log lines into events, one JSON object a line.

    A line that cannot be read stops nothing: it is counted, and kept with --rejects.
    """
    reference = _reference(format, timezone)
    for name in files:
        _check_file(name, rejects)
    try:
        with ExitStack() as stack:
            kept = stack.enter_context(_opened_for_writing(rejects)) if rejects is not None else None
            run = _Run(format, reference, kept)
            for name in files:
                run.read(name)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Whoever read us has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    run.report()
    if run.has_refused:
        raise typer.Exit(1)


class _Run:
    """One call of the command: what was read, and how it went."""

    def __init__(self, format: str, reference: Reference, kept: IO[bytes] | None) -> None:
        self._format = format
        self._reference = reference
        self._kept = kept
        self._encoder = json.Encoder()
        self._lines = 0
        self._events = 0
        self._rejected = 0
        self._reasons: Counter[str] = Counter()
        self._is_watched = sys.stderr.isatty()
        self._unreadable: list[str] = []

    @property
    def has_refused(self) -> bool:
        """Whether anything became no event."""
        return self._rejected > 0 or bool(self._unreadable)

    def read(self, name: str) -> None:
        """Read one file to its end, or as far as it can be read."""
        out = sys.stdout.buffer
        try:
            with _opened(name) as stream:
                for events, rejected in parse_stream(stream, name, self._format, self._reference):
                    self._lines += 1
                    if rejected is not None:
                        self._refuse(rejected)
                    for event in events:
                        out.write(self._encoder.encode(event.to_flat()))
                        out.write(b"\n")
                    self._events += len(events)
                    if self._is_watched and self._lines % _PROGRESS_LINES == 0:
                        sys.stderr.write(f"\r{name}: {self._lines:,} lines ")
        except BrokenPipeError:
            raise
        except OSError as error:
            self._unreadable.append(name)
            typer.echo(f"sakimori parse: {name}: {error.strerror or error}", err=True)

    def report(self) -> None:
        """Sum up on standard error, at length on a terminal."""
        if not self._is_watched:
            if self._rejected:
                typer.echo(f"sakimori parse: {self._rejected} of {self._lines} lines rejected", err=True)
            return
        typer.echo(f"\r{self._lines:,} lines, {self._events:,} events, {self._rejected:,} rejected", err=True)
        for reason, count in self._reasons.most_common(5):
            typer.echo(f"{count:>9,}  {reason}", err=True)

    def _refuse(self, at: RejectedAt) -> None:
        self._rejected += 1
        self._reasons[at.rejected.reason if len(self._reasons) < 1000 else "other"] += 1
        if self._kept is not None:
            self._kept.write(self._encoder.encode(_described(at)))
            self._kept.write(b"\n")


def _described(at: RejectedAt) -> dict[str, Any]:
    line = at.rejected
    described: dict[str, Any] = {
        "file": line.source,
        "line": at.line,
        "offset": at.offset,
        "format": line.format,
        "reason": line.reason,
        "raw": line.raw.decode("utf-8", "backslashreplace"),
    }
    if described["raw"].encode() != line.raw:
        described["raw_base64"] = line.raw
    return described


def _reference(format: str, timezone: str) -> Reference:
    try:
        check_format(format)
        return Reference(time.time_ns() // 1000, zoneinfo.ZoneInfo(timezone))
    except UnknownFormat as error:
        raise typer.BadParameter(str(error), param_hint="--format") from None
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise typer.BadParameter(f"{timezone!r} is no time zone", param_hint="--timezone") from None


def _check_file(name: str, rejects: Path | None) -> None:
    if name == STDIN:
        return
    path = Path(name)
    if path.is_dir():
        raise typer.BadParameter(f"{name} is a folder; name the files in it", param_hint="FILE")
    if not path.exists():
        raise typer.BadParameter(f"{name}: no such file", param_hint="FILE")
    if rejects is not None and rejects.exists() and rejects.samefile(path):
        raise typer.BadParameter(f"{name} is also read", param_hint="--rejects")


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == STDIN:
        yield sys.stdin.buffer
        return
    with Path(name).open("rb") as stream:
        yield stream


@contextmanager
def _opened_for_writing(path: Path) -> Iterator[IO[bytes]]:
    try:
        stream = path.open("wb")
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror or error}", param_hint="--rejects") from None
    with stream:
        yield stream

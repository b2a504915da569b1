"""`sakimori pcap`: captures to events, without a broker."""

import os
import sys
import time
from pathlib import Path
from typing import IO, Annotated, Final

import typer

from sakimori_common.contracts import Event
from sakimori_packet_sensor.adapters.files import open_capture
from sakimori_packet_sensor.domain.capture import CaptureError
from sakimori_packet_sensor.domain.sensor import Counts, Sensor

_STDIN: Final = Path("-")
_PROGRESS_SECONDS: Final = 1.0

Files = Annotated[
    list[Path],
    typer.Argument(help="Captures: pcap or pcapng, also compressed by gzip; - reads stdin.", allow_dash=True),
]


def pcap(files: Files) -> None:
    """Turn captures into events: flows, DNS messages and sighted devices, NDJSON on stdout.

    A capture that is cut or damaged is read up to there, with a warning; that alone leaves the exit status at 0.
    """
    if missing := [str(path) for path in files if path != _STDIN and not path.is_file()]:
        for name in missing:
            _say(f"{name}: {'is a folder, name the captures in it' if Path(name).is_dir() else 'no such file'}")
        raise typer.Exit(2)
    try:
        refused = [path for path in files if not _convert(path, sys.stdout.buffer)]
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read us has enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    if refused:
        raise typer.Exit(1)


def _convert(path: Path, out: IO[bytes]) -> bool:
    """Write the events of one capture; False when it is none."""
    sensor = Sensor({"observer.name": "sakimori-pcap", "log.file.path": str(path)})
    started = shown = time.monotonic()
    try:
        with open_capture(sys.stdin.buffer if path == _STDIN else path) as capture:  # type: ignore[arg-type]  # it is a BufferedReader
            for events in sensor.events(capture):
                out.write(_lines(events))
                if sys.stderr.isatty() and time.monotonic() - shown > _PROGRESS_SECONDS:
                    shown = time.monotonic()
                    sys.stderr.write(f"\r{path}: {sensor.counts.packets:,} packets")
        out.flush()
    except CaptureError as error:
        _say(f"{path}: {error}")
        return False
    if capture.cut:
        _say(f"{path}: warning: {capture.cut}")
    _say(f"{path}: {_summary(sensor.counts, time.monotonic() - started)}")
    return True


def _lines(events: list[Event]) -> bytes:
    return b"".join([event.to_line() for event in events])


def _summary(counts: Counts, seconds: float) -> str:
    by_dataset = ", ".join(f"{dataset} {count:,}" for dataset, count in sorted(counts.events.items()))
    parts = [
        f"{counts.packets:,} packets",
        f"{counts.flows:,} flows",
        f"{counts.events.total():,} events" + (f" ({by_dataset})" if by_dataset else ""),
    ]
    if counts.undecoded:
        parts.append(
            "not decoded " + ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.undecoded.items()))
        )
    if counts.malformed:
        parts.append("malformed " + ", ".join(f"{count:,} {name}" for name, count in sorted(counts.malformed.items())))
    if counts.evicted:
        parts.append(f"{counts.evicted:,} flows reported early")
    parts.append(f"{seconds:.2f} s, {counts.packets / max(seconds, 1e-6):,.0f} packets/s")
    return "; ".join(parts)


def _say(line: str) -> None:
    sys.stderr.write(("\r\x1b[K" if sys.stderr.isatty() else "") + line + "\n")

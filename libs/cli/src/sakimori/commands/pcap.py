"""`sakimori pcap`: captures to events, without a broker."""

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

_STDIN: Final = Path("-")

Files = Annotated[
    list[Path],
    typer.Argument(help="Captures: pcap or pcapng, also compressed by gzip; - reads stdin.", allow_dash=True),
]
Filter = Annotated[
    str | None,
    typer.Option("--filter", metavar="EXPRESSION", help="Only packets that this accepts, as in tcpdump: 'port 53'."),
]


def pcap(files: Files, expression: Filter = None) -> None:
    """Turn captures into events: flows, protocols and devices, NDJSON on stdout.

    A capture that is cut or damaged is read up to there, with a warning; that alone leaves the exit status at 0.
    """
    if missing := [path for path in files if path != _STDIN and not (path.exists() and not path.is_dir())]:
        for path in missing:
            sys.stderr.write(f"{path}: {'is a folder, name the captures in it' if path.is_dir() else 'no such file'}\n")
        raise typer.Exit(2)
    from sakimori.conversion import Converter, FilterError  # noqa: PLC0415  # compiled code: a second that others save

    try:
        converter = Converter(sys.stdout.buffer, sys.stderr, expression)
    except FilterError as error:
        sys.stderr.write(f"--filter: {error}\n")
        raise typer.Exit(2) from None
    try:
        refused = [path for path in files if not converter.convert(path, is_stdin=path == _STDIN)]
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read us has enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    if refused:
        raise typer.Exit(1)

"""The `sakimori` command."""

import sys
from typing import Final

import typer

from sakimori.commands.db import db
from sakimori.commands.dead import dead
from sakimori.commands.demo import demo
from sakimori.commands.detect import detect
from sakimori.commands.parse import parse
from sakimori.commands.pcap import pcap
from sakimori.commands.rules import rules
from sakimori.commands.run import run
from sakimori.commands.user import user

EPILOG: Final = "Exit status: 0 done, 1 something was refused or failed a check, 2 wrong usage."

app = typer.Typer(
    name="sakimori",
    help="Sakimori: a security operations centre in one command.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (run, demo, parse, pcap, detect):
    app.command()(command)
for group in (rules, dead, db, user):
    app.add_typer(group)


def main() -> None:
    """Run the command; an interrupted one ends with status 130 and without a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

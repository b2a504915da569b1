"""The `sakimori` command."""

import sys
from importlib import import_module
from typing import Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

EPILOG: Final = "Exit status: 0 done, 1 something was refused or failed a check, 2 wrong usage."
COMMANDS: Final = ("run", "demo", "parse", "pcap", "detect", "rules", "dead", "quarantine", "db", "user")
"""Each is a module of sakimori.commands with a function, or a group of commands, of its name."""


class Commands(TyperGroup):
    """Imports the command that is asked for and no other: all of them together take two seconds."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # typer's own Context
        """Name the commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> TyperCommand | TyperGroup | None:  # type: ignore[override]
        """Import a command; None when there is no such."""
        if cmd_name not in COMMANDS:
            return None
        found = getattr(import_module(f"sakimori.commands.{cmd_name}"), cmd_name)
        if isinstance(found, typer.Typer):
            command = get_group(found)
        else:
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            alone.command()(found)
            command = get_command(alone)  # type: ignore[assignment]
        command.name = cmd_name
        return command


app = typer.Typer(
    name="sakimori",
    cls=Commands,
    help="Sakimori: a security operations centre in one command.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def sakimori() -> None:
    """Sakimori: a security operations centre in one command."""


def main() -> None:
    """Run the command; an interrupted one ends with status 130 and without a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

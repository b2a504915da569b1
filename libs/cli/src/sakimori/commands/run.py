"""`sakimori run`: the services, all in one process or one by itself."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Annotated

import typer

from sakimori.allinone.fleet import FLEET
from sakimori.allinone.home import Home, HomeError
from sakimori.allinone.runner import run_all
from sakimori.embedded import EmbeddedServerError
from sakimori_common.bus import BusUnavailable
from sakimori_common.postgres import CONNECTION_ERRORS, MigrationError
from sakimori_common.runtime import new_runner, run_service
from sakimori_common.settings import SettingsError

Names = Annotated[list[str] | None, typer.Argument(help="`all` (the default), or names of services.")]


def run(services: Names = None) -> None:
    """Run Sakimori: all six services in one process, or those named, each in a process of its own.

    All in one brings its own PostgreSQL and Valkey and a bus in memory, unless DATABASE_URL, VALKEY_URL or BUS_URL name
    other ones. Single services need all three.
    """
    names = services or ["all"]
    known = {member.name: member for member in FLEET}
    unknown = [name for name in names if name not in known and name != "all"]
    if unknown or ("all" in names and len(names) > 1):
        raise typer.BadParameter(f"choose all, or some of {', '.join(known)}")
    if names == ["all"]:
        raise typer.Exit(_run_all())
    if len(names) == 1:
        member = known[names[0]]
        raise typer.Exit(run_service(member.settings, member.running))
    raise typer.Exit(_run_side_by_side(names))


def _run_all() -> int:
    try:
        return new_runner(run_all(Home.open()))
    except SettingsError as error:
        typer.echo(f"sakimori cannot start:\n{error}", err=True)
        return 2
    except (HomeError, EmbeddedServerError, BusUnavailable, MigrationError, *CONNECTION_ERRORS) as error:
        typer.echo(f"sakimori cannot start: {error}", err=True)
        return 1


def _run_side_by_side(names: list[str]) -> int:
    """Run one process a service; when one ends, or a signal comes, all end."""
    if not os.environ.get("BUS_URL", "").startswith("amqp"):
        raise typer.BadParameter("services in processes of their own need BUS_URL=amqp://...; or run all in one")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # or the children would outlive us
    children: list[subprocess.Popen[bytes]] = []
    try:
        with suppress(KeyboardInterrupt):
            for name in names:
                children.append(subprocess.Popen([sys.executable, "-m", "sakimori", "run", name]))  # noqa: S603
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    finally:
        for child in children:
            child.terminate()
    return max(abs(child.wait()) for child in children)

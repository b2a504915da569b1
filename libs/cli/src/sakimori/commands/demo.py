"""`sakimori demo`: real attacks against a running instance."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sakimori.demo.play import play
from sakimori.demo.scenarios import SCENARIOS
from sakimori.demo.target import TargetError, find_target


def demo(
    url: Annotated[str | None, typer.Option(help="The gateway; found by itself for `make run` and compose.")] = None,
    env_file: Annotated[Path | None, typer.Option(help="The .env of docker compose, for its secrets.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Play only this one (repeat for more).")] = None,
    timeout_seconds: Annotated[
        float, typer.Option("--timeout", min=0.1, help="How long to wait for a finding.")
    ] = 20.0,
) -> None:
    """Play attacks against a running instance and show which finding came of each, and how fast.

    Sends to that instance only, from documentation addresses, a few hundred requests in all. Exit status 1 when a
    finding or its notice is missing.
    """
    keys = [scenario.key for scenario in SCENARIOS]
    unknown = [key for key in only or [] if key not in keys]
    if unknown:
        raise typer.BadParameter(f"no scenario {unknown[0]!r}; there are {', '.join(keys)}")
    chosen = [scenario for scenario in SCENARIOS if not only or scenario.key in only]
    try:
        went_well = asyncio.run(
            play(find_target(url, env_file), chosen, timeout_seconds, Console(highlight=False, soft_wrap=True))
        )
    except TargetError as error:
        typer.echo(f"sakimori demo: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(0 if went_well else 1)

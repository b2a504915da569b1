"""`sakimori quarantine`: lines that the collector could not make events of, and reading them again."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import httpx
import typer

from sakimori.demo.target import TargetError, find_target, sign_in

T = TypeVar("T")

quarantine = typer.Typer(
    name="quarantine", help="Rejected lines of a running instance: why, and reading them again.", no_args_is_help=True
)

Source = Annotated[str | None, typer.Option(help="What the lines are counted under, as `quarantine list` has it.")]
Reason = Annotated[str | None, typer.Option(help="Exactly as `quarantine list` has it.")]
Gateway = Annotated[str | None, typer.Option(help="URL of the gateway; without, the instance of `make run`.")]
EnvFile = Annotated[Path | None, typer.Option(help="The .env of docker compose, for its port and password.")]

_TIMEOUT_SECONDS = 60.0


@quarantine.command(name="list")
def list_(
    source: Source = None, reason: Reason = None, gateway: Gateway = None, env_file: EnvFile = None, limit: int = 20
) -> None:
    """Count rejected lines by source and reason, or show those of a source or reason, the latest first."""
    query = _given(source=source, reason=reason)

    async def _show(client: httpx.AsyncClient) -> None:
        if not query:
            for count in (await _ask(client, "GET", "/stats/summary"))["counts"]:
                typer.echo(f"{count['lines']:>8}  {count['source']}: {count['reason']}")
            return
        for line in (await _ask(client, "GET", "", params={**query, "limit": limit}))["lines"]:
            typer.echo(f"{line['id']}  {line['received_at']}  {line['reason']}\n    {line['text']}")

    _on_gateway(gateway, env_file, _show)


@quarantine.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Lines to read again; else --source or --reason.")] = None,
    *,
    source: Source = None,
    reason: Reason = None,
    format: Annotated[str | None, typer.Option(help="Read them in this format instead.")] = None,
    gateway: Gateway = None,
    env_file: EnvFile = None,
) -> None:
    """Read rejected lines again, with the formats as they are now. Exit status 1 when some are rejected again."""
    wanted = {**_given(source=source, reason=reason), **({"ids": ids} if ids else {})}
    if not wanted:
        raise typer.BadParameter("name lines, or --source or --reason")

    async def _replay(client: httpx.AsyncClient) -> int:
        published = rejected = 0
        at: str | None = None
        while True:
            order = {**wanted, **_given(format=format, at=at)}
            done = await _ask(client, "POST", "/replay", json=order)
            published, rejected, at = published + int(done["published"]), rejected + int(done["rejected"]), done["at"]
            if at is None:
                typer.echo(f"{published} published, {rejected} rejected again")
                return rejected

    if _on_gateway(gateway, env_file, _replay):
        raise typer.Exit(1)


def _given(**values: str | None) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


async def _ask(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> dict[str, Any]:
    try:
        answer = await client.request(method, f"/api/v1/quarantine{path}", **more)
    except httpx.HTTPError as error:
        raise TargetError(f"the gateway does not answer ({type(error).__name__})") from None
    if answer.status_code != 200:
        raise TargetError(f"HTTP {answer.status_code}: {answer.json().get('detail', answer.text)}")
    return dict(answer.json())


def _on_gateway(gateway: str | None, env_file: Path | None, work: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
    async def _work() -> T:
        target = find_target(gateway, env_file)
        async with httpx.AsyncClient(base_url=target.gateway, timeout=_TIMEOUT_SECONDS) as client:
            client.headers["authorization"] = f"Bearer {await sign_in(target, client)}"
            return await work(client)

    try:
        return asyncio.run(_work())
    except TargetError as error:
        typer.echo(f"sakimori quarantine: {error}", err=True)
        raise typer.Exit(1) from None

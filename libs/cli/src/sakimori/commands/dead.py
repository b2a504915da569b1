"""`sakimori dead`: what could not be handled, why, and sending it on its way again."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import msgspec
import typer

from sakimori.connect import bus_url
from sakimori_common.bus import QUEUES, Bus, BusUnavailable, DeadLetter, Queue, dead_letters_of, open_bus
from sakimori_common.contracts import DECISIONS, EVENTS, FINDINGS, WireError
from sakimori_common.log import configure_logging

T = TypeVar("T")

dead = typer.Typer(name="dead", help="Dead letters: what could not be handled, and why.", no_args_is_help=True)

QueueName = Annotated[Queue, typer.Argument(help="The queue that the message died in.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="Look at so many at most.")]


@dead.command(name="list")
def list_(queue: Annotated[Queue | None, typer.Argument()] = None, limit: Limit = 100) -> None:
    """Show how many dead letters each queue has, or those of one queue: id, when, why."""
    if queue is None:
        for name, count in _on_bus(_counts).items():
            typer.echo(f"{count:>8}  {name}")
        return
    for letter in _on_bus(lambda bus: bus.dead(queue, limit)):
        typer.echo(f"{letter.message.id}  {letter.died_at}  {letter.reason}")


@dead.command()
def show(
    queue: QueueName, id: Annotated[str, typer.Argument(help="As `dead list` shows it.")], limit: Limit = 1000
) -> None:
    """Show one dead letter in full, its batch decoded where it can be."""
    letters = [letter for letter in _on_bus(lambda bus: bus.dead(queue, limit)) if letter.message.id == id]
    if not letters:
        typer.echo(f"{id}: not among the first {limit} dead letters of {queue}", err=True)
        raise typer.Exit(1)
    typer.echo(json.dumps(_described(letters[0]), indent=2, ensure_ascii=False))


@dead.command()
def replay(
    queue: QueueName,
    ids: Annotated[list[str] | None, typer.Argument(help="Those to send again; all when none is named.")] = None,
    limit: Limit = 1000,
) -> None:
    """Put dead letters back into their queue, after what killed them is mended."""
    count = _on_bus(lambda bus: bus.revive(queue, ids or None, limit))
    typer.echo(f"{count} sent back to {queue}")
    if ids and count < len(ids):
        raise typer.Exit(1)


async def _counts(bus: Bus) -> dict[str, int]:
    return {dead_letters_of(queue): await bus.depth(dead_letters_of(queue)) for queue in QUEUES}


def _described(letter: DeadLetter) -> dict[str, object]:
    batch: object = f"{len(letter.message.body)} bytes that are no batch"
    for codec in (EVENTS, FINDINGS, DECISIONS):
        try:
            batch = msgspec.to_builtins(codec.decode(letter.message.body))
            break
        except WireError:
            continue
    return {
        "id": letter.message.id,
        "queue": letter.queue,
        "died_at": letter.died_at,
        "reason": letter.reason,
        "headers": dict(letter.message.headers),
        "batch": batch,
    }


def _on_bus(work: Callable[[Bus], Awaitable[T]]) -> T:
    async def _work() -> T:
        bus = await open_bus(bus_url(), service="cli")
        try:
            return await work(bus)
        finally:
            await bus.close()

    configure_logging("CRITICAL")  # the protocol library would tell of a broken connection before we do
    try:
        return asyncio.run(_work())
    except BusUnavailable as error:
        typer.echo(f"sakimori dead: the broker does not answer: {error}", err=True)
        raise typer.Exit(1) from None

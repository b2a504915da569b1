"""Requests of one network stand in line behind each other, not in front of everybody else's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sakimori_chat.domain.turns import Turns

TURN_SECONDS: Final = 0.05
"""After so long a request no longer counts: it waits for a store or for its sender, which takes no time from anybody,
and those behind it, maybe other people of the same network, shall not wait for that as well."""


class Queueing:
    """Has a few requests of each network in work at once; the others wait in the order in which they came."""

    def __init__(self) -> None:
        self._turns: Turns[asyncio.Future[None]] = Turns()

    def is_full(self, network: str) -> bool:
        """Tell whether so many of a network wait that another one should be sent away."""
        return self._turns.is_full(network)

    @asynccontextmanager
    async def turn(self, network: str) -> AsyncIterator[None]:
        """Wait for a turn, and hold it while the block runs, at most TURN_SECONDS.

        So nobody waits for longer than MAX_WAITING / AT_ONCE times that, 3.2 s, whatever those before do.
        """
        loop = asyncio.get_running_loop()
        await self._begun(network, loop.create_future())
        is_over = False

        def end() -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                self._end(network)

        timer = loop.call_later(TURN_SECONDS, end)
        try:
            yield
        finally:
            timer.cancel()
            end()

    async def _begun(self, network: str, ticket: "asyncio.Future[None]") -> None:
        if self._turns.begins(network, ticket):
            return
        try:
            await ticket
        except asyncio.CancelledError:
            if not self._turns.withdrawn(network, ticket):
                self._end(network)
            raise

    def _end(self, network: str) -> None:
        ticket = self._turns.ended(network)
        if ticket is not None and not ticket.done():
            ticket.set_result(None)

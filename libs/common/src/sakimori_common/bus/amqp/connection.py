"""One connection to RabbitMQ that comes back, and what may go wrong on it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiormq
from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import AMQPError, DeliveryError
from pamqp.commands import Basic
from yarl import URL

from sakimori_common.bus.amqp.declarations import declare_topology
from sakimori_common.bus.errors import BusUnavailable
from sakimori_common.log import logger

CONNECT_SECONDS = 10.0
HEARTBEAT_SECONDS = 10
"""A broker that vanished without a word is noticed after about three of these."""
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0


class ConnectionLost(Exception):
    """The connection or channel is gone; whether the last request arrived is unknown."""


class NotAccepted(Exception):
    """The broker answered, and it has not taken the message; the text says why."""


@asynccontextmanager
async def losses() -> AsyncIterator[None]:
    """Turn what aiormq raises when a connection or channel goes away into ConnectionLost.

    A closing connection also cancels those who wait on it. Such a CancelledError is told from a real one by asking
    whether anybody cancelled this task.
    """
    try:
        yield
    except DeliveryError:
        raise
    except (AMQPError, RuntimeError, OSError, EOFError) as error:
        raise ConnectionLost(f"{type(error).__name__}: {error}") from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ConnectionLost("closed while waiting") from error


@dataclass(slots=True, eq=False)
class Session:
    """One life of a connection, from connect to loss, with a channel that confirms what is published on it."""

    connection: AbstractConnection
    confirming: AbstractChannel

    async def publish(
        self, exchange: str, routing_key: str, body: bytes, message_id: str, headers: Mapping[str, str]
    ) -> None:
        """Publish and wait for the broker's word. Raises ConnectionLost, NotAccepted."""
        properties = Basic.Properties(
            content_type="application/msgpack", delivery_mode=2, message_id=message_id, headers=dict(headers)
        )
        try:
            async with losses():
                await self.confirming.basic_publish(
                    body, exchange=exchange, routing_key=routing_key, properties=properties, mandatory=True
                )
        except DeliveryError as error:
            why = "no queue takes it" if isinstance(error, aiormq.PublishError) else "the broker refused it"
            raise NotAccepted(f"{exchange or routing_key}: {why}") from error

    @asynccontextmanager
    async def channel(self, *, confirms: bool = False) -> AsyncIterator[AbstractChannel]:
        """Open a channel for the block. Raises ConnectionLost for whatever ends it or the connection."""
        async with losses():
            channel = await self.connection.channel(publisher_confirms=confirms)
            try:
                yield channel
            finally:
                await _close(channel)

    async def declare(self) -> None:
        """Declare the topology. Raises ConnectionLost."""
        async with self.channel() as channel:
            await declare_topology(channel)

    async def ended(self) -> None:
        """Wait until the connection, or the channel that publishes, is gone; then both are."""
        watched = {asyncio.ensure_future(self.connection.closing), asyncio.ensure_future(self.confirming.closing)}
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in watched:
                future.cancel()
        await self.close()

    async def close(self) -> None:
        """Close what is still open."""
        await _close(self.connection)


class Link:
    """A connection that is opened again for as long as it takes, each time with the topology declared."""

    def __init__(self, url: str, name: str) -> None:
        self._url = URL(url).update_query({"heartbeat": str(HEARTBEAT_SECONDS), "name": name})
        self._name = name
        self._log = logger("bus").bind(connection=name)
        self._session: Session | None = None
        self._is_up = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect for the first time. Raises BusUnavailable that says why it does not work."""
        try:
            session = await self._connect()
        except ConnectionLost as error:
            raise BusUnavailable(f"RabbitMQ at {self._url.host}:{self._url.port}: {error}") from None
        self._set(session)
        self._keeper = asyncio.create_task(self._keep(session), name=f"amqp-{self._name}")

    async def session(self) -> Session:
        """Give the session, waiting for as long as there is none."""
        while self._session is None:
            await self._is_up.wait()
        return self._session

    async def discard(self, session: Session) -> None:
        """Give up a session on which something was lost; the next caller waits for a new one."""
        if self._session is session:
            self._set(None)
        await session.close()

    async def close(self) -> None:
        """Close for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _keep(self, session: Session) -> None:
        while True:
            await session.ended()
            self._set(None)
            self._log.warning("broker_lost")
            session = await self._connect_again()
            self._set(session)
            self._log.info("broker_back")

    async def _connect_again(self) -> Session:
        pause, said = _FIRST_PAUSE_SECONDS, ""
        while True:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            try:
                return await self._connect()
            except ConnectionLost as error:
                if str(error) != said:
                    said = str(error)
                    self._log.warning("broker_away", reason=said)

    async def _connect(self) -> Session:
        """Connect and declare. Raises ConnectionLost."""
        connection: AbstractConnection | None = None
        try:
            async with asyncio.timeout(CONNECT_SECONDS), losses():
                connection = await aiormq.connect(self._url)
                session = Session(connection, await connection.channel(publisher_confirms=True))
                await session.declare()
                return session
        except BaseException as error:
            if connection is not None:
                await _close(connection)
            if isinstance(error, TimeoutError):
                raise ConnectionLost(f"no answer within {CONNECT_SECONDS:g} s") from None
            raise

    def _set(self, session: Session | None) -> None:
        self._session = session
        if session is None:
            self._is_up.clear()
        else:
            self._is_up.set()


async def _close(resource: AbstractConnection | AbstractChannel) -> None:
    """Close a connection or channel that may be broken already; never raises but for a real cancellation."""
    with suppress(ConnectionLost, TimeoutError):
        async with losses(), asyncio.timeout(5):
            await resource.close()

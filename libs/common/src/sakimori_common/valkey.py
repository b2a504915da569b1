"""Valkey: the client every service uses."""

from typing import Final

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis

from sakimori_common.bus.errors import Unavailable

CONNECTION_ERRORS = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.BusyLoadingError, OSError)
"""What the client raises when Valkey is away."""

MAX_CONNECTIONS: Final = 64
"""Of one client; one call takes some 0.2 ms, so more would only wait in Valkey."""


def open_valkey(url: str, *, timeout_seconds: float = 1.0) -> Redis:
    """Make a client; it connects at first use and again after a loss. Answers are bytes.

    `timeout_seconds` bounds connecting and every answer: whoever waits on Valkey learns within about a second that it
    is away (S0-37). A burst of more calls than there are connections waits for one, as long; the client's usual pool
    refuses it at once.
    """
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=timeout_seconds,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        health_check_interval=15,
    )
    return Redis.from_pool(pool)


def timeout_of(valkey: Redis) -> float:
    """Tell how many seconds a client of `open_valkey` waits for an answer."""
    seconds: float = valkey.connection_pool.connection_kwargs["socket_timeout"]
    return seconds


def unavailable(error: BaseException) -> Unavailable:
    """Say that Valkey is away in the bus's words."""
    return Unavailable(f"Valkey: {type(error).__name__}")

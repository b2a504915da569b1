"""Valkey: the client every service uses."""

from redis import exceptions
from redis.asyncio import Redis

from sakimori_common.bus.errors import Unavailable

CONNECTION_ERRORS = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.BusyLoadingError, OSError)
"""What the client raises when Valkey is away."""


def open_valkey(url: str, *, timeout_seconds: float = 1.0) -> Redis:
    """Make a client; it connects at first use and again after a loss. Answers are bytes.

    `timeout_seconds` bounds connecting and every answer: whoever waits on Valkey learns within about a second that it
    is away (S0-37).
    """
    client: Redis = Redis.from_url(
        url, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds, health_check_interval=15
    )
    return client


def unavailable(error: BaseException) -> Unavailable:
    """Say that Valkey is away in the bus's words."""
    return Unavailable(f"Valkey: {type(error).__name__}")

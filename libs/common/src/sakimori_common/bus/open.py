"""From a URL to a bus."""

from sakimori_common.bus.port import Bus


async def open_bus(url: str, *, service: str, publish_timeout_seconds: float = 10.0) -> Bus:
    """Open the bus that the URL names: `memory://` or `amqp://user:password@host:port/vhost` (also `amqps`).

    Raises ValueError for another scheme and BusUnavailable when the broker cannot be reached in time.
    """
    scheme = url.partition(":")[0]
    if scheme == "memory":
        from sakimori_common.bus.memory import MemoryBus  # noqa: PLC0415  # see amqp

        return MemoryBus(publish_timeout_seconds=publish_timeout_seconds)
    if scheme in {"amqp", "amqps"}:
        from sakimori_common.bus.amqp import AmqpBus  # noqa: PLC0415  # one process never needs it: 0.2 s of start

        return await AmqpBus.connect(url, service=service, publish_timeout_seconds=publish_timeout_seconds)
    raise ValueError(f"BUS_URL must begin with memory: or amqp:, not {scheme}:")

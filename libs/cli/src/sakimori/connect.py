"""Where a command finds the servers it works on."""

import os

import typer


def database_url() -> str:
    """Read DATABASE_URL. Raises typer.BadParameter (exit 2) when it is not set."""
    return _required("DATABASE_URL", "postgresql://user:password@host:5432/name")


def bus_url() -> str:
    """Read BUS_URL, which must name a broker: a bus in memory is inside its process only."""
    url = _required("BUS_URL", "amqp://user:password@host:5672/")
    if not url.startswith("amqp"):
        raise typer.BadParameter(
            "BUS_URL must name a broker (amqp://...): a bus in memory cannot be reached from outside"
        )
    return url


def _required(name: str, example: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise typer.BadParameter(f"set {name}, for example {name}={example}")
    return value

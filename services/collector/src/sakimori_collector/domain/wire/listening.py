"""Where to listen, as settings say it."""

from dataclasses import dataclass

from sakimori_collector.domain.formats import AUTO
from sakimori_collector.domain.reading import check_format


@dataclass(frozen=True, slots=True)
class Listener:
    """An address and port to listen at, and the format of what is sent there."""

    host: str
    port: int
    format: str = AUTO


def parse_listeners(text: str) -> list[Listener]:
    """Read `0.0.0.0:5514,[::]:5515=nginx.access`; without format it is `auto`. Raises ValueError, UnknownFormat."""
    listeners = []
    for part in filter(None, map(str.strip, text.split(","))):
        place, mark, name = part.partition("=")
        host, colon, port = place.strip().rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not host or not port.isdecimal() or not int(port) <= 65535:
            raise ValueError(f"{part!r} is no address and port such as 0.0.0.0:5514")
        listeners.append(Listener(host, int(port), check_format(name.strip()) if mark else AUTO))
    return listeners

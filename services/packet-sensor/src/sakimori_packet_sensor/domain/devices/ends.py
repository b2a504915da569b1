"""The two ends of an event, and its fields as what they should be."""

from collections.abc import Iterator, Mapping
from typing import Final

from sakimori_common.contracts import Event, FieldValue
from sakimori_packet_sensor.domain.devices.device import Device
from sakimori_packet_sensor.domain.devices.neighbourhood import Neighbourhood

Fields = Mapping[str, FieldValue]
_LIST_ITEMS: Final = 16


class Ends:
    """The devices at the two ends of an event, where the address there is their own; None else."""

    __slots__ = ("destination", "source")

    def __init__(self, hood: Neighbourhood, event: Event) -> None:
        fields, time = event.fields, event.time
        source = hood.find(fields.get("source.mac"), time)
        destination = hood.find(fields.get("destination.mac"), time)
        self.source = source if source is not None and hood.belongs(source, fields.get("source.ip"), time) else None
        self.destination = (
            destination
            if destination is not None and hood.belongs(destination, fields.get("destination.ip"), time)
            else None
        )

    def __iter__(self) -> Iterator[Device | None]:
        """Give source and destination."""
        yield self.source
        yield self.destination


def text(fields: Fields, name: str) -> str:
    """Read a field as text; empty when absent, the first of a list."""
    value = fields.get(name)
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return str(value[0]) if value else ""
    return "" if value is None else str(value)


def texts(value: FieldValue) -> list[str]:
    """Read a value as some texts."""
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value[:_LIST_ITEMS]] if isinstance(value, list) else []


def number(fields: Fields, name: str) -> int:
    """Read a field as a number; 0 when it is none."""
    value = fields.get(name)
    return value if isinstance(value, int) else 0

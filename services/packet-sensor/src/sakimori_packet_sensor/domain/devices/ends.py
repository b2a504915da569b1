"""The two ends of an event, and its fields as what they should be."""

from collections.abc import Mapping
from typing import Final

from sakimori_common.contracts import Event, FieldValue
from sakimori_packet_sensor.domain.devices.device import Device
from sakimori_packet_sensor.domain.devices.neighbourhood import Neighbourhood

Fields = Mapping[str, FieldValue]
_LIST_ITEMS: Final = 16


def ends_of(hood: Neighbourhood, event: Event) -> tuple[Device | None, Device | None]:
    """Find the devices at source and destination, where the address there is their own; None else."""
    fields, time = event.fields, event.time
    source = hood.find(fields.get("source.mac"), time)
    destination = hood.find(fields.get("destination.mac"), time)
    if source is not None and not hood.belongs(source, fields.get("source.ip"), time):
        source = None
    if destination is not None and not hood.belongs(destination, fields.get("destination.ip"), time):
        destination = None
    return source, destination


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

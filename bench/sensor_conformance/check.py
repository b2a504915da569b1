"""What the sensor makes of a capture, and which of its events are those that a peer asks for."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.conformance import Flat
from sakimori_packet_sensor.adapters.files import open_capture
from sakimori_packet_sensor.domain.capture import CaptureError
from sakimori_packet_sensor.domain.sensor import Sensor


def events_of(capture: Path) -> list[Flat]:
    """Read a capture as `sakimori pcap` does, its events in order, without those about devices."""
    sensor = Sensor({"observer.name": "conformance"})
    try:
        with open_capture(capture) as blocks:
            return [event.to_flat() for events in sensor.events(blocks) for event in events]
    except CaptureError as error:
        return [{"event.dataset": "none", "error.message": str(error)}]


def matching(events: Iterable[Flat], wanted: Flat) -> list[Flat]:
    """Find the events that have all wanted fields with these values (texts without regard to case)."""
    return [event for event in events if all(_same(event.get(name), value) for name, value in wanted.items())]


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, str) and isinstance(found, str):
        return found.casefold() == wanted.casefold()
    if isinstance(found, list) and not isinstance(wanted, list):
        return any(_same(item, wanted) for item in found)
    if isinstance(wanted, bool) or isinstance(found, bool):
        return bool(found) == bool(wanted) if found is not None or not wanted else False
    return bool(found == wanted)

"""A capture on its way through a sensor. Importing this loads the compiled part, which takes about a second."""

from collections.abc import Iterator
from pathlib import Path

from sakimori_common.contracts import Event
from sakimori_packet_sensor.adapters.files import open_capture
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sakimori_packet_sensor.domain.headers import Origin
from sakimori_packet_sensor.domain.sensor import Counts, Sensor


class Reading:
    """One slice of a capture a call. Closes the file when it is done or dropped."""

    def __init__(
        self, path: Path, origin: Origin, limits: FlowLimits, ports: frozenset[int] | None, limit_bytes: int | None
    ) -> None:
        self._sensor = Sensor(origin, limits, ports)
        self.cut: str | None = None
        self._slices = self._read(path, limit_bytes)

    @property
    def counts(self) -> Counts:
        """What was read so far."""
        return self._sensor.counts

    def next(self) -> list[Event] | None:
        """Read on; None at the end. Raises CaptureError when it is no capture."""
        return next(self._slices, None)

    def _read(self, path: Path, limit_bytes: int | None) -> Iterator[list[Event]]:
        with open_capture(path, limit_bytes=limit_bytes) as capture:
            yield from self._sensor.events(capture)
            self.cut = capture.cut

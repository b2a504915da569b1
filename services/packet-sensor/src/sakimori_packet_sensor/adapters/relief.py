"""Asking for relief while live events fill the disk: no new flows are followed until there is room again."""

from collections.abc import Callable

import structlog

from sakimori_packet_sensor.domain.pressure import Pressure
from sakimori_packet_sensor.metrics import SensorMetrics


class Relief:
    """Calls `on_pressure(True)` when the spool is filled beyond the high mark, with False below the low one.

    Flows that are followed already find room in what is left.
    """

    def __init__(self, pressure: Pressure, metrics: SensorMetrics, log: structlog.stdlib.BoundLogger) -> None:
        self._pressure = pressure
        self._metrics = metrics
        self._log = log
        self.on_pressure: Callable[[bool], None] = lambda _: None

    @property
    def is_pressed(self) -> bool:
        """Tell whether no new flows are to be followed."""
        return self._pressure.is_high

    def weigh(self, spool_bytes: int) -> None:
        """Take the spool's level as it is now."""
        if self._pressure.weigh(spool_bytes):
            is_high = self._pressure.is_high
            self._metrics.is_shedding.set(is_high)
            self._log.warning("shedding_began" if is_high else "shedding_ended", spool_bytes=spool_bytes)
            self.on_pressure(is_high)

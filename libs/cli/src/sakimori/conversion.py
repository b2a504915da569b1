"""Captures to lines of events. Importing this loads the sensor's compiled part, or compiles it the first time."""

import gc
import sys
import time
from pathlib import Path
from threading import Timer
from typing import IO, Final

from sakimori_common.contracts import Event
from sakimori_packet_sensor.adapters.bpf import packet_filter
from sakimori_packet_sensor.adapters.files import open_capture
from sakimori_packet_sensor.adapters.knowledge import shipped_knowledge, shipped_rules
from sakimori_packet_sensor.adapters.vendors import manufacturer
from sakimori_packet_sensor.domain.capture import CaptureError
from sakimori_packet_sensor.domain.devices.knowledge import Knowledge
from sakimori_packet_sensor.domain.devices.model import ModelError
from sakimori_packet_sensor.domain.devices.registry import Devices
from sakimori_packet_sensor.domain.headers import Origin
from sakimori_packet_sensor.domain.sensor import Counts, Sensor

_PROGRESS_SECONDS: Final = 1.0
_SILENCE_SECONDS: Final = 4.0
_COLLECT_AFTER: Final = 100_000
"""Events refer to nothing that refers to them: to look for cycles among them costs time and finds none."""


class FilterError(ValueError):
    """The filter is no expression; the message says why."""


class Converter:
    """Writes the events of one capture after the other to `out`, and what there is to say about it to `said`.

    Raises FilterError when the filter cannot be compiled.
    """

    def __init__(self, out: IO[bytes], said: IO[str], expression: str | None = None) -> None:
        self._out = out
        self._said = said
        self._knowledge: Knowledge | None = None
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER)
        try:
            self._filter = None if expression is None else packet_filter(expression)
        except CaptureError as error:
            raise FilterError(str(error)) from None

    def convert(self, path: Path, *, is_stdin: bool = False) -> bool:
        """Write the events of one capture; False when it is none."""
        origin: Origin = {"observer.name": "sakimori-pcap", "log.file.path": str(path)}
        reading = _Reading(path, self._sensor(origin), Devices(self._known(), origin), self)
        source = sys.stdin.buffer if is_stdin else path
        try:
            with open_capture(source, packet_filter=self._filter) as capture:  # type: ignore[arg-type]  # a BufferedReader
                started = time.monotonic()
                for events in reading.sensor.events(capture):
                    reading.write(events)
                reading.finish()
        except CaptureError as error:
            self.say(f"{path}: {error}")
            return False
        if capture.cut:
            self.say(f"{path}: warning: {capture.cut}")
        self.say(f"{path}: {reading.summary(time.monotonic() - started)}")
        return True

    def write(self, events: list[Event]) -> None:
        """Write events, one a line."""
        self._out.write(b"".join([event.to_line() for event in events]))

    def flush(self) -> None:
        """See all lines off."""
        self._out.flush()

    def say(self, line: str, *, is_passing: bool = False) -> None:
        """Say something; what is passing only on a terminal, where the next line replaces it."""
        is_terminal = self._said.isatty()
        if is_terminal or not is_passing:
            self._said.write(("\r\x1b[K" if is_terminal else "") + line + ("" if is_passing else "\n"))

    def _sensor(self, origin: Origin) -> Sensor:
        """Make a sensor; where that must be compiled first, say why nothing happens."""
        patience = Timer(_SILENCE_SECONDS, self.say, ["compiling the sensor, once; this takes up to a minute"])
        patience.daemon = True
        patience.start()
        try:
            return Sensor(origin)
        finally:
            patience.cancel()

    def _known(self) -> Knowledge:
        if self._knowledge is None:
            try:
                self._knowledge = shipped_knowledge()
            except ModelError as error:
                self.say(f"warning: devices are told by rules alone: {error}")
                self._knowledge = Knowledge(shipped_rules(), None, manufacturer)
        return self._knowledge


class _Reading:
    """One capture on its way."""

    def __init__(self, path: Path, sensor: Sensor, devices: Devices, converter: Converter) -> None:
        self._path = path
        self.sensor = sensor
        self._devices = devices
        self._converter = converter
        self._datasets: dict[str, int] = {}
        self._shown = time.monotonic()

    def write(self, events: list[Event]) -> None:
        """Write what the sensor saw, with what that says about devices."""
        self._put(self._devices.observe(events))
        if time.monotonic() - self._shown > _PROGRESS_SECONDS:
            self._shown = time.monotonic()
            self._converter.say(f"{self._path}: {self.sensor.counts.packets:,} packets", is_passing=True)

    def finish(self) -> None:
        """Write what is known of devices at the end."""
        self._put(self._devices.finish())
        self._converter.flush()

    def _put(self, events: list[Event]) -> None:
        for event in events:
            self._datasets[event.dataset] = self._datasets.get(event.dataset, 0) + 1
        self._converter.write(events)

    def summary(self, seconds: float) -> str:
        """Say what was in it, and how fast it was read."""
        return "; ".join([*_what(self.sensor.counts, self._datasets), _rate(self.sensor.counts, seconds)])


def _what(counts: Counts, datasets: dict[str, int]) -> list[str]:
    by_dataset = ", ".join(f"{dataset} {count:,}" for dataset, count in sorted(datasets.items()))
    parts = [
        f"{counts.packets:,} packets",
        f"{counts.flows:,} flows",
        f"{sum(datasets.values()):,} events" + (f" ({by_dataset})" if by_dataset else ""),
    ]
    for label, counter in (
        ("not decoded", counts.undecoded),
        ("malformed", counts.malformed),
        ("wrong", counts.anomalies),
    ):
        if counter:
            parts.append(f"{label} " + ", ".join(f"{count:,} {name}" for name, count in sorted(counter.items())))
    if counts.evicted:
        parts.append(f"{counts.evicted:,} flows reported early")
    return parts


def _rate(counts: Counts, seconds: float) -> str:
    speed = max(seconds, 1e-6)
    return f"{seconds:.2f} s, {counts.packets / speed:,.0f} packets/s, {counts.bytes * 8 / speed / 1e6:,.0f} Mbit/s"

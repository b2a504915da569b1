"""The labelled devices of the development data, as the sensor shows them: captures to events to signs."""

import csv
import io
import random
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sakimori_common.contracts import Event
from sakimori_packet_sensor.adapters.vendors import manufacturer
from sakimori_packet_sensor.domain.capture import CaptureError
from sakimori_packet_sensor.domain.capture.reader import read_capture
from sakimori_packet_sensor.domain.devices.knowledge import Knowledge
from sakimori_packet_sensor.domain.devices.model import OTHER, Product
from sakimori_packet_sensor.domain.devices.record import DeviceRecord
from sakimori_packet_sensor.domain.devices.registry import Devices
from sakimori_packet_sensor.domain.devices.rules import RuleTable
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sakimori_packet_sensor.domain.sensor import Sensor

FOLDER: Final = Path(__file__).parent
BACKGROUND_BYTES: Final = 2 << 20
"""Captures of more are left out of the background: a few large ones would be most of the time, and a few devices."""
BACKGROUND_SIGNS: Final = 1


FLOWS: Final = 4096
"""A flow table for a small capture: to make one for a network takes longer than to read it."""


class Sample(NamedTuple):
    """One device in one capture. `unit` is the single piece, `label` the product, OTHER for the background."""

    capture: str
    unit: str
    label: str
    mac: str
    signs: tuple[str, ...]
    is_found: bool = True


def products() -> dict[str, Product]:
    """Read the table of products, and OTHER."""
    table = tomllib.loads((FOLDER / "products.toml").read_text("utf-8"))
    known = {name: Product(name, about["type"], about["family"]) for name, about in sorted(table.items())}
    return {**known, OTHER: Product(OTHER, "unknown", "")}


def without_model() -> Knowledge:
    """Know nothing beforehand but the makers: signs do not depend on more."""
    return Knowledge(RuleTable(()), None, manufacturer)


def labelled(data: Path, *, seed: int | None = None) -> list[Sample]:
    """Read all labelled captures; with a seed, with another MAC address for the device in each."""
    samples = []
    with (data / "devices" / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            content = (data / row["pcap"]).read_bytes()
            mac = bytes.fromhex(row["mac"].replace(":", ""))
            if seed is not None:
                content, mac = with_other_mac(content, mac, f"{seed} {row['pcap']}")
            name = mac.hex("-").upper()
            record = next((each for each in records(content, without_model()) if each.mac == name), None)
            signs = record.signs if record is not None else ()
            samples.append(Sample(row["pcap"], row["device"], row["device_type"], name, signs, record is not None))
    return samples


def background(data: Path) -> list[Sample]:
    """Read devices of all sorts out of the captures of other suites: what the products must not be taken for."""
    samples: dict[tuple[str, ...], Sample] = {}
    for path in sorted((data / "pcaps").rglob("*")):
        if path.suffix not in {".pcap", ".pcapng", ".trace", ".cap"} or path.stat().st_size > BACKGROUND_BYTES:
            continue
        try:
            found = records(path.read_bytes(), without_model())
        except CaptureError:
            continue
        for record in found:
            if len(record.signs) >= BACKGROUND_SIGNS:
                name = str(path.relative_to(data))
                samples.setdefault(record.signs, Sample(name, name, OTHER, record.mac, record.signs))
    return list(samples.values())


def records(content: bytes, knowledge: Knowledge) -> list[DeviceRecord]:
    """Give the devices of a capture at its end. Raises CaptureError for what is none."""
    devices = Devices(knowledge, {})
    for events in seen(content):
        devices.observe(events)
    devices.finish()
    return list(devices.records())


def seen(content: bytes) -> Iterator[list[Event]]:
    """Give the sensor's events of a capture."""
    sensor = Sensor({}, FlowLimits(flows=FLOWS))
    for block in read_capture(io.BytesIO(content)):
        yield sensor.take(block)
    yield sensor.finish()


def with_other_mac(content: bytes, mac: bytes, seed: str) -> tuple[bytes, bytes]:
    """Put a random, locally administered address where the six bytes of one stand: frames, ARP, DHCP."""
    other = bytes([0x02, *random.Random(seed).randbytes(5)])
    return content.replace(mac, other), other


def vocabulary(samples: Iterable[Sample], fewest: int) -> tuple[str, ...]:
    """List the signs that enough captures of one product show; of the background none that no product has."""
    counts: dict[str, dict[str, int]] = {}
    for sample in samples:
        if sample.label != OTHER:
            for sign in sample.signs:
                labels = counts.setdefault(sign, {})
                labels[sample.label] = labels.get(sample.label, 0) + 1
    return tuple(sorted(sign for sign, labels in counts.items() if max(labels.values()) >= fewest))


def units(samples: Sequence[Sample]) -> dict[str, list[int]]:
    """Give the places of each unit's samples."""
    places: dict[str, list[int]] = {}
    for place, sample in enumerate(samples):
        if sample.label != OTHER:
            places.setdefault(sample.unit, []).append(place)
    return places

"""Development captures, what the sensor makes of them, and what others did."""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from sakimori_packet_sensor.adapters.files import open_capture
from sakimori_packet_sensor.domain.sensor import Sensor

Flat = dict[str, Any]


@lru_cache(4)
def events(path: Path) -> list[Flat]:
    """All events of a capture."""
    with open_capture(path) as capture:
        return [event.to_flat() for batch in Sensor({}).events(capture) for event in batch]


def of(path: Path, protocol: str) -> list[Flat]:
    return [event for event in events(path) if event["event.dataset"] == f"network.{protocol}"]


def zeek(data: Path, name: str, log: str) -> list[dict[str, str]]:
    """A log of Zeek's own tests (TSV), as the header names its columns; `-` is nothing."""
    path = data / "pcaps" / "zeek" / "baseline" / f"scripts.base.protocols.{name}" / f"{log}.log"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("###")]
    header = next((line for line in lines if line.startswith("#fields")), None)
    names = header.split("\t")[1:] if header else lines.pop(0).split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines if line and not line.startswith("#")]


def suricata(data: Path, test: str, kind: str) -> Iterator[tuple[int, Flat]]:
    """The checks of one of Suricata's tests about events of a kind: how many must match."""
    for each in json.loads((data / "pcaps" / "suricata-verify" / "expected_events.json").read_text()):
        if each["test"] == test:
            for check in each["checks"]:
                if check["match"].get("event_type") == kind:
                    yield (
                        check["count"],
                        {name: value for name, value in check["match"].items() if name != "event_type"},
                    )


def zeek_trace(data: Path, name: str) -> Path:
    """The capture that Zeek's own test of this name reads."""
    for each in json.loads((data / "pcaps" / "zeek" / "index.json").read_text()):
        if each["btest"].endswith(f"/protocols/{name}"):
            return data / str(each["trace"])
    raise LookupError(name)


def ndpi(data: Path) -> Iterator[tuple[Path, Flat]]:
    """The flows that nDPI's own tests expect, with their captures; ends are `address:port`."""
    for each in json.loads((data / "pcaps" / "ndpi" / "expected.json").read_text()):
        for flow in each["flows"]:
            yield data / each["pcap"], flow

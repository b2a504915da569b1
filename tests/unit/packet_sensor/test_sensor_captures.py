"""The whole sensor over captures that nobody of this project made."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sakimori_common.contracts import EVENTS, Event
from sakimori_packet_sensor.adapters.files import open_capture
from sakimori_packet_sensor.domain.sensor import Sensor

pytestmark = [pytest.mark.data, pytest.mark.timeout(600)]

_SUFFIXES = {".pcap", ".pcapng", ".cap", ".gz"}


def captures(data: Path) -> Iterator[tuple[Path, list[Event]]]:
    for folder in ("pcaps", "devices"):
        for path in sorted(path for path in (data / folder).rglob("*") if path.suffix in _SUFFIXES):
            with open_capture(path) as capture:
                yield path, [event for events in Sensor({}).events(capture) for event in events]


def test_every_capture_becomes_events_that_can_be_sent_each_with_an_id_of_its_own(development_data: Path) -> None:
    named: Counter[object] = Counter()
    for path, events in captures(development_data):
        assert len({event.id for event in events}) == len(events), path
        assert EVENTS.decode(EVENTS.encode(events)) == events, path
        for event in events:
            assert Event.from_flat(event.to_flat()) == event, path
            assert not str(event.get("error.message")).startswith("the decoder failed"), (path, event)
            if event.dataset == "network.flow" and event.get("network.packets") != 1:
                named[event.get("sakimori.protocol.evidence")] += 1
    assert named["content"] > 2000
    assert named["port"] < named["content"] / 20


def test_plain_http_on_443_is_not_encrypted_and_tls_on_other_ports_is(development_data: Path) -> None:
    told: Counter[tuple[object, object]] = Counter()
    for _, events in captures(development_data):
        for event in events:
            is_told = event.get("sakimori.protocol.evidence") == "content" and not event.get("sakimori.protocol.then")
            if event.dataset == "network.flow" and is_told:
                told[event.get("network.protocol"), event.get("sakimori.flow.is_encrypted")] += 1
    assert told["tls", True] > 300
    assert told["http", False] > 1000
    assert told["tls", False] == told["http", True] == 0

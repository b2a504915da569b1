"""A feed on loopback, refreshed into a running detector, without a restart and without its server."""

from pathlib import Path

import pytest

from sakimori_common.bus import Bus, Topic
from sakimori_common.context import ServiceContext
from sakimori_common.contracts import Event, FieldValue, Finding
from sakimori_common.ids import random_event_id
from sakimori_common.instants import now
from servers.eventually import eventually
from servers.feed_server import FeedServer, feed_server, response

from .conftest import Heard, Replica, message_of

RULES = Path(__file__).resolve().parents[3] / "rules" / "intelligence"
SHA256 = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"
ONE_OF_EACH = f"198.51.100.66\n203.0.113.64/28\nevil.example\nhttp://bad.example/a.sh\n{SHA256}\n"


def event(dataset: str, **fields: FieldValue) -> Event:
    time = now()
    return Event(
        random_event_id(time), time, dataset, {name.replace("__", "."): value for name, value in fields.items()}
    )


def write_feeds(rules_dir: Path, server: FeedServer) -> None:
    folder = rules_dir / "intelligence"
    folder.mkdir()
    for path in RULES.glob("known_bad_*.yml"):
        (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "feeds.yml").write_text(
        f"feeds:\n  - {{name: local, url: '{server.url}/list', allow_http: true, format: plain, confidence: 85,"
        " refresh_seconds: 1}\n"
    )


def known(context: ServiceContext, kind: str) -> float | None:
    return context.registry.get_sample_value("sakimori_indicators", {"source": "local", "type": kind})


def of_feeds(heard: Heard) -> list[Finding]:
    return [finding for finding in heard.findings if finding.rule_id.startswith("known_bad_")]


@pytest.fixture
def events() -> list[Event]:
    return [
        event("nginx.access", source__ip="198.51.100.66", url__original="/"),
        event("network.flow", source__ip="192.0.2.1", destination__ip="203.0.113.70"),
        event("network.dns", source__ip="192.0.2.2", dns__question__name="a.evil.example"),
        event("nginx.access", source__ip="192.0.2.3", url__original="https://bad.example:443/a.sh"),
        event("network.flow", source__ip="192.0.2.4", file__hash__sha256=SHA256.upper()),
        event("network.dns", source__ip="192.0.2.5", dns__question__name="notevil.example"),
    ]


async def test_one_indicator_of_each_type_becomes_a_finding_as_sure_as_the_feed(
    bus: Bus, replica: Replica, heard: Heard, rules_dir: Path, events: list[Event]
) -> None:
    async with feed_server() as server:
        server.answers["/list"] = response(200, ONE_OF_EACH.encode(), etag='"1"')
        write_feeds(rules_dir, server)
        async with replica() as context:
            await eventually(lambda: known(context, "ip") == 2, 15)
            await bus.publish(Topic.EVENTS, message_of(events))
            await eventually(lambda: len(of_feeds(heard)) == 5, 10)
    found = {finding.rule_id: finding for finding in of_feeds(heard)}
    assert set(found) == {
        "known_bad_address", "known_bad_destination", "known_bad_domain", "known_bad_url", "known_bad_file",
    }  # fmt: skip
    assert {finding.confidence for finding in found.values()} == {0.85}
    assert found["known_bad_domain"].details["indicator"] == "evil.example"
    assert found["known_bad_domain"].details["source"] == "local"


async def test_a_changed_feed_counts_within_its_interval_and_outlives_its_server(
    bus: Bus, replica: Replica, heard: Heard, rules_dir: Path, tmp_path: Path
) -> None:
    async with feed_server() as server:
        server.answers["/list"] = response(200, b"198.51.100.66\n")
        write_feeds(rules_dir, server)
        async with replica() as context:
            await eventually(lambda: known(context, "ip") == 1, 15)
            server.answers["/list"] = response(200, b"198.51.100.67\nevil.example\n")
            await eventually(lambda: known(context, "domain") == 1, 15)
            requests = [
                event("nginx.access", source__ip="198.51.100.66", url__original="/"),
                event("nginx.access", source__ip="198.51.100.67", url__original="/"),
            ]
            await bus.publish(Topic.EVENTS, message_of(requests))
            await eventually(lambda: of_feeds(heard), 10)
    assert [finding.entity for finding in of_feeds(heard)] == ["198.51.100.67"]
    assert (tmp_path / "feeds" / "local.feed").is_file()
    async with replica():
        question = event("network.dns", source__ip="192.0.2.2", dns__question__name="a.evil.example")
        await bus.publish(Topic.EVENTS, message_of([question]))
        await eventually(lambda: heard.findings[-1].rule_id == "known_bad_domain", 10)

"""The second opinion in a running detector, and a detector that has none."""

from pathlib import Path

import pytest

from sakimori_common.bus import Bus, Topic
from sakimori_common.context import ServiceContext
from sakimori_common.contracts import Event
from sakimori_common.ids import random_event_id
from sakimori_common.instants import now
from servers.eventually import eventually

from .conftest import Heard, Replica, message_of

CONTENT = Path(__file__).resolve().parents[3] / "rules" / "web"
PLACED, LEFT_OVER = "/item?id=7%27%20or%201%3D1--%20", "/?q=%3Cxyz%20onpointermove%3Dalert(1)%3E"


@pytest.fixture(autouse=True)
def web_rules(rules_dir: Path) -> None:
    """Two rules of the content: one of expressions for SQL, the opinion alone."""
    for name in ("sql_injection.yml", "learned_web_payload.yml"):
        (rules_dir / "web").mkdir(exist_ok=True)
        (rules_dir / "web" / name).write_text((CONTENT / name).read_text("utf-8"), "utf-8")


def request(target: str) -> Event:
    time = now()
    return Event(random_event_id(time), time, "nginx.access", {"source.ip": "203.0.113.9", "url.original": target})


async def test_a_request_that_no_rule_placed_becomes_a_finding_and_the_rules_finding_shows_the_opinion(
    bus: Bus, replica: Replica, heard: Heard
) -> None:
    async with replica() as context:
        await bus.publish(Topic.EVENTS, message_of([request(PLACED), request(LEFT_OVER)]))
        await eventually(lambda: len(heard.findings) >= 2, 10)
        assert loaded(context) == 1
    by_rule = {finding.rule_id: finding for finding in heard.findings}
    assert by_rule["sql_injection"].details["opinion"]["class"] == "sqli"
    assert by_rule["sql_injection"].confidence > 0.9
    assert by_rule["learned_web_payload"].severity == "low"
    assert by_rule["learned_web_payload"].details["class"] == "xss"


async def test_a_detector_whose_model_cannot_be_read_starts_and_finds_by_its_rules(
    bus: Bus, replica: Replica, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.npz").write_bytes(b"no model")
    monkeypatch.setenv("DETECTOR_OPINION_FILE", str(tmp_path / "broken.npz"))
    async with replica() as context:
        await bus.publish(Topic.EVENTS, message_of([request(LEFT_OVER), request(PLACED)]))
        await eventually(lambda: heard.findings, 10)
        assert loaded(context) == 0
    (finding,) = heard.findings
    assert finding.rule_id == "sql_injection"
    assert finding.details["opinion"] is None
    assert finding.confidence == 0.9


def loaded(context: ServiceContext) -> float | None:
    return context.registry.get_sample_value("sakimori_second_opinion_loaded")

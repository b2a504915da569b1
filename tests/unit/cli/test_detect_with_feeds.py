"""`sakimori detect --feeds`: the last good copies of feeds count, and nobody is asked for newer ones."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sakimori_common.instants import now
from sakimori_detector.adapters.kept_feeds import FeedFolder
from sakimori_detector.domain.intelligence.feeds import FEEDS_PATH, Feed
from sakimori_detector.ports import FeedDocument, Validators

ROOT = Path(__file__).resolve().parents[3]
FEEDS = "feeds:\n  - {name: far, url: 'https://feeds.example/a', format: plain, confidence: 90}\n"
EVENT = {
    "event.id": "0" * 32,
    "@timestamp": "2026-01-16T12:00:00Z",
    "event.dataset": "nginx.access",
    "source.ip": "198.51.100.7",
    "url.original": "/",
}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules" / "intelligence"
    folder.mkdir(parents=True)
    rule = ROOT / "rules" / "intelligence" / "known_bad_address.yml"
    (folder / rule.name).write_bytes(rule.read_bytes())
    (tmp_path / "rules" / FEEDS_PATH).write_text(FEEDS, encoding="utf-8")
    return tmp_path / "rules"


def sources(*options: str) -> list[str]:
    """Run the command on the event; gives the source that each finding names."""
    command = [sys.executable, "-m", "sakimori", "detect", *options, "-"]
    run = subprocess.run(command, input=json.dumps(EVENT).encode(), capture_output=True, timeout=60, check=True)
    return [json.loads(line)["details"]["source"] for line in run.stdout.splitlines()]


def test_a_kept_copy_of_a_feed_is_believed_where_its_folder_is_named(rules: Path, tmp_path: Path) -> None:
    feed = Feed(name="far", url="https://feeds.example/a", format="plain", confidence=90)
    FeedFolder(tmp_path / "kept").keep(feed, FeedDocument(b"198.51.100.7\n", Validators(), now()))
    assert sources("--rules", str(rules), "--feeds", str(tmp_path / "kept")) == ["far"]
    assert sources("--rules", str(rules)) == []

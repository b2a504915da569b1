"""Feeds and allow-list beside the rules: offline, and when their files change while the service runs."""

import os
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from sakimori_common.instants import now
from sakimori_common.log import logger
from sakimori_detector.adapters.kept_feeds import FeedFolder
from sakimori_detector.domain.intelligence.feeds import FEEDS_PATH
from sakimori_detector.domain.intelligence.values import Kind
from sakimori_detector.metrics import DetectorMetrics
from sakimori_detector.offline import load_folder
from sakimori_detector.ports import FeedDocument, Validators
from sakimori_detector.rulebook import Rulebook

FEEDS = (
    "feeds:\n"
    "  - {name: own, file: intelligence/own.txt, format: plain, confidence: 90}\n"
    "  - {name: far, url: 'https://feeds.example/a', format: plain, confidence: 90}\n"
    "  - {name: off, file: intelligence/none.txt, format: plain, confidence: 90, enabled: false}\n"
)


def write(path: Path, text: str, second: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (second, second))


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    write(tmp_path / "rules" / FEEDS_PATH, FEEDS)
    write(tmp_path / "rules" / "intelligence" / "own.txt", "evil.example\n10.0.0.1\n")
    return tmp_path / "rules"


def known(folder: Path, kept: Path | None, domain: str) -> bool:
    return load_folder(folder, "UTC", kept).world.intelligence.table.find(Kind.DOMAIN, domain, now()) is not None


def test_files_and_kept_copies_are_used_without_any_server(rules: Path, tmp_path: Path) -> None:
    far = load_folder(rules, "UTC").feeds[1]
    FeedFolder(tmp_path / "kept").keep(far, FeedDocument(b"bad.example\n", Validators(), now()))
    assert load_folder(rules, "UTC", tmp_path / "kept").problems == ()
    assert known(rules, None, "evil.example")
    assert not known(rules, None, "bad.example")
    assert known(rules, tmp_path / "kept", "bad.example")


def test_a_feed_whose_file_is_missing_or_none_is_told_by_the_check(rules: Path) -> None:
    (rules / "intelligence" / "own.txt").unlink()
    assert [str(problem) for problem in load_folder(rules, "UTC").problems] == [
        "intelligence/feeds.yml:1:1: own: intelligence/own.txt: No such file or directory"
    ]
    write(rules / "intelligence" / "own.txt", "<p>\n" * 9)
    assert "not of this format" in load_folder(rules, "UTC").problems[0].why


def test_a_mistake_in_the_list_of_feeds_is_told_with_its_line(rules: Path) -> None:
    write(rules / FEEDS_PATH, FEEDS.replace("format: plain", "format: plian", 1))
    (problem,) = load_folder(rules, "UTC").problems
    assert str(problem).startswith("intelligence/feeds.yml:2:")


@pytest.fixture
def rulebook(rules: Path) -> Rulebook:
    metrics = DetectorMetrics(CollectorRegistry())
    return Rulebook(rules, "UTC", metrics, logger("test"), allowed=["127.0.0.0/8"])


async def test_feeds_stay_as_they_were_while_their_file_has_a_mistake(rulebook: Rulebook, rules: Path) -> None:
    assert [feed.name for feed in rulebook.feeds] == ["own", "far", "off"]
    write(rules / FEEDS_PATH, FEEDS.replace("name: far", "name: FAR"), 2)
    assert await rulebook.refresh()
    assert {feed.name for feed in rulebook.feeds} == {"own", "far", "off"}
    write(rules / FEEDS_PATH, "feeds: []\n", 3)
    assert await rulebook.refresh()
    assert rulebook.feeds == ()


async def test_what_is_allowed_changes_with_its_file_and_the_settings_always_count(
    rulebook: Rulebook, rules: Path
) -> None:
    assert rulebook.allowed.find("127.0.0.1") == "127.0.0.0/8"
    assert rulebook.allowed.find("198.51.100.7") is None
    write(rules / "lists" / "allowed.txt", "198.51.100.7\n", 2)
    assert await rulebook.refresh()
    assert rulebook.allowed.find("198.51.100.7") == "198.51.100.7"
    write(rules / "lists" / "allowed.txt", "198.51.100.8\nnobody\n", 3)
    assert await rulebook.refresh()
    assert rulebook.allowed.find("198.51.100.7") is not None, "a mistake in the file may be about it"
    assert rulebook.allowed.find("198.51.100.8") is not None
    (rules / "lists" / "allowed.txt").unlink()
    assert await rulebook.refresh()
    assert rulebook.allowed.find("198.51.100.7") is None
    assert rulebook.allowed.find("127.0.0.1") is not None

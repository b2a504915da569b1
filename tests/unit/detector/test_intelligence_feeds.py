"""The file of feeds, and the list of what is watched that follows it."""

import re
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry

from sakimori_common.instants import MICROSECONDS, parse_instant
from sakimori_common.log import logger
from sakimori_detector.domain.intelligence.feeds import Feed, read_feeds
from sakimori_detector.domain.intelligence.holder import Intelligence
from sakimori_detector.domain.intelligence.values import Kind
from sakimori_detector.metrics import FeedMetrics
from sakimori_detector.ports import FeedDocument, FeedUnavailable, Validators
from sakimori_detector.watchlist import Watchlist

NOON = parse_instant("2026-01-16T12:00:00Z")


def test_a_feed_says_where_it_comes_from_and_how_far_it_is_believed() -> None:
    found = read_feeds(
        "feeds:\n"
        "  - {name: one, url: 'https://feeds.example/a', format: csv, confidence: 80, columns: {value: x}, type: url}\n"
        "  - {name: own, file: own.txt, format: plain, confidence: 100, local: true}\n"
    )
    assert found.problems == ()
    one, own = found.feeds
    assert (one.name, one.confidence, one.type, one.refresh_seconds) == ("one", 80, Kind.URL, 3600)
    assert one.terms(NOON).expires_after == 7 * 86_400 * MICROSECONDS
    assert own.terms(NOON).expires_after is None


@pytest.mark.parametrize(
    ("entry", "column", "why"),
    [
        ("{name: Two Words, url: 'https://a.example', format: plain, confidence: 1}", 12, "name: .*regex"),
        ("{name: a, url: 'https://a.example', format: plian, confidence: 1}", 49, "format: Invalid enum value 'plian'"),
        (
            "{name: a, url: 'https://a.example', format: plain, confidence: 101}",
            68,
            "confidence: Expected `int` <= 100",
        ),
        ("{name: a, url: 'https://a.example', format: plain}", 5, "missing required field `confidence`"),
        ("{name: a, url: 'https://a.example', format: plain, confidence: 1, refesh: 5}", 71, "unknown field `refesh`"),
        ("{name: a, format: plain, confidence: 1}", 6, "needs a url or a file"),
        ("{name: a, url: 'http://a.example', format: plain, confidence: 1}", 20, "not encrypted"),
        ("{name: a, url: 'ftp://a.example', format: plain, confidence: 1}", 20, "does not begin with https"),
        (
            "{name: a, url: 'https://a.example', format: csv, confidence: 1, columns: {vlue: 1}}",
            79,
            "'vlue' is none of",
        ),
        ("{name: a, url: 'https://a.example', format: plain, confidence: 1, columns: {value: 1}}", 6, "of csv"),
        ("{name: a, url: 'https://a.example', format: plain, confidence: 1, local: true}", 6, "only a file is yours"),
        ("{name: good, url: 'https://a.example', format: plain, confidence: 1}", 12, "is there already"),
        ("just text", 5, "Expected `object`"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_other_feeds_are_used(entry: str, column: int, why: str) -> None:
    good = "feeds:\n  - {name: good, url: 'https://feeds.example', format: plain, confidence: 1}\n"
    found = read_feeds(f"{good}  - {entry}\n")
    assert [feed.name for feed in found.feeds] == ["good"]
    (problem,) = found.problems
    assert (problem.path, problem.line) == ("intelligence/feeds.yml", 3)
    assert (problem.column, re.search(why, problem.why) is not None) == (column, True)


@pytest.mark.parametrize("text", ["feeds: 5", "- a", "feeds: [", "other: []", "\0"])
def test_a_file_that_is_no_list_of_feeds_is_one_problem(text: str) -> None:
    found = read_feeds(text)
    assert found.feeds == ()
    assert len(found.problems) == 1


@dataclass
class FeedsInMemory:
    """Implements `ports.FeedSource` and `ports.KeptFeeds`: what each feed gives next, what was kept."""

    now: int = NOON
    gives: dict[str, bytes | FeedUnavailable | None] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    kept: dict[str, FeedDocument] = field(default_factory=dict)
    is_full: bool = False

    async def fetch(self, feed: Feed, known: Validators) -> FeedDocument | None:
        self.asked.append((feed.name, known.etag))
        given = self.gives[feed.name]
        if isinstance(given, FeedUnavailable):
            raise given
        return None if given is None else FeedDocument(given, Validators(f"v{len(self.asked)}"), self.now)

    def read(self, feed: Feed) -> FeedDocument | None:
        return self.kept.get(feed.name)

    def keep(self, feed: Feed, document: FeedDocument) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        self.kept[feed.name] = document

    def confirm(self, feed: Feed, confirmed_at: int) -> None:
        document = self.kept[feed.name]
        self.kept[feed.name] = FeedDocument(document.body, document.validators, confirmed_at)


class Stage:
    """A watchlist with its world."""

    def __init__(self, world: FeedsInMemory | None = None, jitter: float = 1.0, **more: object) -> None:
        self.world = world or FeedsInMemory(gives={"one": b"evil.example\n"})
        self.feeds = [one(**more)]
        self.intelligence = Intelligence()
        self.registry = CollectorRegistry()
        self.watchlist = Watchlist(
            lambda: self.feeds,
            self.intelligence,
            source=self.world,
            kept=self.world,
            is_suffix=lambda domain: "." not in domain,
            metrics=FeedMetrics(self.registry),
            log=logger("test"),
            clock=lambda: self.world.now,
            jitter=lambda: jitter,
        )

    async def after(self, seconds: int) -> bool:
        self.world.now += seconds * MICROSECONDS
        return await self.watchlist.refresh()

    def knows(self, domain: str) -> bool:
        return self.intelligence.table.find(Kind.DOMAIN, domain, self.world.now) is not None

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


def one(**more: object) -> Feed:
    given = {"name": "one", "url": "https://feeds.example/a", "format": "plain", "confidence": 50, **more}
    return Feed(**given)  # type: ignore[arg-type]


async def test_what_a_feed_adds_is_known_after_its_interval_and_what_it_drops_is_not() -> None:
    stage = Stage(refresh_seconds=600)
    assert await stage.after(0)
    assert stage.knows("evil.example")
    stage.world.gives["one"] = b"worse.example\n"
    assert not await stage.after(599)
    assert stage.knows("evil.example")
    assert await stage.after(1)
    assert (stage.knows("evil.example"), stage.knows("worse.example")) == (False, True)
    assert stage.metric("sakimori_feed_refreshes_total", source="one", result="changed") == 2
    assert stage.metric("sakimori_indicators", source="one", type="domain") == 1


async def test_an_unchanged_feed_is_asked_by_its_mark_and_lives_on() -> None:
    stage = Stage(refresh_seconds=600, expires_after_seconds=900)
    await stage.after(0)
    table = stage.intelligence.table
    stage.world.gives["one"] = None
    assert not await stage.after(600)
    assert stage.world.asked == [("one", ""), ("one", "v1")]
    stage.world.now += 899 * MICROSECONDS
    assert stage.knows("evil.example")
    assert stage.intelligence.table is table
    stage.world.now += 2 * MICROSECONDS
    assert not stage.knows("evil.example")


@pytest.mark.parametrize(
    ("given", "result"),
    [
        (FeedUnavailable("HTTP 500"), "failed"),
        (b"", "refused"),
        (b"# nothing today\n", "refused"),
        (b"<html>\n<p>\nsign in\n</p>\n</html>\n", "refused"),
        (b"10.0.0.0/8\n", "refused"),
    ],
)
async def test_the_last_good_copy_stays_while_a_feed_is_down_broken_or_empty(
    given: bytes | FeedUnavailable, result: str
) -> None:
    stage = Stage(refresh_seconds=600)
    await stage.after(0)
    stage.world.gives["one"] = given
    assert not await stage.after(600)
    assert stage.knows("evil.example")
    assert stage.world.kept["one"].body == b"evil.example\n"
    assert stage.metric("sakimori_feed_refreshes_total", source="one", result=result) == 1
    assert stage.metric("sakimori_feed_confirmed_timestamp_seconds", source="one") == NOON / MICROSECONDS


async def test_a_feed_that_fails_is_asked_again_sooner_and_then_less_often() -> None:
    stage = Stage(FeedsInMemory(gives={"one": FeedUnavailable("HTTP 500")}), refresh_seconds=200)
    for seconds, asked in ((0, 1), (59, 1), (1, 2), (119, 2), (1, 3), (199, 3), (1, 4)):
        await stage.after(seconds)
        assert len(stage.world.asked) == asked


async def test_after_a_restart_the_kept_copy_counts_before_any_server_is_asked() -> None:
    before = Stage(refresh_seconds=600)
    await before.after(0)
    after = Stage(before.world, refresh_seconds=600)
    await after.watchlist.start()
    assert after.knows("evil.example")
    assert len(after.world.asked) == 1
    assert not await after.after(599)
    await after.after(1)
    assert after.world.asked[1:] == [("one", "v1")]


async def test_a_copy_that_cannot_be_kept_counts_all_the_same() -> None:
    stage = Stage()
    stage.world.is_full = True
    assert await stage.after(0)
    assert stage.knows("evil.example")


async def test_feeds_come_and_go_with_the_file_that_names_them() -> None:
    stage = Stage()
    await stage.after(0)
    stage.world.gives["two"] = b"bad.example\n"
    stage.feeds = [*stage.feeds, one(name="two"), one(name="three", enabled=False)]
    assert await stage.after(1)
    assert stage.knows("bad.example")
    assert [name for name, _ in stage.world.asked] == ["one", "two"]
    stage.feeds = stage.feeds[1:]
    assert await stage.after(1)
    assert (stage.knows("evil.example"), stage.knows("bad.example")) == (False, True)
    assert stage.metric("sakimori_indicators", source="one", type="domain") is None


async def test_replicas_ask_at_different_moments() -> None:
    asked = []
    for factor in (0.9, 1.1):
        stage = Stage(refresh_seconds=1000, jitter=factor)
        await stage.after(0)
        await stage.after(950)
        asked.append(len(stage.world.asked))
    assert asked == [2, 1]

"""Indicators without any network: feeds that are files, and the last good copies of the others."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from sakimori_common.instants import now
from sakimori_detector.adapters.kept_feeds import FeedFolder
from sakimori_detector.adapters.suffixes import is_suffix
from sakimori_detector.domain.intelligence.documents import stock_of
from sakimori_detector.domain.intelligence.entries import DocumentRefused
from sakimori_detector.domain.intelligence.feeds import FEEDS_PATH, Feed
from sakimori_detector.domain.intelligence.table import Table
from sakimori_detector.ports import FeedDocument, Validators
from sakimori_detector.sigma.documents import Problem


class Recalled(NamedTuple):
    """What is known, and which feeds could not be read."""

    table: Table
    problems: list[Problem]


def recall(feeds: Iterable[Feed], folder: Path, kept: Path | None) -> Recalled:
    """Read what is at hand. Nothing is left out for its age: events of that time may be asked about.

    A feed of which no copy was kept yields nothing, and is no problem.
    """
    stocks, problems = [], list[Problem]()
    for feed in feeds:
        try:
            document = _document(feed, folder, kept) if feed.enabled else None
            if document is not None:
                stocks.append(stock_of(feed, document.body, is_suffix, seen_at=document.confirmed_at))
        except OSError as error:
            problems.append(Problem(FEEDS_PATH, 1, 1, f"{feed.name}: {feed.file}: {error.strerror}"))
        except DocumentRefused as error:
            problems.append(Problem(FEEDS_PATH, 1, 1, f"{feed.name}: {error}"))
    return Recalled(Table(stocks), problems)


def _document(feed: Feed, folder: Path, kept: Path | None) -> FeedDocument | None:
    if feed.file is not None:
        return FeedDocument((folder / feed.file).read_bytes(), Validators(), now())
    return None if kept is None else FeedFolder(kept).read(feed)

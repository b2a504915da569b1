"""What rules/intelligence/feeds.yml says: where indicators come from and how far they are believed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec

from sakimori_common.instants import MICROSECONDS
from sakimori_detector.domain.intelligence.entries import Reading
from sakimori_detector.domain.intelligence.stock import Terms
from sakimori_detector.domain.intelligence.values import Kind
from sakimori_detector.sigma.documents import Document, DocumentError, PathPart, Problem, read

FEEDS_PATH: Final = "intelligence/feeds.yml"
"""Relative to the rules' folder."""
DEFAULT_EXPIRY_SECONDS: Final = 7 * 86_400
"""How long the last good copy of a feed that is fetched counts; a file counts as long as it is there."""
_COLUMNS: Final = ("value", "type", "last_seen", "valid_until", "confidence")
Name = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9_-]{0,63}$")]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=366 * 86_400)]
ColumnNumber = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Feed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One feed, as it stands in the file (rules/README.md says what each key means)."""

    name: Name
    format: Literal["csv", "hosts", "misp", "plain", "stix"]
    confidence: Annotated[int, msgspec.Meta(ge=0, le=100)]
    url: str | None = None
    file: str | None = None
    refresh_seconds: Seconds = 3600
    expires_after_seconds: Seconds | None = None
    type: Kind | None = None
    columns: dict[str, str | ColumnNumber] = {}
    delimiter: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = ","
    secret_header: str | None = None
    allow_http: bool = False
    local: bool = False
    enabled: bool = True

    def __post_init__(self) -> None:
        for why in _mistakes(self):
            raise ValueError(why)

    @property
    def reading(self) -> Reading:
        """How to read its document."""
        return Reading(self.type, self.delimiter, dict(self.columns))

    def terms(self, seen_at: int) -> Terms:
        """How to take its entries, if it said so at `seen_at`."""
        after = self.expires_after_seconds or (DEFAULT_EXPIRY_SECONDS if self.url else None)
        return Terms(self.name, self.confidence, None if after is None else after * MICROSECONDS, seen_at)


@dataclass(frozen=True, slots=True)
class FeedList:
    """What came of the file; a feed with a mistake is left out."""

    feeds: tuple[Feed, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_feeds(text: str) -> FeedList:
    """Read the file. Each mistake is a problem with its place."""
    feeds: dict[str, Feed] = {}
    problems: list[Problem] = []
    try:
        documents = read(text)
    except DocumentError as error:
        return FeedList(problems=(Problem(FEEDS_PATH, error.line, error.column, str(error)),))
    for document in documents:
        for number, given in enumerate(_listed(document, problems)):
            try:
                feed = msgspec.convert(given, Feed)
                if feed.name in feeds:
                    raise msgspec.ValidationError(f"the feed '{feed.name}' is there already")
                feeds[feed.name] = feed
            except msgspec.ValidationError as error:
                problems.append(_problem(document, number, str(error)))
    return FeedList(tuple(feeds.values()), tuple(problems))


def _listed(document: Document, problems: list[Problem]) -> list[Any]:
    listed = document.data.get("feeds", [])
    if set(document.data) <= {"feeds"} and isinstance(listed, list | None):
        return listed or []
    problems.append(Problem(FEEDS_PATH, *document.place("feeds"), "a list under the one key feeds: is expected"))
    return []


def _problem(document: Document, number: int, error: str) -> Problem:
    why, _, where = error.partition(" - at ")
    key = where.strip("`$.").partition("[")[0].partition(".")[0]
    steps: tuple[PathPart, ...] = ("feeds", number, key) if key else ("feeds", number)
    why = f"{key}: {why}" if key else why
    return Problem(FEEDS_PATH, *document.place(*steps, mentioned=why.replace("`", "'")), why)


def _mistakes(feed: Feed) -> Iterator[str]:
    """Say what no type can."""
    if (feed.url is None) is (feed.file is None):
        yield f"the feed '{feed.name}' needs a url or a file, not both"
    if feed.url is not None and not feed.url.startswith("https://"):
        if not feed.url.startswith("http://"):
            yield f"'{feed.url}' does not begin with https://"
        if not feed.allow_http:
            yield f"'{feed.url}' is not encrypted; allow_http: true if that must be"
    if feed.local and feed.file is None:
        yield f"local: only a file is yours, and '{feed.name}' is none"
    unknown = [name for name in feed.columns if name not in _COLUMNS]
    if unknown:
        yield f"columns: '{unknown[0]}' is none of {', '.join(_COLUMNS)}"
    if feed.columns and ("value" not in feed.columns or feed.format != "csv"):
        yield f"columns: of csv, and value: among them, in '{feed.name}'"

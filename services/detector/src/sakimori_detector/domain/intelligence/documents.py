"""A document and its feed to a stock: reading, guarding and packing in one."""

from sakimori_detector.domain.intelligence.feeds import Feed
from sakimori_detector.domain.intelligence.formats import FORMATS
from sakimori_detector.domain.intelligence.guard import IsSuffix, guarded
from sakimori_detector.domain.intelligence.stock import Stock, gather


def stock_of(feed: Feed, document: bytes, is_suffix: IsSuffix, *, seen_at: int, now: int = 0) -> Stock:
    """Read a feed's document, which it gave or confirmed at `seen_at`.

    Raises DocumentRefused when it is not what the feed says it is.
    """
    found = FORMATS[feed.format](document, feed.reading)
    return gather(found if feed.local else guarded(found, is_suffix), feed.terms(seen_at), now)

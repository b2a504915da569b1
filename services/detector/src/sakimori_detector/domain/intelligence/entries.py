"""What reading a document of indicators yields, whatever its format."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from sakimori_common.instants import EARLIEST, LATEST, MICROSECONDS, to_microseconds
from sakimori_detector.domain.intelligence.values import Kind


class Entry(NamedTuple):
    """An indicator as a document has it, `text` in its one spelling. Instants in microseconds since the epoch."""

    kind: Kind
    text: str
    valid_until: int | None = None
    last_seen: int | None = None
    confidence: int | None = None
    """0 to 100, where the document says so itself."""


class Skipped(NamedTuple):
    """A part of a document that yields no indicator: its line, or its number in a JSON list, from 1, and the reason.

    Reasons are few fixed sentences, so that they can be counted. `is_foreign`: it does not look like this format.
    """

    place: int
    why: str
    is_foreign: bool = False


class DocumentRefused(ValueError):
    """The whole document is not what its format says; the message says why."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a document: what the feed's entry in feeds.yml says about its inside."""

    kind: Kind | None = None
    delimiter: str = ","
    columns: dict[str, str | int] = field(default_factory=dict)
    """Of CSV: which column, by name or number from 1, holds value, type, last_seen, valid_until, confidence."""


def text_of(document: bytes) -> str:
    """Decode a text; a byte that is no UTF-8 spoils only its own line."""
    return document.decode("utf-8-sig", errors="replace")


def instant_of(text: str) -> int | None:
    """Read the times that feeds write: RFC 3339, the same without zone (UTC is meant), a date, seconds since 1970."""
    text = text.strip().removesuffix("UTC").strip()
    try:
        if text.isdigit():
            instant = int(text[:12]) * MICROSECONDS
        else:
            moment = datetime.fromisoformat(text)
            instant = to_microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
    return instant if EARLIEST <= instant <= LATEST else None


def confidence_of(value: object) -> int | None:
    """Read a confidence from 0 to 100; None for anything else."""
    try:
        number = int(value)  # type: ignore[call-overload]  # what is no number raises
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number <= 100 else None

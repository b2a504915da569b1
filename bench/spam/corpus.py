"""The labelled messages of the development data, and honest lines of our own that nothing is trained on."""

import csv
import html
import re
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from sakimori_chat.domain.text import clean_text

HONEST: Final = Path(__file__).with_name("honest.yml")
ADVERTISING: Final = ("sms-spam", "youtube-spam")
"""Sources with spam and ham."""
OFFENSIVE: Final = 1200
"""Of the offensive tweets, the first so many are learned from as ham: rudeness is not spam."""


class _Row(NamedTuple):
    text: str
    label: str
    source: str
    video: str


class Sample(NamedTuple):
    """One message; `held` is what it is left out together with: its video, or texts that differ in numbers only."""

    text: str
    is_spam: bool
    source: str
    held: str


def samples(data: Path, *, once: bool = True) -> list[Sample]:
    """Read what is trained on and validated with; what a source has twice, numbers and signs aside, counts `once`."""
    found: dict[tuple[str, str], Sample] = {}
    rows = _rows(data)
    offensive = [row for row in rows if row.label == "offensive"][:OFFENSIVE]
    for number, row in enumerate(
        [row for row in rows if row.source in ADVERTISING or row.label == "neither"] + offensive
    ):
        key, name = _key(row.text), row.source if row.source in ADVERTISING else f"tweets, {row.label}"
        found.setdefault(
            (key if once else str(number), name), Sample(row.text, row.label == "spam", name, row.video or key)
        )
    return list(found.values())


def unseen(data: Path) -> dict[str, list[str]]:
    """Read what nothing is trained on: rude tweets, and our own lines by language."""
    rows = _rows(data)
    rude = [row.text for row in rows if row.label == "offensive"][OFFENSIVE:]
    hate = [row.text for row in rows if row.label == "hate"]
    return {"tweets, hate": hate, "tweets, offensive, others": rude, **honest()}


def honest() -> dict[str, list[str]]:
    """Read the honest lines by language."""
    given: dict[str, list[str]] = yaml.safe_load(HONEST.read_text("utf-8"))
    return {f"honest lines, {name}": [clean_text(line) for line in lines] for name, lines in given.items()}


def _rows(data: Path) -> list[_Row]:
    """Read the file, texts cleaned as the chat would."""
    with (data / "chat" / "chat.csv").open(newline="", encoding="utf-8") as file:
        return [
            _Row(clean_text(html.unescape(row["text"])), row["label"], row["source"], row["sub"])
            for row in csv.DictReader(file)
        ]


def _key(text: str) -> str:
    return "".join(letter for letter in re.sub(r"\d", "0", text.lower()) if letter.isalnum())

"""One indicator a line; `#` or `;` begins a comment."""

import re
from collections.abc import Iterator

from sakimori_detector.domain.intelligence.entries import Entry, Reading, Skipped, text_of
from sakimori_detector.domain.intelligence.values import read as read_value

_COMMENT = re.compile(r"(?:\A|\s)(?:[#;]|//).*", re.DOTALL)
"""Behind a space, since `#` and `;` may be part of a URL."""


def read(document: bytes, reading: Reading) -> Iterator[Entry | Skipped]:
    """Read it; without a `type` each line is what it looks like."""
    for number, line in enumerate(text_of(document).splitlines(), start=1):
        text = _COMMENT.sub("", line).strip()
        if not text:
            continue
        value = read_value(text, reading.kind)
        if value is None:
            yield Skipped(number, f"no {reading.kind or 'indicator'}", is_foreign=True)
        else:
            yield Entry(*value)

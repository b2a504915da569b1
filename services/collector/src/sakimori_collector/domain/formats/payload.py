"""What a message carries that is itself a line of some format: JSON, CEF, an access log sent through syslog.

The formats that are asked are told once, by the registry (formats/__init__.py), so that none of them has to know the
others.
"""

from collections.abc import Sequence
from typing import Final

from sakimori_collector.domain.format import Format, LineRejected, Record, Reference

_asked: Final[list[Format]] = []

_SHORTEST = 8
"""Characters of the shortest text worth asking about."""


def ask(formats: Sequence[Format]) -> None:
    """Say which formats a message may be of, the most exact first; what was said before is forgotten."""
    _asked[:] = formats


def read_payload(text: str, reference: Reference) -> list[Record] | None:
    """Read a message as what it carries, `event.dataset` set; None where it is of no format that is known."""
    if len(text) < _SHORTEST:
        return None
    for candidate in _asked:
        if candidate.recognises(text, ""):
            try:
                records = candidate.parse(text, reference)
            except LineRejected:
                continue
            for _, fields in records:
                fields.setdefault("event.dataset", candidate.name)
            return records
    return None

"""What a message carries that is itself a line of some format: JSON, CEF, an access log sent through syslog.

The formats that are asked are told once, by the registry (formats/__init__.py), so that none of them has to know the
others.
"""

from collections.abc import Callable, Sequence
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


_recognise: Final[list[Callable[[str, str], Format | None]]] = []


def ask_all(recognise: Callable[[str, str], Format | None]) -> None:
    """Say how the format of a line is found; what was said before is forgotten."""
    _recognise[:] = [recognise]


def read_any(text: str, reference: Reference) -> list[Record]:
    """Read a whole line that stood inside another, as `auto` does, `event.dataset` set. Raises LineRejected.

    Containers within containers end: each escapes the quotes of the one inside, so a line doubles with each.
    """
    found = _recognise[0](text, "")
    if found is None:
        raise LineRejected("of no known format")
    records = found.parse(text, reference)
    for _, fields in records:
        fields.setdefault("event.dataset", found.name)
    return records

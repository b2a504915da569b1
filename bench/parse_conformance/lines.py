"""Lines through the parser as an input would hand them in, each told apart by content alone."""

from bench.conformance import Flat
from sakimori_collector.domain.format import LineRejected, Reference
from sakimori_collector.domain.reading import Source
from sakimori_common.instants import format_instant


def fields_of(line: bytes, source: Source, place: int = 0) -> Flat:
    """Read a line; of several events the first. A line that is rejected, or a header, has one field: `rejected`."""
    try:
        events = source.read(line, place)
    except LineRejected as error:
        return {"rejected": str(error)}
    if not events:
        return {"rejected": "a header"}
    event = events[0]
    return {"@timestamp": format_instant(event.time), "event.dataset": event.dataset, **event.fields}


def source_of(reference: Reference, path: str = "") -> Source:
    """Make a source whose lines are recognised by content."""
    return Source("conformance", "conformance", "auto", reference, {}, path)


def offenders_of(event: Flat) -> set[str]:
    """Name the other end as the event has it, in lower case."""
    return {str(event[name]).lower() for name in ("source.ip", "source.domain") if event.get(name)}

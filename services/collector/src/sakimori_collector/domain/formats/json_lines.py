"""Lines of JSON: decoded once, then read as the kind that their keys show, or as what their names say."""

from collections.abc import Sequence

from sakimori_collector.domain.flat import Fields, put_flat
from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.generic import record_of
from sakimori_collector.domain.json_kind import JsonKind, Object, decode_object


def looks_like_json(line: str, path: str) -> bool:
    """Tell whether a line begins as an object does."""
    return line.lstrip()[:1] == "{"


def json_format(kinds: Sequence[JsonKind]) -> Format:
    """Make the format `json`: any object, each as its kind, the rest by the usual names of fields."""

    def parse(line: str, reference: Reference) -> list[Record]:
        return read_object(decode_object(line), reference, kinds)

    return Format("json", parse, looks_like_json)


def read_object(read: Object, reference: Reference, kinds: Sequence[JsonKind]) -> list[Record]:
    """Read an object as the first kind that means it. Raises LineRejected."""
    for kind in kinds:
        if (not kind.key or kind.key in read) and kind.is_meant(read, reference.path):
            records = kind.read(read, reference)
            for _, found in records:
                found.setdefault("event.dataset", kind.name)
            return records
    fields: Fields = {}
    put_flat(fields, "", read)
    if not fields:
        raise LineRejected("an object without fields")
    return [record_of(fields, reference)]


def format_of_kinds(*kinds: JsonKind) -> Format:
    """Make the format of kinds of one name; it rejects objects of others. `auto` finds it through `json`."""
    name = kinds[0].name

    def parse(line: str, reference: Reference) -> list[Record]:
        read = decode_object(line)
        for kind in kinds:
            if (not kind.key or kind.key in read) and kind.is_meant(read, reference.path):
                return kind.read(read, reference)
        raise LineRejected(f"not an object of {name}")

    return Format(name, parse, _never)


def _never(line: str, path: str) -> bool:
    return False

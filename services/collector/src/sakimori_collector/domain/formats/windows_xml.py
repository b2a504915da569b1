"""Windows events as XML, one a line, as `wevtutil` and forwarders write them (`windows.*`, as for JSON).

https://learn.microsoft.com/en-us/windows/win32/wes/eventschema-schema
"""

from typing import Any, Final
from xml.etree import ElementTree as Tree

from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.formats.windows import record_of_event
from sakimori_collector.domain.formats.windows_shapes import shape_of

_BEGINS: Final = ("<Event ", "<Event>", "<?xml")
_MAX_CHARACTERS: Final = 1 << 18
"""An event of Windows holds 64 KiB of data at most."""
_MAX_DEPTH: Final = 12


def _parse(line: str, reference: Reference) -> list[Record]:
    text = line.strip()
    if not text.startswith(_BEGINS) or len(text) > _MAX_CHARACTERS:
        raise LineRejected("not an event of Windows as XML, in one line of at most 262,144 characters")
    if "<!" in text:
        raise LineRejected("XML with a document type, entities or comments is not read")
    try:
        # Without a document type there are no entities to expand and nothing outside to fetch.
        root = Tree.fromstring(text)  # noqa: S314
    except Tree.ParseError as error:
        raise LineRejected(f"not XML: {error}") from None
    event = shape_of({_tag(root): _object_of(root, 0)})
    if event is None:
        raise LineRejected("XML, but not an event of Windows")
    return [record_of_event(event, reference)]


def _tag(element: "Tree.Element") -> str:
    return element.tag.rpartition("}")[2]


def _object_of(element: "Tree.Element", depth: int) -> Any:
    """Write an element as JSON has it: text, or children by name with attributes beside them."""
    if depth >= _MAX_DEPTH:
        raise LineRejected(f"XML nested deeper than {_MAX_DEPTH}")
    read: dict[str, Any] = {f"@{name}": value for name, value in element.attrib.items()}
    for child in element:
        name, value = _tag(child), _object_of(child, depth + 1)
        if name in read:
            earlier = read[name]
            read[name] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]
        else:
            read[name] = value
    text = (element.text or "").strip()
    if not read:
        return text
    if text:
        read["#text"] = text
    return read


WINDOWS_XML: Final = Format("windows.xml", _parse, lambda line, _: line.startswith(_BEGINS[:2]))

"""The values inside of a request body that is no form: JSON, XML, multipart/form-data (RFC 7578).

Applications take them apart before they use them, so an expression that looks at the beginning of a value has to see
them apart, too. Nothing here is a parser of the format in earnest: what cannot be read yields nothing, and then the
body is looked at as it is. Bounded: `MAX_VALUES` values, `MAX_DEPTH` levels; no entity of XML is ever resolved.
"""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

MAX_VALUES: Final = 256
"""Of a body; what follows is not looked at."""

MAX_DEPTH: Final = 8
"""Of objects and lists in one another, JSON inside of text included."""

Value = tuple[str, str]
"""Name, such as `user.name`, and text; of an empty object or list, the name with nothing."""

_XML_TEXT = re.compile(r"<([A-Za-z][\w:.-]*)[^<>]*>([^<>]+)<")
_XML_ATTRIBUTE = re.compile(r"""[\s"']([A-Za-z][\w:.-]*)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')""")
_PART = re.compile(r"""\bname="([^"\r\n]*)"(?:; ?filename="([^"\r\n]*)")?[^\r\n]*(?:\r?\n[\w-]+:[^\r\n]*)*\r?\n\r?\n""")


def values_of(body: str) -> list[Value]:
    """Take a body apart; the list is empty for a form, for text, and for what cannot be read."""
    start = body.lstrip()[:2]
    if start[:1] in {"{", "["}:
        return list(islice(_of_json(body), MAX_VALUES))
    if start[:1] == "<":
        return list(islice(_of_xml(body), MAX_VALUES))
    return list(islice(_of_parts(body), MAX_VALUES)) if start == "--" else []


def _of_json(text: str, name: str = "", depth: int = 0) -> Iterator[Value]:
    try:
        yield from _leaves(json.loads(text, object_pairs_hook=tuple), name, depth)
    except (ValueError, RecursionError):
        return


def _leaves(value: object, name: str, depth: int) -> Iterator[Value]:
    if depth > MAX_DEPTH:
        yield name, json.dumps(value)
    elif not isinstance(value, str | tuple | list) or not value:
        yield name, _word(value)
    elif isinstance(value, str):
        yield name, value
        if value[:1] in {"{", "["}:
            yield from _of_json(value, name, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, name, depth + 1)
    else:  # an object, as pairs: of a name that comes twice, servers differ in which counts
        for key, item in value:
            yield from _leaves(item, f"{name}.{key}" if name else str(key), depth + 1)


def _word(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) if isinstance(value, int | float) else ""


def _of_xml(text: str) -> Iterator[Value]:
    for found in _XML_TEXT.finditer(text):
        yield found[1], found[2]
    for found in _XML_ATTRIBUTE.finditer(text):
        yield found[1], found[2] or found[3] or ""


def _of_parts(text: str) -> Iterator[Value]:
    boundary = text.lstrip().split("\n", 1)[0].rstrip("\r")
    for part in text.split(boundary):
        if head := _PART.search(part):
            yield head[1], part[head.end() :].strip("\r\n")
            if head[2]:
                yield f"{head[1]}.filename", head[2]
        elif part.strip("-\r\n "):
            yield "", part

"""Rule files as YAML documents that know their lines, so that a mistake can be pointed at.

Plain scalars are read as YAML 1.2 reads them, numbers in hexadecimal as text: with PyYAML's own rules, of YAML 1.1, a
value `yes` would be true, `12:30` a number, `010` eight, and none of them would ever match what logs say.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

MAX_DOCUMENTS: Final = 100
MAX_DEPTH: Final = 60
"""Lists in maps in lists ...: libyaml and pySigma walk down by recursion."""
MAX_NODES: Final = 100_000
"""Keys and values of a file; a rule has some fifty."""
_QUOTED = re.compile(r"'([^']+)'|`([^`]+)`")

PathPart = str | int


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file, or a part of it, is not used; `line` and `column` count from 1."""

    path: str
    line: int
    column: int
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.why}"


class DocumentError(ValueError):
    """A file is no YAML that rules can be made of; says where, from 1."""

    def __init__(self, why: str, line: int, column: int) -> None:
        super().__init__(why)
        self.line = line
        self.column = column


class Document:
    """One YAML document: its `data` and the place of each of its parts."""

    def __init__(self, node: yaml.Node, data: dict[str, Any]) -> None:
        self._node = node
        self.data = data

    @property
    def line(self) -> int:
        """Where it begins, from 1."""
        return int(self._node.start_mark.line) + 1

    def place(self, *path: PathPart, mentioned: str = "") -> tuple[int, int]:
        """Give line and column of the part at `path`, or of as much of it as there is.

        Inside it the first scalar that `mentioned` quotes is pointed at, if there is one: error messages quote the
        value that they are about.
        """
        node = self._node
        for part in path:
            inner = _inner(node, part)
            if inner is None:
                break
            node = inner
        for match in _QUOTED.finditer(mentioned):
            found = next(_scalars_with(node, match[1] or match[2]), None)
            if found is not None:
                node = found
                break
        return node.start_mark.line + 1, node.start_mark.column + 1


def read(text: str) -> list[Document]:
    """Read a file's documents.

    Raises DocumentError: not YAML, a document that is no map, a key twice, nested too deep, too much of it.
    """
    try:
        _refuse_deep(text)
        is_small = len(text) <= MAX_NODES and "&" not in text
        return [_document(node, is_small=is_small) for node in _composed(text)]
    except DocumentError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = error.problem or error.context or "not YAML"
        raise DocumentError(why, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1) from None
    except yaml.reader.ReaderError as error:
        line, column = _place(text, error.position)
        raise DocumentError(f"{error.reason}: character {error.character:#x}", line, column) from None
    except yaml.YAMLError as error:
        raise DocumentError(str(error).splitlines()[0], 1, 1) from None
    except (RecursionError, ValueError, OverflowError) as error:
        raise DocumentError(f"not readable: {error}", 1, 1) from None


def _place(text: str, position: int) -> tuple[int, int]:
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1


class _Loader(yaml.CSafeLoader):
    """libyaml's parser, six times as fast as the one in Python (0.6 against 3.5 ms a rule)."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML's own way


for _tag, _written, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_written})\Z"), _first)


def _refuse_deep(text: str) -> None:
    """Look at brackets and indentation first; only what looks deep is parsed, and no further than to what is."""
    if "\0" in text:
        line, column = _place(text, text.index("\0"))
        raise DocumentError("special characters are not allowed: a zero byte", line, column)
    if _looks_deep(text):
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    mark = event.start_mark
                    raise DocumentError("nested too deep", mark.line + 1 if mark else 1, mark.column + 1 if mark else 1)
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1


def _looks_deep(text: str) -> bool:
    depth = 0
    for bracket in _BRACKETS.findall(text):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            return True
    return _INDENTED.search(text) is not None


_BRACKETS: Final = re.compile(r"[\[\]{}]")
_INDENTED: Final = re.compile(rf"^[ ?:-]{{{MAX_DEPTH},}}", re.MULTILINE)


def _composed(text: str) -> Iterator[yaml.Node]:
    for number, node in enumerate(yaml.compose_all(text, Loader=_Loader)):
        if number == MAX_DOCUMENTS:
            raise DocumentError(f"over {MAX_DOCUMENTS} documents", node.start_mark.line + 1, 1)
        if node is not None and not (isinstance(node, yaml.ScalarNode) and node.value in {"", "null"}):
            yield node


def _document(node: yaml.Node, *, is_small: bool) -> Document:
    _refuse_repeated_keys(node)
    if not is_small:
        _refuse_bombs(node)
    data = _Constructor().construct_document(node)
    if not isinstance(data, dict):
        raise DocumentError("a rule is a map of keys to values", node.start_mark.line + 1, node.start_mark.column + 1)
    return Document(node, data)


class _Constructor(yaml.constructor.SafeConstructor):
    """Builds plain Python values of nodes."""


def _number(constructor: yaml.constructor.SafeConstructor, node: yaml.ScalarNode) -> int:
    """Read a decimal number, zeros in front or not."""
    return int(str(constructor.construct_scalar(node)))


_Constructor.add_constructor("tag:yaml.org,2002:int", _number)  # type: ignore[type-var]  # the stubs know loaders only


def _refuse_bombs(root: yaml.Node) -> None:
    """Refuse what is too much with its aliases written out, and what contains itself."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        known = sizes.get(id(node))
        if known is None:
            sizes[id(node)] = MAX_NODES + 1  # of one that contains itself
            known = sizes[id(node)] = 1 + sum(map(size, _children(node)))
        if known > MAX_NODES:
            why = f"over {MAX_NODES} keys and values, with aliases written out"
            raise DocumentError(why, node.start_mark.line + 1, node.start_mark.column + 1)
        return known

    size(root)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair


def _refuse_repeated_keys(root: yaml.Node) -> None:
    stack, visited = [root], set()
    while stack:
        node = stack.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            stack.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in keys:
                    mark = key.start_mark
                    raise DocumentError(f"the key {key.value!r} stands here twice", mark.line + 1, mark.column + 1)
                keys.add(key.value if isinstance(key, yaml.ScalarNode) else "")
                stack.append(value)


def _inner(node: yaml.Node, part: PathPart) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        inner: yaml.Node = node.value[part]
        return inner
    return None


def _scalars_with(node: yaml.Node, text: str) -> Iterator[yaml.Node]:
    """Walk over the scalars, keys included, that contain a text; a bound keeps alias bombs from mattering."""
    stack, left = [node], 100_000
    while stack and left:
        node, left = stack.pop(), left - 1
        if isinstance(node, yaml.ScalarNode) and text in str(node.value):
            yield node
        elif isinstance(node, yaml.SequenceNode):
            stack.extend(reversed(node.value))
        elif isinstance(node, yaml.MappingNode):
            stack.extend(part for pair in reversed(node.value) for part in reversed(pair))

"""Rule files as YAML documents that know their lines, so that a mistake can be pointed at."""

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

MAX_DOCUMENTS: Final = 100
_QUOTED = re.compile(r"'([^']+)'|`([^`]+)`")

PathPart = str | int


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
    """Read a file's documents. Raises DocumentError: not YAML, a document that is no map, a key twice, too deep."""
    try:
        nodes = list(_composed(text))
        return [_document(node) for node in nodes]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = error.problem or error.context or "not YAML"
        raise DocumentError(why, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1) from None
    except yaml.YAMLError as error:
        raise DocumentError(str(error).splitlines()[0], 1, 1) from None
    except RecursionError:
        raise DocumentError("nested too deep", 1, 1) from None
    except ValueError as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(str(error), 1, 1) from None


def _composed(text: str) -> Iterator[yaml.Node]:
    for number, node in enumerate(yaml.compose_all(text, Loader=yaml.SafeLoader)):
        if number == MAX_DOCUMENTS:
            raise DocumentError(f"over {MAX_DOCUMENTS} documents", node.start_mark.line + 1, 1)
        if node is not None and not (isinstance(node, yaml.ScalarNode) and node.value in {"", "null"}):
            yield node


def _document(node: yaml.Node) -> Document:
    _refuse_repeated_keys(node)
    data = _Constructor().construct_document(node)
    if not isinstance(data, dict):
        raise DocumentError("a rule is a map of keys to values", node.start_mark.line + 1, node.start_mark.column + 1)
    return Document(node, data)


class _Constructor(yaml.constructor.SafeConstructor):
    """Builds plain Python values of nodes."""


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

"""Whose log a file of Docker's is: told by its path, and by the configuration that lies beside it."""

import re
from pathlib import Path
from typing import Any, Final

import msgspec

from sakimori_common.contracts import FieldValue

_CONTAINER: Final = re.compile(r"(?:.*/)?([0-9a-f]{64})/\1-json\.log")
_MAX_BYTES: Final = 1 << 20
_CONFIG: Final = "config.v2.json"


def container_of(path: str) -> dict[str, FieldValue]:
    """Read `container.id`, and `container.name` and `.image.name` where Docker's file may be read. Blocks."""
    match = _CONTAINER.fullmatch(path)
    if match is None:
        return {}
    fields: dict[str, FieldValue] = {"container.id": match[1]}
    config = _config(Path(path).with_name(_CONFIG))
    name, inner = config.get("Name"), config.get("Config")
    if isinstance(name, str) and name.strip("/"):
        fields["container.name"] = name.strip("/")[:256]
    image = inner.get("Image") if isinstance(inner, dict) else None
    if isinstance(image, str) and image:
        fields["container.image.name"] = image[:512]
    return fields


def _config(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            found = msgspec.json.decode(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

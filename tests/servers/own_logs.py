"""What the code under test writes about itself, each line held against the schema."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import structlog
from jsonschema import Draft202012Validator

import sakimori_common.log
from sakimori_common.log import Retention, configure_logging, open_streams
from sakimori_common.log.setup import close_streams

SCHEMA = Draft202012Validator(json.loads(resources.files(sakimori_common.log).joinpath("schema.json").read_text()))


@contextmanager
def logging_set_up() -> Iterator[None]:
    """Log as a service does until the block ends; nothing of it stays."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers = []
    configure_logging("INFO", service="test")
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
        structlog.reset_defaults()


@contextmanager
def streams_in(folder: Path) -> Iterator[None]:
    """Write the four streams there until the block ends; nothing of it stays."""
    with logging_set_up():
        open_streams(folder, Retention(), "test")
        try:
            yield
        finally:
            close_streams()


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Read a log. Fails for a line that is not as schema.json says."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        SCHEMA.validate(record)
    return records

"""structlog as every service uses it: constant event names, data in keys, JSON when piped, coloured on a terminal."""

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal

import structlog

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Format = Literal["auto", "json", "console"]


def configure_logging(level: Level = "INFO", format: Format = "auto", file: Path | None = None) -> None:
    """Set up logging of this process; libraries' records go the same way. UTC, one line a record.

    Writes to stderr, or to `file`: JSON, rotated at 10 MB, five old files kept.
    """
    pretty = file is None and (format == "console" or (format == "auto" and sys.stderr.isatty()))
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
    ]
    renderer: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if pretty
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if file is not None:
        handler = RotatingFileHandler(file, maxBytes=10_000_000, backupCount=5, encoding="utf-8")
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "uvicorn"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # the bus tells what it loses and regains, once
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def logger(service: str) -> structlog.stdlib.BoundLogger:
    """Get the logger of a service."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(service).bind(service=service)
    return bound

"""structlog as every service uses it: constant event names, data in keys, JSON when piped, coloured on a terminal."""

import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from sakimori_common.instants import now_text
from sakimori_common.log.rotation import OWNER_ONLY, Retention, RotatingFile
from sakimori_common.log.streams import FILES, STREAMS

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Format = Literal["auto", "json", "console"]

_STRANGERS_DOING: Final = frozenset(
    {
        "Invalid HTTP request received.",
        "Unsupported upgrade request.",
        "ASGI callable returned without completing handshake.",
        "Invalid UTF-8 sequence received from client.",
    }
)
"""What uvicorn says, as warnings and errors, for each broken request or frame and each WebSocket that was refused: they
are answered, and a line each would be anybody's to write as fast as they can send."""
SECURITY_DAYS: Final = 7
"""How long the security stream is kept, whose addresses are as they came (X-05)."""


def configure_logging(
    level: Level = "INFO", format: Format = "auto", file: Path | None = None, service: str = "sakimori"
) -> None:
    """Set up logging of this process; libraries' records go the same way, as the service's. UTC, one line a record.

    Writes to stderr, coloured on a terminal unless NO_COLOR is set (no-color.org), or to `file`: JSON, rotated.
    """
    pretty = file is None and (format == "console" or (format == "auto" and sys.stderr.isatty()))
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if file is not None:
        handler = RotatingFile(file, Retention())
    colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    handler.setFormatter(_formatter([structlog.dev.ConsoleRenderer(colors=colours)] if pretty else _JSON, service))
    root = logging.getLogger()
    for old in root.handlers:
        old.close()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "uvicorn"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    logging.getLogger("uvicorn.error").addFilter(_is_our_business)
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # the bus tells what it loses and regains, once
    structlog.configure(
        processors=[*_chain(service), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _is_our_business(record: logging.LogRecord) -> bool:
    return record.msg not in _STRANGERS_DOING


def open_streams(folder: Path, retention: Retention, service: str = "sakimori") -> None:
    """Write the four streams into a folder from now on. No two processes may share it. Raises OSError.

    The security stream is for its owner only, and kept for a week at most. Call it after `configure_logging`.
    """
    close_streams()
    folder.mkdir(parents=True, exist_ok=True)
    for name in STREAMS:
        kept = retention
        if name == "security":
            kept = replace(retention, days=min(retention.days, SECURITY_DAYS), mode=OWNER_ONLY)
        handler = RotatingFile(folder / f"{name}.log", kept)
        FILES[name] = handler
        if name == "error":
            handler.setLevel(logging.ERROR)
            handler.setFormatter(_formatter([_mark_as_error, *_JSON], service))
            logging.getLogger().addHandler(handler)


def close_streams() -> None:
    """Write no streams any more."""
    for name in list(FILES):
        file = FILES.pop(name)
        logging.getLogger().removeHandler(file)
        file.close()


def logger(service: str) -> structlog.stdlib.BoundLogger:
    """Get the logger of a service."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(service).bind(service=service)
    return bound


def _formatter(renderer: list[Processor], service: str) -> structlog.stdlib.ProcessorFormatter:
    return structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        foreign_pre_chain=_chain(service),
    )


def _chain(service: str) -> list[Processor]:
    def stamp(_: WrappedLogger, __: str, record: EventDict) -> EventDict:
        record["timestamp"] = now_text()
        record.setdefault("event_type", "service")
        record.setdefault("service", service)
        return record

    return [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, stamp]


def _mark_as_error(_: WrappedLogger, __: str, record: EventDict) -> EventDict:
    return {**record, "event_type": "error"}


_JSON: Final[list[Processor]] = [
    structlog.processors.format_exc_info,
    structlog.processors.JSONRenderer(ensure_ascii=False),
]

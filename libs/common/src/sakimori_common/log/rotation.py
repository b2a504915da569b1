"""Log files that neither grow nor stay for ever."""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from logging import LogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

OWNER_ONLY: Final = 0o600
OWNER_AND_GROUP: Final = 0o640
_DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of a log file is kept.

    It is set aside (`.1` is the latest) at `max_bytes`, and when a UTC day ends; such `old_files` are kept, for so many
    `days`. `mode` is the file's.
    """

    max_bytes: int = 10_000_000
    old_files: int = 5
    days: int = 30
    mode: int = OWNER_AND_GROUP


class RotatingFile(RotatingFileHandler):
    """A handler that writes whole lines to a file no other process writes to; a line is never split over two files.

    Raises OSError when the file cannot be opened.
    """

    def __init__(self, path: Path, retention: Retention) -> None:
        self._retention = retention
        super().__init__(path, maxBytes=retention.max_bytes, backupCount=retention.old_files, encoding="utf-8")
        self._delete_expired()

    def shouldRollover(self, record: LogRecord) -> bool:  # noqa: N802  # the base class names it
        """Say whether the record is the first of a new day, or one too many."""
        return self._is_of_another_day() or bool(super().shouldRollover(record))

    def doRollover(self) -> None:  # noqa: N802
        """Set the file aside and begin a new one."""
        super().doRollover()
        self._delete_expired()

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, self._retention.mode)
        status = os.fstat(descriptor)
        self._day = _day(status.st_mtime if status.st_size else time.time())
        return os.fdopen(descriptor, "a", encoding=self.encoding)

    def _is_of_another_day(self) -> bool:
        if _day(time.time()) == self._day:
            return False
        self._day = _day(time.time())
        return Path(self.baseFilename).stat().st_size > 0

    def _delete_expired(self) -> None:
        oldest = time.time() - self._retention.days * _DAY_SECONDS
        for number in range(1, self._retention.old_files + 1):
            old = Path(f"{self.baseFilename}.{number}")
            if old.exists() and old.stat().st_mtime < oldest:
                old.unlink()


def _day(seconds: float) -> int:
    return datetime.fromtimestamp(seconds, UTC).toordinal()

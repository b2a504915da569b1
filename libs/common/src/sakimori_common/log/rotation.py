"""Log files that neither grow nor stay for ever."""

import os
import time
from dataclasses import dataclass
from io import TextIOWrapper
from logging import LogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from threading import RLock
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
        self._size = self._day = self._descriptor = 0
        self._writing = RLock()
        super().__init__(path, maxBytes=retention.max_bytes, backupCount=retention.old_files, encoding="utf-8")
        self._delete_expired()

    def emit(self, record: LogRecord) -> None:
        """Write a record. The base class asks the file system twice for each, which costs more than writing it."""
        try:
            self.write(self.format(record).encode("utf-8", "backslashreplace") + b"\n", record.created)
        except OSError:
            self.handleError(record)

    def write(self, line: bytes, created: float) -> None:
        """Write a line, its end included, of that instant (seconds since the epoch). Raises OSError."""
        with self._writing:
            if int(created // _DAY_SECONDS) > self._day or self._size + len(line) > self.maxBytes:
                self.doRollover()
            os.write(self._descriptor, line)
            self._size += len(line)

    def doRollover(self) -> None:  # noqa: N802
        """Set the file aside and begin a new one."""
        if self._size:
            super().doRollover()
        self._day = int(time.time() // _DAY_SECONDS)
        self._delete_expired()

    def _open(self) -> TextIOWrapper:
        self._descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, self._retention.mode)
        status = os.fstat(self._descriptor)
        self._day = int((status.st_mtime if status.st_size else time.time()) // _DAY_SECONDS)
        self._size = status.st_size
        return os.fdopen(self._descriptor, "a", encoding=self.encoding)

    def _delete_expired(self) -> None:
        oldest = time.time() - self._retention.days * _DAY_SECONDS
        for number in range(1, self._retention.old_files + 1):
            old = Path(f"{self.baseFilename}.{number}")
            if old.exists() and old.stat().st_mtime < oldest:
                old.unlink()

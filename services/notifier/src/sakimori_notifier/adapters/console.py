"""Notices on standard output, boxed; in colour on a terminal."""

import asyncio
import os
import sys
from typing import TextIO

from sakimori_common.contracts import Finding, Severity
from sakimori_notifier.domain.notice import console_text

_COLOURS = {
    Severity.CRITICAL: "\x1b[1;31m",
    Severity.HIGH: "\x1b[31m",
    Severity.MEDIUM: "\x1b[33m",
    Severity.LOW: "\x1b[36m",
    Severity.INFO: "\x1b[2m",
}
_RESET = "\x1b[0m"


class ConsoleChannel:
    """Writes the box of S1-43. A console that is gone (a closed pipe) is no reason to try again."""

    name = "console"

    def __init__(self, language: str, stream: TextIO | None = None) -> None:
        self._language = language
        self._stream = stream or sys.stdout
        self._is_coloured = self._stream.isatty() and "NO_COLOR" not in os.environ

    async def send(self, finding: Finding) -> None:
        """Write the box in one piece, so that boxes never mix."""
        text = console_text(finding, self._language)
        if self._is_coloured:
            text = f"{_COLOURS[finding.severity]}{text}{_RESET}"
        await asyncio.to_thread(self._write, text)

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            return

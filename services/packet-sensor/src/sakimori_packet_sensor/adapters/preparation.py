"""Sees to it that the compiled part is there before a capture needs it, without holding the service up."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog

from sakimori_packet_sensor.ports import NotPrepared

COMMAND: Final = (sys.executable, "-m", "sakimori_packet_sensor.precompile")
PATIENCE_SECONDS: Final = 20.0
"""How long a capture waits; who sent it may wait longer and send it again."""


class Preparation:
    """Runs `precompile` once, aside. Where it fails, the first capture compiles by itself, which takes as long."""

    def __init__(
        self,
        log: structlog.stdlib.BoundLogger,
        command: Sequence[str] = COMMAND,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._log = log
        self._command = command
        self._patience = patience_seconds
        self._is_over = asyncio.Event()

    async def run(self) -> None:
        """Compile what is missing; two seconds when nothing is."""
        process = await asyncio.create_subprocess_exec(*self._command, stdin=asyncio.subprocess.DEVNULL)
        try:
            status = await process.wait()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if status:
            self._log.warning("preparation_failed", status=status)
        self._is_over.set()

    async def wait(self) -> None:
        """Wait for it a while. Raises NotPrepared."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await self._is_over.wait()
        if not self._is_over.is_set():
            raise NotPrepared

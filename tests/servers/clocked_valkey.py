"""Valkey whose clock stands still until a test moves it: Debian's libfaketime in front of the real server."""

from pathlib import Path

from redis import Redis

from sakimori.embedded import ValkeyServer
from servers.debian import install

BEGIN = 1_768_528_800
"""2026-01-16T02:00:00Z."""


class ClockedValkey(ValkeyServer):
    """Valkey that takes the time, and with it every expiry, from a file. Timeouts of its own run on.

    Its file is never synced: a second of its clock passes at every step, and each would wait for the disk.
    """

    def __init__(self, home: Path, library: Path) -> None:
        super().__init__(home, throwaway=True)
        self._clock = home / "clock"
        self._now = BEGIN
        self.advance(0)
        wrapper = home / "valkey-server"
        settings = f"FAKETIME_TIMESTAMP_FILE={self._clock} FAKETIME_FMT=%s FAKETIME_NO_CACHE=1"
        environment = f"LD_PRELOAD={library} {settings} FAKETIME_DONT_FAKE_MONOTONIC=1"
        wrapper.write_text(f'#!/bin/sh\n{environment} exec {self._binary} "$@"\n')
        wrapper.chmod(0o755)
        self._binary = wrapper

    @property
    def now(self) -> int:
        """Seconds since the epoch, as the server has them."""
        return self._now

    def advance(self, seconds: int) -> None:
        """Let time pass."""
        self._now += seconds
        moved = self._clock.with_suffix(".new")
        moved.write_text(f"{self._now}\n")
        moved.replace(self._clock)
        if self.is_running:
            self._wait_until_it_is_known()

    def _wait_until_it_is_known(self) -> None:
        """The server looks at its clock a few commands late."""
        with Redis.from_url(self.url) as client:
            while client.time()[0] != self._now:
                pass


def find_faketime() -> Path | None:
    """Find the library, or install it; None where that is not possible."""
    return _library() or (_library() if install("libfaketime") else None)


def _library() -> Path | None:
    return next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)

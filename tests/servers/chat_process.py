"""The chat as a process of its own, so that a test can kill it as a power cut would."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from servers.ports import free_ports

_START_SECONDS = 60.0


class ChatProcess:
    """One chat; `start` after `kill` begins with what the last one left. `bot_port` is a TCP port for bots."""

    def __init__(self, folder: Path, database_url: str, valkey_url: str, secret_key: str, **settings: str) -> None:
        self._folder = folder
        self.port, self.bot_port, self._side_port = free_ports(3)
        self._environment: Mapping[str, str] = {
            **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            "HOME": str(folder),
            "BUS_URL": "memory://",
            "DATABASE_URL": database_url,
            "VALKEY_URL": valkey_url,
            "LOG_FORMAT": "json",
            "EDGE_TOKEN": "test-edge-token-0123456",
            "CHAT_SECRET_KEY": secret_key,
            "CHAT_PORT": str(self.port),
            "CHAT_SIDE_PORT": str(self._side_port),
            "CHAT_BOT_PORTS": str(self.bot_port),
            "CHAT_SPOOL_DIR": str(folder / "spool"),
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it is ready."""
        with (self._folder / "chat.log").open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sakimori_chat"], env=self._environment, stdout=out, stderr=out
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            assert self._process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.05)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order; its exit status is 0."""
        self._end(signal.SIGTERM)

    def output(self) -> str:
        """Read all that it has written."""
        return (self._folder / "chat.log").read_text("utf-8")

    def _end(self, with_signal: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(with_signal)
            status = process.wait(30)
            assert with_signal is signal.SIGKILL or status == 0, self.output()

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._side_port}/ready", timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False

"""The collector as a process of its own, so that a test can kill it as a power cut would."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from servers.ports import free_ports

TOKEN = "test-ingest-token-0123"
_START_SECONDS = 60.0


class CollectorProcess:
    """One collector; `start` after `kill` begins with what the last one left."""

    def __init__(self, folder: Path, bus_url: str, database_url: str, valkey_url: str, **settings: str) -> None:
        self._folder = folder
        self.port, self._side_port = free_ports(2)
        self._environment: Mapping[str, str] = {
            **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            "HOME": str(folder),
            "BUS_URL": bus_url,
            "DATABASE_URL": database_url,
            "VALKEY_URL": valkey_url,
            "LOG_FORMAT": "json",
            "INGEST_TOKEN": TOKEN,
            "EDGE_TOKEN": "test-edge-token-0123456",
            "PRIVACY_KEY": "test-privacy-key-0123456",
            "LOG_KEY": "test-log-key-0123456789",
            "COLLECTOR_PORT": str(self.port),
            "COLLECTOR_SIDE_PORT": str(self._side_port),
            "COLLECTOR_SPOOL_DIR": str(folder / "spool"),
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it is ready."""
        with (self._folder / "collector.log").open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sakimori_collector"], env=self._environment, stdout=out, stderr=out
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
        """End it in order."""
        self._end(signal.SIGTERM)

    def output(self) -> str:
        """Read its log."""
        return (self._folder / "collector.log").read_text(errors="replace")

    def metric(self, name: str, labels: str) -> float:
        """Read one metric, `labels` as in `source="http"`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._side_port}/metrics", timeout=5) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(f"sakimori_collector_{name}{{{labels}}} "):
                    return float(line.rpartition(" ")[2])
        return 0.0

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._side_port}/ready", timeout=2):
                return True
        except OSError:
            return False

"""Debian's rsyslogd as a host's agent: a process of its own with a socket, a queue and a configuration of its own."""

import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from servers.debian import install

PROGRAM = Path("/usr/sbin/rsyslogd")
_MODULES = Path("/usr/lib")
PACKAGES = ("rsyslog", "rsyslog-elasticsearch", "rsyslog-openssl")
AGENTS = Path(__file__).resolve().parents[2] / "deploy" / "agents"


def has_rsyslog() -> bool:
    """Tell whether rsyslogd and its modules are there, installing them where that is allowed."""
    return (PROGRAM.exists() and any(_MODULES.glob("*/rsyslog/lmnsd_ossl.so"))) or install(*PACKAGES)


class Rsyslog:
    """One rsyslogd. `config` is a file of deploy/agents/rsyslog, `changes` what stands there for another site."""

    def __init__(self, folder: Path, config: str, changes: Mapping[str, str]) -> None:
        self._folder = folder
        self._socket = folder / "log"
        text = (AGENTS / "rsyslog" / config).read_text()
        for old, new in changes.items():
            assert old in text, f"{config} has no {old}"
            text = text.replace(old, new)
        (folder / "rsyslog.conf").write_text(
            f'global(workDirectory="{folder}")\n'
            'module(load="imuxsock" SysSock.Use="off")\n'
            f'input(type="imuxsock" Socket="{self._socket}" RateLimit.Interval="0")\n' + text
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait for the socket."""
        command = [str(PROGRAM), "-n", "-f", str(self._folder / "rsyslog.conf"), "-i", str(self._folder / "pid")]
        self._socket.unlink(missing_ok=True)
        with (self._folder / "out").open("ab") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=out)
        deadline = time.monotonic() + 10
        while not self._socket.exists():
            assert self._process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.01)

    def stop(self) -> None:
        """End it in order: what it holds goes to its queue on disk."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(20)
            self._process = None

    def log(self, lines: Sequence[str]) -> None:
        """Log as logger(1) and syslog(3) do: datagrams to the socket, without host and year."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
            opened.connect(str(self._socket))
            for line in lines:
                opened.send(line.encode())

    def output(self) -> str:
        """Read what it said of itself."""
        return (self._folder / "out").read_text(errors="replace")

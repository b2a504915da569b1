"""Debian's fail2ban with the jails of deploy/fail2ban, in a folder of its own; its bans are lines in a file."""

import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from servers.debian import install

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "fail2ban"
MISSING = "No fail2ban for the tests: apt-get install fail2ban."
_DEBIAN = Path("/etc/fail2ban")
_ACTION = """
[Definition]
actionban = echo "<name> <ip> <bantime>" >> {bans}
actionunban = echo "<name> <ip> free" >> {bans}
"""


def has_fail2ban() -> bool:
    """Tell whether fail2ban is there, installing it where that is allowed."""
    return shutil.which("fail2ban-server") is not None or install("fail2ban")


def matched(filter_name: str, log: Path) -> list[str]:
    """List the addresses that a filter of ours finds in a log, line by line, as fail2ban-regex has them."""
    command = ["fail2ban-regex", "-o", "ip", str(log), str(CONFIGURATION / "filter.d" / f"{filter_name}.conf")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return result.stdout.split()


class Fail2ban:
    """One server. `site` is what an operator writes into jail.d/sakimori.local: jail to option to value."""

    def __init__(self, folder: Path, logs: str, site: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._folder = folder
        self._etc = folder / "etc"
        self._bans = folder / "bans"
        shutil.copytree(_DEBIAN, self._etc)
        shutil.rmtree(self._etc / "jail.d")
        shutil.copytree(CONFIGURATION / "jail.d", self._etc / "jail.d")
        shutil.copytree(CONFIGURATION / "filter.d", self._etc / "filter.d", dirs_exist_ok=True)
        (self._etc / "action.d" / "line.conf").write_text(_ACTION.format(bans=self._bans))
        (self._etc / "fail2ban.local").write_text("[Definition]\ndbfile = None\n")
        ours = {"sakimori_logs": logs, "backend": "polling", "banaction": "line"}
        given = {**(site or {}), "DEFAULT": {**ours, **(site or {}).get("DEFAULT", {})}}
        (self._etc / "jail.d" / "sakimori.local").write_text("".join(map(_section, given, given.values())))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> list[str]:
        """The client as it is called, without what it shall do."""
        return [
            "fail2ban-client",
            "-c",
            str(self._etc),
            "-s",
            str(self._folder / "socket"),
            "-p",
            str(self._folder / "pid"),
        ]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Call the client."""
        return subprocess.run([*self.client, *arguments], capture_output=True, text=True, timeout=60, check=False)

    def start(self) -> None:
        """Start, and wait until it answers."""
        out = self._folder / "out"
        command = ["fail2ban-server", *self.client[1:], "--logtarget", str(out), "-f", "start"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while "pong" not in self.run("ping").stdout:
            assert self._process.poll() is None, out.read_text()
            assert time.monotonic() < deadline, out.read_text()

    def stop(self) -> None:
        """End it; it sets everybody free first."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def bans(self) -> list[str]:
        """List what it did, in order: `<jail> <address> <seconds>`, or `free`."""
        return self._bans.read_text().splitlines() if self._bans.exists() else []


def _section(name: str, options: Mapping[str, str]) -> str:
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())

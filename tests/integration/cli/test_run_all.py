"""`sakimori run all` as a person uses it: start, look, attack, stop, start again."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from servers.own_logs import lines_of
from servers.ports import free_ports

READY_SECONDS = 60.0
"""The promise is 15 s on a machine that does nothing else; bench figures are in docs/performance.md."""

COMPILED = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
"""Where `make test` put the compiled code: else each start would compile for a minute, and go on when it is killed."""


@dataclass
class Instance:
    """A running all-in-one process."""

    process: "subprocess.Popen[str]"
    output: Path
    gateway: str
    environment: dict[str, str]

    @property
    def screen(self) -> str:
        return self.output.read_text()

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def sakimori(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "sakimori", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=110, check=False)


@contextmanager
def started(home: Path, cwd: Path) -> Iterator[Instance]:
    (port,) = free_ports(1)
    output = home.parent / f"screen-{port}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home.parent),
        "XDG_CACHE_HOME": COMPILED,
        "SAKIMORI_HOME": str(home),
        "GATEWAY_PORT": str(port),
    }
    with output.open("w") as screen:
        process = subprocess.Popen(
            [sys.executable, "-m", "sakimori", "run", "all"],
            cwd=cwd,
            env=environment,
            stdout=screen,
            stderr=screen,
            text=True,
        )
    instance = Instance(process, output, f"http://127.0.0.1:{port}", environment)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while "Sakimori is ready" not in instance.screen:
            assert process.poll() is None, instance.screen
            assert time.monotonic() < deadline, instance.screen
            time.sleep(0.05)
        yield instance
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_the_demo_finds_everything_and_a_second_start_keeps_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with started(home, Path("/")) as first:
        password = re.search(r"Password +(\S+)", first.screen)
        assert password is not None
        demo = first.sakimori("demo")
        assert demo.returncode == 0, demo.stdout + demo.stderr
        assert "7 of 7 went as they should" in demo.stdout
        assert "🚨 セキュリティアラート [CRITICAL]" in first.screen
        before = findings(first, password[1])
        assert first.stop() == 0
        assert "Stopped." in first.screen
    for stream in ("access", "security", "error", "alert"):
        assert {line["event_type"] for line in lines_of(home / "log" / f"{stream}.log")} <= {stream}
    assert {line["service"] for line in lines_of(home / "log" / "access.log")} == {"api-gateway"}
    assert len(lines_of(home / "log" / "alert.log")) >= 4
    lines_of(home / "log" / "sakimori.log")
    with started(home, tmp_path) as second:
        assert "Password" not in second.screen
        assert findings(second, password[1]) >= before  # at night the logins of this test are findings, too
        assert second.stop(signal.SIGTERM) == 0


def test_a_second_instance_in_the_same_folder_is_told_where_the_first_is(tmp_path: Path) -> None:
    with started(tmp_path / "home", tmp_path) as first:
        second = first.sakimori("run")
        assert second.returncode == 1
        assert f"Sakimori runs already, at {first.gateway}" in second.stderr


def test_a_killed_instance_comes_back_with_its_data(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with started(home, tmp_path) as first:
        password = re.search(r"Password +(\S+)", first.screen)
        assert password is not None
        assert first.sakimori("demo", "--only", "sql-injection").returncode == 0
        before = findings(first, password[1])
        first.stop(signal.SIGKILL)
    with started(home, tmp_path) as second:
        assert findings(second, password[1]) >= before  # at night the logins of this test are findings, too


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with started(tmp_path / "one", tmp_path) as first:
        port = first.gateway.rpartition(":")[2]
        other = {**first.environment, "SAKIMORI_HOME": str(tmp_path / "other")}
        command = [sys.executable, "-m", "sakimori", "run"]
        result = subprocess.run(command, env=other, capture_output=True, text=True, timeout=110, check=False)
    assert result.returncode == 1
    assert f"127.0.0.1:{port}: Address already in use" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("file", ["secrets.json"])
def test_a_damaged_file_of_the_home_folder_is_named(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text("{")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SAKIMORI_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "sakimori", "run"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110, check=False)
    assert result.returncode == 1
    assert str(tmp_path / file) in result.stderr
    assert "Traceback" not in result.stderr


def test_the_secrets_are_closed_to_others(tmp_path: Path) -> None:
    with started(tmp_path / "home", tmp_path) as first:
        secrets = json.loads((tmp_path / "home" / "secrets.json").read_text())
        log = (tmp_path / "home" / "log" / "sakimori.log").read_text()
        assert first.stop() == 0
    assert (tmp_path / "home" / "secrets.json").stat().st_mode & 0o077 == 0
    assert not [name for name, value in secrets.items() if value in log]


def findings(instance: Instance, password: str) -> set[str]:
    with httpx.Client(base_url=instance.gateway, timeout=20) as client:
        login = client.post("/api/v1/login", json={"username": "admin", "password": password})
        assert login.status_code == 200, login.text
        headers = {"authorization": f"Bearer {login.json()['access_token']}"}
        listed = client.get("/api/v1/findings", params={"limit": 1000}, headers=headers).json()
    found = {finding["id"] for finding in listed.get("findings", listed.get("items", []))}
    assert found
    return found

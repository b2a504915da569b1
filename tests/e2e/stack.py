"""The stack of docker-compose.yml as a test sees it: from outside."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
STANDINS = REPOSITORY.parent / "shared" / "standins"
SERVICES = ("chat", "collector", "packet-sensor", "detector", "notifier", "api-gateway")


class DockerMissing(Exception):
    """The stack cannot be started here; the message is one sentence that says what to install."""


def ensure_docker() -> None:
    """See that a Docker engine with Compose v2 answers; start the local stand-in where it is. Raises DockerMissing."""
    if _answers("docker", "info") and _answers("docker", "compose", "version"):
        return
    if (STANDINS / "engine").exists() and subprocess.run([STANDINS / "engine"], check=False).returncode == 0:
        return
    raise DockerMissing(
        "The end-to-end tests need a running Docker engine with Compose v2: install Docker and start it."
    )


def ensure_images() -> None:
    """Make the local stand-ins for public images where no registry can be reached; otherwise compose pulls them."""
    if (STANDINS / "images").exists() and not _answers("docker", "image", "inspect", "rabbitmq:4-management"):
        subprocess.run([STANDINS / "images"], check=True)


@cache
def has_grafana() -> bool:
    """Tell whether the Grafana image is here or can be pulled."""
    return _answers("docker", "image", "inspect", "grafana/grafana") or _answers(
        "docker", "pull", "--quiet", "grafana/grafana"
    )


def _answers(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False, timeout=300).returncode == 0


@dataclass(frozen=True, slots=True)
class Stack:
    """A compose project with its own name, secrets and host ports."""

    project: str
    env_file: Path
    gateway: str
    receiver: str
    overlay: tuple[str, ...] = ("tests/e2e/compose.receiver.yml",)
    """Further compose files."""

    def compose(self, *arguments: str, timeout: float = 900, check: bool = True) -> str:
        """Run `docker compose` for this project and return what it printed."""
        command = ["docker", "compose", "--project-name", self.project, "--env-file", str(self.env_file)]
        for file in ("docker-compose.yml", *self.overlay):
            command += ["-f", file]
        command += arguments
        environment = {name: value for name, value in os.environ.items() if name not in self.secrets()}
        result = subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert not check or result.returncode == 0, f"docker compose {arguments}: {result.stdout}\n{result.stderr}"
        return result.stdout

    def up(self, *options: str) -> None:
        """Start what is not running and wait until all is healthy; without Grafana where its image cannot be had."""
        without = () if has_grafana() else ("--pull", "never", "--scale", "grafana=0")
        self.compose("up", "-d", "--wait", "--wait-timeout", "300", *without, *options)

    def secrets(self) -> dict[str, str]:
        """Read the .env of this stack."""
        lines = self.env_file.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

    def sql(self, query: str) -> str:
        """Ask the database for one value."""
        psql = ("psql", "-h", "127.0.0.1", "-U", "sakimori", "-d", "sakimori", "-tAc", query)
        password = f"PGPASSWORD={self.secrets()['POSTGRES_PASSWORD']}"
        return self.compose("exec", "-T", "-e", password, "timescaledb", *psql).strip()

    def prometheus(self, expression: str) -> Any:
        """Ask Prometheus for an instant vector."""
        answer = self.compose(
            "exec",
            "-T",
            "prometheus",
            "promtool",
            "query",
            "instant",
            "-o",
            "json",
            "http://localhost:9090",
            expression,
        )
        return json.loads(answer)

    def sakimori(self, *arguments: str, timeout: float = 300) -> "subprocess.CompletedProcess[str]":
        """Run the `sakimori` command on the host, as an operator would."""
        command = [str(REPOSITORY / ".venv" / "bin" / "sakimori"), *arguments]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=timeout, check=False)

    def received(self) -> list[dict[str, Any]]:
        """List what Slack and Discord got so far."""
        with urllib.request.urlopen(self.receiver, timeout=10) as answer:
            kept: list[dict[str, Any]] = json.load(answer)
        return kept

    def call(
        self, method: str, path: str, body: bytes | None = None, token: str = "", **headers: str
    ) -> tuple[int, Any]:
        """Call the gateway; returns status and decoded JSON (or text)."""
        request = urllib.request.Request(self.gateway + path, data=body, method=method)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        if token:
            request.add_header("authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, _decoded(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _decoded(error.read())

    def login(self) -> str:
        """Sign in as admin and return the token."""
        credentials = {"username": "admin", "password": self.secrets()["GATEWAY_ADMIN_PASSWORD"]}
        status, answer = self.call(
            "POST", "/api/v1/login", json.dumps(credentials).encode(), content_type="application/json"
        )
        assert status == 200, answer
        return str(answer["access_token"])


def wait_until(check: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Poll until `check` returns something true; fails saying what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        result = check()
        if result:
            return result
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}; last: {result!r}"
        time.sleep(0.3)


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")

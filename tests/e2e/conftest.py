"""Brings the stack up once, and down again whatever happens."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.stack import REPOSITORY, DockerMissing, Stack, ensure_docker, ensure_images

WATCHED_PORT = 47_080
"""Nobody listens there."""
CAPTURE_PORTS = [
    (host, port)
    for host, ports in {"127.0.0.1": (5672, 5432, 6379), "172.17.0.1": (8003, 9203)}.items()
    for port in ports
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow for image builds: the first test pays for all."""
    for item in items:
        item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole stack, healthy, with a receiver for Slack and Discord."""
    try:
        ensure_docker()
    except DockerMissing as error:
        pytest.fail(str(error), pytrace=False)
    ensure_images()
    started = _described("sakimori-e2e", tmp_path_factory.mktemp("stack") / "env")
    with _torn_down(started):
        started.compose("build")
        started.up()
        yield started


@pytest.fixture
def capturing(stack: Stack, tmp_path: Path) -> Iterator[Stack]:
    """A second stack, of the same images, that captures TCP of WATCHED_PORT on this machine's loopback."""
    if taken := [port for port in CAPTURE_PORTS if not _is_free(*port)]:
        pytest.skip(f"deploy/compose.capture.yml needs ports that are taken on this machine: {taken}")
    described = _described("sakimori-e2e-capture", tmp_path / "env")
    described = replace(described, overlay=("deploy/compose.capture.yml",))
    with described.env_file.open("a") as file:
        file.write(f"NETWORK_INTERFACE=lo\nCAPTURE_FILTER=tcp port {WATCHED_PORT}\n")
    with _torn_down(described):
        described.compose("up", "-d", "--wait", "--wait-timeout", "300", "packet-sensor", "collector", "api-gateway")
        yield described


@contextmanager
def _torn_down(started: Stack) -> Iterator[None]:
    try:
        yield
    finally:
        if os.environ.get("KEEP_STACK") != "1":
            started.compose("down", "--volumes", "--timeout", "30")
            assert started.compose("ps", "-aq") == ""


def _described(name: str, env_file: Path) -> Stack:
    subprocess.run([REPOSITORY / "deploy" / "make-env", str(env_file)], check=True, capture_output=True)
    gateway, grafana, receiver = _free_ports(3)
    changes = {
        "GATEWAY_HOST_PORT": gateway,
        "GRAFANA_HOST_PORT": grafana,
        "SLACK_WEBHOOK_URL": "http://receiver:9000/slack",
        "DISCORD_WEBHOOK_URL": "http://receiver:9000/discord",
    }
    text = env_file.read_text()
    for setting, value in changes.items():
        text = re.sub(rf"^{setting}=.*$", f"{setting}={value}", text, flags=re.MULTILINE)
    env_file.write_text(f"{text}RECEIVER_PORT={receiver}\n")
    return Stack(f"{name}-{os.getpid()}", env_file, f"http://127.0.0.1:{gateway}", f"http://127.0.0.1:{receiver}/")


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as trying:
        trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trying.bind((host, port))
        except OSError:
            return False
    return True


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports

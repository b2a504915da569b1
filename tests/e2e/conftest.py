"""Brings the stack up once, and down again whatever happens."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.stack import REPOSITORY, DockerMissing, Stack, ensure_docker, ensure_images


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
    started = _described(tmp_path_factory.mktemp("stack") / "env")
    try:
        started.compose("build")
        started.up()
        yield started
    finally:
        if os.environ.get("KEEP_STACK") != "1":
            started.compose("down", "--volumes", "--timeout", "30")
            assert started.compose("ps", "-aq") == ""


def _described(env_file: Path) -> Stack:
    subprocess.run([REPOSITORY / "deploy" / "make-env", str(env_file)], check=True, capture_output=True)
    gateway, grafana, receiver = _free_ports(3)
    changes = {
        "GATEWAY_HOST_PORT": gateway,
        "GRAFANA_HOST_PORT": grafana,
        "SLACK_WEBHOOK_URL": "http://receiver:9000/slack",
        "DISCORD_WEBHOOK_URL": "http://receiver:9000/discord",
    }
    text = env_file.read_text()
    for name, value in changes.items():
        text = re.sub(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
    env_file.write_text(f"{text}RECEIVER_PORT={receiver}\n")
    return Stack(
        f"sakimori-e2e-{os.getpid()}", env_file, f"http://127.0.0.1:{gateway}", f"http://127.0.0.1:{receiver}/"
    )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports

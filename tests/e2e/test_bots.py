"""The chat's TCP ports for bots, which deploy/compose.bots.yml opens."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from e2e.stack import Stack

PORTS = (1481, 1482, 1483, 1491, 1492, 1493)


@pytest.fixture
def opened(stack: Stack) -> Iterator[Stack]:
    """The stack with the overlay; without it again afterwards."""
    with_ports = replace(stack, overlay=(*stack.overlay, "deploy/compose.bots.yml"))
    try:
        with_ports.compose("up", "-d", "--wait", "--wait-timeout", "300", "--pull", "never", "--no-deps", "chat")
        yield with_ports
    finally:
        stack.compose("up", "-d", "--wait", "--wait-timeout", "300", "--pull", "never", "--no-deps", "chat")


@pytest.mark.usefixtures("opened")
def test_the_six_ports_speak_the_protocol_and_none_between_them_is_open() -> None:
    for port in PORTS:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"no handshake\n")
            answer = json.loads(connection.makefile().readline())
            assert (answer["type"], answer["success"], answer["code"]) == ("handshake_complete", False, "invalid_json")
    for port in range(1484, 1491):
        with socket.socket() as knocking:
            assert knocking.connect_ex(("127.0.0.1", port)) != 0

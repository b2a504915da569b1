"""`sakimori run NAME NAME`: services in processes of their own, which end together."""

import asyncio
import os
import signal
import sys
from functools import partial

import httpx
import pytest

from servers.eventually import eventually
from servers.ports import free_ports


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_the_parent_ends_all(
    rabbitmq_url: str, postgres_url: str, valkey_url: str, number: signal.Signals
) -> None:
    ports = free_ports(2)
    environment = {
        "PATH": os.environ["PATH"],
        "BUS_URL": rabbitmq_url,
        "DATABASE_URL": postgres_url,
        "VALKEY_URL": valkey_url,
        "DETECTOR_SIDE_PORT": str(ports[0]),
        "NOTIFIER_SIDE_PORT": str(ports[1]),
    }
    command = [sys.executable, "-m", "sakimori", "run", "detector", "notifier"]
    parent = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
    try:
        for port in ports:
            await eventually(partial(_is_live, port), 60)
        parent.send_signal(number)
        _, log = await asyncio.wait_for(parent.communicate(), 30)  # stderr closes when the last of them has ended
    finally:
        if parent.returncode is None:
            parent.kill()
    assert parent.returncode == 0, log.decode()
    assert [await _is_live(port) for port in ports] == [False, False]


async def _is_live(port: int) -> bool:
    try:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"http://127.0.0.1:{port}/live")).status_code == 200
    except httpx.TransportError:
        return False

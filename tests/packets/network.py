"""Networks of their own for tests: a namespace that goes with the thread that made it."""

import ctypes
import shutil
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

_CLONE_NEWNET = 0x40000000


def in_new_network(test: Callable[[], None]) -> None:
    """Run it in a thread whose network has a loopback, and a pair of interfaces: what goes into `near` comes to `far`.

    Skips the test where that may not be done. Everything goes when the thread and its sockets are gone.
    """
    if shutil.which("ip") is None:
        pytest.skip("iproute2 is not installed")
    with ThreadPoolExecutor(1) as threads:
        if threads.submit(_leave).result() != 0:
            pytest.skip("making a network namespace needs root (CAP_SYS_ADMIN)")
        threads.submit(_furnish).result()
        threads.submit(test).result()


def _leave() -> int:
    result: int = ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET)
    return result


def _furnish() -> None:
    Path("/proc/thread-self/net").stat()
    for name in ("all", "default"):  # or the kernel sends messages of its own
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
    ip("link", "set", "lo", "up")
    ip("link", "add", "near", "type", "veth", "peer", "name", "far")
    for name in ("near", "far"):
        ip("link", "set", name, "arp", "off", "up")


def ip(*arguments: str) -> None:
    """Run ip(8) in the network of the calling thread."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def send(frames: list[bytes], interface: str = "near") -> None:
    """Send frames as they are."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((interface, 0))
        for frame in frames:
            sender.send(frame)

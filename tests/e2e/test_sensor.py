"""The packet-sensor in its container: captures that are sent to it, an interface, and no compiler at work."""

import socket
import time
from typing import Any

from e2e.conftest import WATCHED_PORT
from e2e.stack import Stack, wait_until
from packets.frames import pcap_file, reply, segment

COMPILED = """
from pathlib import Path
shipped, used = Path("/venv/share/sakimori/compiled"), Path("/var/lib/sakimori/compiled")
names = [{str(path.relative_to(top)) for path in top.rglob("*.nb?")} for top in (shipped, used)]
print(len(names[1]) > 0 and names[1] <= names[0])
"""
"""Nothing was compiled but what came with the image."""
CAPABILITIES = """
from pathlib import Path
for entry in Path("/proc").glob("[0-9]*"):
    command = (entry / "cmdline").read_bytes().split(b"\\0")
    lines = dict(line.split(":\\t", 1) for line in (entry / "status").read_text().splitlines() if ":\\t" in line)
    if command[1:] == [b"/venv/bin/start", b""] or b"sakimori_packet_sensor.worker" in command:
        print(command[0].decode(), lines["Uid"].split()[1], int(lines["CapEff"], 16), int(lines["CapBnd"], 16))
"""
NET_RAW = 1 << 13


def test_a_capture_that_is_uploaded_becomes_flows_and_nothing_is_compiled_for_it(stack: Stack) -> None:
    upload(stack, "first")
    assert run(stack, COMPILED) == "True"
    stack.compose("restart", "packet-sensor")
    stack.up("--no-recreate")
    upload(stack, "second")
    assert run(stack, COMPILED) == "True"


def test_an_interface_is_captured_with_net_raw_and_nothing_else(capturing: Stack) -> None:
    assert sorted(run(capturing, CAPABILITIES).splitlines()) == [
        f"/venv/bin/capture-python 10001 {NET_RAW} {NET_RAW}",
        f"/venv/bin/python 10001 0 {NET_RAW}",
    ]
    assert run(capturing, COMPILED) == "True"
    with socket.socket() as knocking:
        assert knocking.connect_ex(("127.0.0.1", WATCHED_PORT)) != 0
    token = capturing.login()
    (flow,) = wait_until(lambda: sessions(capturing, token, WATCHED_PORT), "the attempt is a session")
    assert (flow["transport"], flow["state"]) == ("tcp", "rejected")
    upload(capturing, "by the machine's network")


def upload(stack: Stack, name: str) -> None:
    """Send a capture of one connection that no other upload has, and see its flow."""
    token, client_port = stack.login(), 50_000 + sum(name.encode()) % 10_000
    capture = pcap_file(
        [segment("S", 8443, client_port), reply("RA", 8443, client_port)], at=time.time_ns() // 1000 - 60_000_000
    )
    status, answer = stack.call(
        "POST", "/api/v1/captures", capture, token=token, content_type="application/vnd.tcpdump.pcap"
    )
    assert (status, answer["flows"]) == (202, 1), answer
    (flow,) = wait_until(lambda: sessions(stack, token, client_port), "the upload is a session")
    assert flow["state"] == "rejected"


def sessions(stack: Stack, token: str, port: int) -> list[dict[str, Any]]:
    """Ask the gateway for the sessions of a port."""
    status, answer = stack.call("GET", f"/api/v1/sessions?port={port}", token=token)
    assert status == 200, answer
    found: list[dict[str, Any]] = answer["sessions"]
    return found


def run(stack: Stack, program: str) -> str:
    """Run Python in the container of the packet-sensor."""
    return stack.compose("exec", "-T", "packet-sensor", "/venv/bin/python", "-B", "-c", program).strip()

"""The parts under measurement, each in processes of its own, and what CPU time each of them used."""

import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from sakimori.content import rules_dir
from sakimori.embedded import PostgresServer, ValkeyServer

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from servers.ports import free_ports
from servers.rabbitmq import find_rabbitmq

START_SECONDS = 60.0


@dataclass
class Parts:
    """The running parts: where to send, where to look, and their processes by name."""

    ingest_url: str
    ingest_token: str
    bus_url: str
    database_url: str
    processes: dict[str, list[psutil.Process]] = field(default_factory=dict)

    def cpu_seconds(self) -> dict[str, float]:
        """Add up user and system time of each part's processes and their children."""
        return {name: sum(_cpu(process) for process in group) for name, group in self.processes.items()}

    def memory_bytes(self) -> dict[str, int]:
        """Add up the resident memory of the Python parts."""
        return {name: sum(process.memory_info().rss for process in group) for name, group in self.processes.items()}


@contextmanager
def running_parts(folder: Path) -> Iterator[Parts]:
    """Start RabbitMQ, PostgreSQL, Valkey, one collector (intake and store) and one detector."""
    with ExitStack() as stack:
        rabbitmq = find_rabbitmq()
        stack.callback(rabbitmq.stop)
        rabbitmq.start()
        postgres = PostgresServer(folder / "postgres")
        stack.callback(postgres.stop)
        postgres.start()
        valkey = ValkeyServer(folder / "valkey")
        stack.callback(valkey.stop)
        valkey.start()
        intake, *side_ports = free_ports(3)
        token = secrets.token_hex(16)
        parts = Parts(f"http://127.0.0.1:{intake}/ingest", token, rabbitmq.fresh_url(), postgres.url)
        environment = {
            **_clean_environment(),
            "BUS_URL": parts.bus_url,
            "DATABASE_URL": parts.database_url,
            "VALKEY_URL": valkey.url,
            "LOG_LEVEL": "WARNING",
            "INGEST_TOKEN": token,
            "PRIVACY_KEY": secrets.token_hex(16),
            "EDGE_TOKEN": secrets.token_hex(16),
            "COLLECTOR_PORT": str(intake),
            "COLLECTOR_SPOOL_DIR": str(folder / "spool"),
            "DETECTOR_RULES_DIR": str(rules_dir()),
            "DETECTOR_TIME_ZONE": _zone_where_it_is_noon(),
        }
        for service, port in zip(("collector", "detector"), side_ports, strict=True):
            variable = f"{service.upper()}_SIDE_PORT"
            process = stack.enter_context(_service(service, {**environment, variable: str(port)}, port))
            parts.processes[service] = [process]
        parts.processes["postgresql"] = [_parent_of("postgres", folder)]
        parts.processes["valkey"] = [_parent_of("valkey", folder)]
        parts.processes["rabbitmq"] = [process for process in _children() if process.name().startswith("beam")]
        parts.processes["generator"] = [psutil.Process()]
        yield parts


@contextmanager
def _service(name: str, environment: Mapping[str, str], side_port: int) -> Iterator[psutil.Process]:
    process = subprocess.Popen([sys.executable, "-m", f"sakimori_{name}"], env=dict(environment))
    try:
        _wait_ready(process, side_port)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _wait_ready(process: "subprocess.Popen[bytes]", side_port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"a service ended at start with status {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{side_port}/ready", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"a service was not ready within {START_SECONDS:g} s")


def _clean_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


def _zone_where_it_is_noon() -> str:
    """Keep the rule on unusual hours out of the figures. POSIX signs: Etc/GMT-5 is five hours ahead."""
    ahead = (12 - time.gmtime().tm_hour + 12) % 24 - 12
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _parent_of(name: str, folder: Path) -> psutil.Process:
    """Find the server process among our children by its name and data folder."""
    for process in psutil.Process().children():
        command = " ".join(process.cmdline())
        if name in command and str(folder.resolve()) in command:
            return process
    raise SystemExit(f"the {name} server is not among the child processes")


def _cpu(process: psutil.Process) -> float:
    if process.pid == os.getpid():
        times = process.cpu_times()
        return float(times.user + times.system)
    total = 0.0
    for each in [process, *process.children(recursive=True)]:
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total

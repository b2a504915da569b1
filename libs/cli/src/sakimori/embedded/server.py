"""What both embedded servers need: a lock on their folder, a place for sockets, a child that ends with us."""

import asyncio
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from sakimori.embedded import launch

START_SECONDS = 60.0
"""Recovery after a crash replays the log; on a slow disk that takes a while."""
_SOCKET_PATH_LIMIT = 80
"""`sockaddr_un` holds 104 bytes (macOS) to 108 (Linux), of which the servers' own file names take up to 24."""


_FORKING = ThreadPoolExecutor(1, "embedded-servers")


class EmbeddedServerError(Exception):
    """An embedded server cannot run here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """The user that a child runs as; `capability` (or -1) opens folders that are closed to it."""

    uid: int = -1
    gid: int = -1
    capability: int = -1

    @classmethod
    def for_files(cls, *paths: Path) -> "Account":
        """Choose the account for a server that refuses root: ourselves, or `nobody` when we are root.

        Raises EmbeddedServerError when `nobody` could not reach the paths and we have no right to hand on.
        """
        if os.geteuid() != 0:
            return cls()
        nobody = pwd.getpwnam("nobody")
        closed = next((folder for path in paths for folder in path.parents if not folder.stat().st_mode & 0o001), None)
        if closed is None:
            return cls(nobody.pw_uid, nobody.pw_gid)
        permitted = launch.permitted_capabilities()
        for capability in (launch.CAP_DAC_READ_SEARCH, launch.CAP_DAC_OVERRIDE):
            if permitted >> capability & 1:
                return cls(nobody.pw_uid, nobody.pw_gid, capability)
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root, and {closed} is closed to other users: "
            "start as an ordinary user, or set SAKIMORI_HOME to a folder that others may enter"
        )

    def own(self, path: Path) -> None:
        """Hand a file or folder to this account."""
        if self.uid >= 0:
            os.chown(path, self.uid, self.gid)


class Folder:
    """`home/<name>` and what lies beside it: lock, log, sockets. One process holds it at a time."""

    def __init__(self, home: Path, name: str) -> None:
        self.home = home.expanduser().resolve()
        self.name = name
        self.data = self.home / name
        self.log = self.home / f"{name}.log"
        self.sockets = self.home / "run" / name
        self._lock: IO[str] | None = None

    def lock(self) -> None:
        """Take the folder. Raises EmbeddedServerError when another process has it or it cannot be written."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            lock = (self.home / f"{self.name}.lock").open("w")
        except OSError as error:
            raise EmbeddedServerError(f"{self.home}: {error.strerror}; set SAKIMORI_HOME to another folder") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise EmbeddedServerError(f"{self.home} is in use by another sakimori; stop it first") from None
        self._lock = lock

    def open_sockets(self, account: Account) -> None:
        """Make the folder for sockets, closed to others; in a temporary place when the path would be too long."""
        if len(os.fsencode(self.sockets)) > _SOCKET_PATH_LIMIT:
            self.sockets = Path(tempfile.mkdtemp(prefix="sakimori-"))
        self.sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
        account.own(self.sockets)

    def release(self) -> None:
        """Remove the sockets and let go of the lock."""
        shutil.rmtree(self.sockets, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def last_words(self) -> str:
        """Give the end of the log, for error messages."""
        try:
            return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
        except OSError:
            return ""


class Child:
    """A server process that the kernel asks to stop when this process dies."""

    def __init__(self, folder: Folder, program: Sequence[str | Path], account: Account, last_signal: int) -> None:
        self._folder = folder
        self._signal = last_signal
        with folder.log.open("ab") as log:
            self._process = spawn(commands_of(program, account, last_signal), log)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def ensure_alive(self) -> None:
        """Raise EmbeddedServerError with the end of the log when the child has ended."""
        if self._process.poll() is not None:
            raise EmbeddedServerError(f"{self._folder.name} ended while starting:\n{self._folder.last_words()}")

    def ask_to_stop(self) -> None:
        """Send the signal that means: finish in order."""
        if self._process.poll() is None:
            self._process.send_signal(self._signal)

    def kill(self) -> None:
        """End it as a power cut would, and wait for its own children to notice: they still hold its memory."""
        process = psutil.Process(self._process.pid)
        children = process.children(recursive=True)
        self._process.kill()
        self._process.wait()
        deadline = time.monotonic() + 10
        while any(is_running(child) for child in children) and time.monotonic() < deadline:
            time.sleep(0.005)

    def has_ended(self) -> bool:
        """Tell whether the process is gone."""
        return self._process.poll() is not None


def spawn(
    commands: Sequence[str], log: IO[bytes], environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a process in a session of its own: Ctrl-C is for us, the servers must outlive our own draining.

    The kernel's signal comes when the *thread* that forked ends, so all are forked by one that never does.
    """

    def fork() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603  # our own command line
            commands, cwd="/", env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )

    return _FORKING.submit(fork).result()


def commands_of(program: Sequence[str | Path], account: Account, last_signal: int) -> list[str]:
    """Wrap a command line so that it runs under the account and ends with this process."""
    wrapper = [sys.executable, "-I", "-S", launch.__file__]
    numbers = [os.getpid(), int(last_signal), account.uid, account.gid, account.capability]
    return [*wrapper, *map(str, numbers), "--", *map(str, program)]


class EmbeddedServer(ABC):
    """A server in a child process. `start` and `stop` block and are for tests; the product uses `start_soon`."""

    _child: Child | None = None

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect."""

    @property
    def is_running(self) -> bool:
        """Tell whether it was started and has not ended."""
        return self._child is not None and not self._child.has_ended()

    @abstractmethod
    def prepare(self) -> None:
        """Make the folder ready; may take a second, so not for the event loop's thread."""

    @abstractmethod
    def launch(self) -> Child:
        """Fork the server."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Tell whether clients are served."""

    def start(self) -> None:
        """Start and wait until it serves. Raises EmbeddedServerError."""
        self.folder.lock()
        try:
            self.prepare()
            self._child = self.launch()
            deadline = time.monotonic() + START_SECONDS
            while not self._is_up(self._child):
                if time.monotonic() > deadline:
                    raise EmbeddedServerError(f"{self.folder.name} did not start within {START_SECONDS:g} s")
                time.sleep(0.005)
        except BaseException:
            self.stop()
            raise

    async def start_soon(self) -> None:
        """Do what `start` does without holding up the event loop."""
        self.folder.lock()
        try:
            await asyncio.to_thread(self.prepare)
            self._child = self.launch()
            async with asyncio.timeout(START_SECONDS):
                while not self._is_up(self._child):
                    await asyncio.sleep(0.005)
        except TimeoutError:
            await asyncio.to_thread(self.stop)
            raise EmbeddedServerError(f"{self.folder.name} did not start within {START_SECONDS:g} s") from None
        except BaseException:
            await asyncio.to_thread(self.stop)
            raise

    def _is_up(self, child: Child) -> bool:
        child.ensure_alive()
        return self.is_ready()

    def stop(self, timeout_seconds: float = 20.0) -> None:
        """Stop in order, and by force after the timeout."""
        child, self._child = self._child, None
        if child is not None:
            child.ask_to_stop()
            deadline = time.monotonic() + timeout_seconds
            while not child.has_ended() and time.monotonic() < deadline:
                time.sleep(0.005)
            if not child.has_ended():
                child.kill()
        self.folder.release()

    async def stop_soon(self) -> None:
        """Do what `stop` does without holding up the event loop."""
        await asyncio.shield(asyncio.to_thread(self.stop))

    def kill(self) -> None:
        """End the server as a crash would; `start` brings it back with its data."""
        if self._child is not None:
            self._child.kill()
            self._child = None
        self.folder.release()


def is_running(process: psutil.Process) -> bool:
    """Tell whether a process runs; one that ended and that nobody waited for (a zombie) does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def end_orphan(pid: int, program: Path, data: Path, last_signal: int = signal.SIGINT) -> None:
    """Stop a server that outlived an earlier run (no kernel signal there), if the pid still is that server."""
    try:
        process = psutil.Process(pid)
        if process.name() != program.name or str(data) not in process.cmdline():
            return
        process.send_signal(last_signal)
        process.wait(20)
    except psutil.TimeoutExpired:
        process.kill()
    except psutil.Error:
        return

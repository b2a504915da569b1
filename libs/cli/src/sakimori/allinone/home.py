"""The folder where one installation lives: its data, its secrets, its log."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path


class HomeError(Exception):
    """The home folder cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What an installation generates for itself at its first start; kept in a file only its owner can read."""

    admin_password: str
    """Shown once, at the first start; later the database decides."""
    local_password: str
    """Of the account `local`, with which `sakimori demo` signs in."""
    chat_secret_key: str
    edge_token: str
    ingest_token: str
    jwt_secret: str
    log_key: str
    privacy_key: str

    @classmethod
    def generate(cls) -> "Secrets":
        """Make new ones from the system's random source."""
        return cls(
            admin_password=secrets.token_urlsafe(12),
            local_password=secrets.token_urlsafe(24),
            chat_secret_key=secrets.token_urlsafe(32),
            edge_token=secrets.token_urlsafe(32),
            ingest_token=secrets.token_urlsafe(32),
            jwt_secret=secrets.token_urlsafe(48),
            log_key=secrets.token_urlsafe(32),
            privacy_key=secrets.token_urlsafe(32),
        )


class Home:
    """The folder: `SAKIMORI_HOME`, or `~/.local/share/sakimori` (XDG_DATA_HOME is honoured)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls) -> "Home":
        """Find the folder and make it, closed to other users. Raises HomeError."""
        given = os.environ.get("SAKIMORI_HOME")
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
        home = cls(Path(given).expanduser().resolve() if given else data / "sakimori")
        try:
            home.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            (home.path / "log").mkdir(exist_ok=True)
        except OSError as error:
            raise HomeError(f"{home.path}: {error.strerror}; set SAKIMORI_HOME to a folder you may write to") from None
        return home

    @property
    def log(self) -> Path:
        """Where the services write their log."""
        return self.path / "log" / "sakimori.log"

    @property
    def _secrets_file(self) -> Path:
        return self.path / "secrets.json"

    @property
    def _instance_file(self) -> Path:
        return self.path / "instance.json"

    def secrets(self) -> Secrets:
        """Read the secrets; make them at the first start, and those that an older version did not have.

        Raises HomeError when the file is damaged.
        """
        made = asdict(Secrets.generate())
        try:
            kept = json.loads(self._secrets_file.read_text()) if self._secrets_file.exists() else {}
            known = Secrets(**{**made, **kept})
        except (OSError, ValueError, TypeError) as error:
            raise HomeError(f"{self._secrets_file}: {error}; restore it or start with another SAKIMORI_HOME") from None
        if kept.keys() != made.keys():
            self._write_private(self._secrets_file, json.dumps(asdict(known), indent=1))
        return known

    def announce(self, gateway_url: str) -> None:
        """Leave word where the running instance can be reached."""
        self._write_private(self._instance_file, json.dumps({"gateway": gateway_url, "pid": os.getpid()}))

    def running_gateway(self) -> str | None:
        """Tell the gateway's URL of the instance that runs from this folder, if one does."""
        try:
            return str(json.loads(self._instance_file.read_text())["gateway"])
        except (OSError, ValueError, KeyError):
            return None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the folder to this process; the lock dies with it. Raises HomeError when another one has it."""
        with (self.path / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                url = self.running_gateway() or "an unknown address"
                raise HomeError(
                    f"{self.path} is in use: Sakimori runs already, at {url}. Stop it, or set another SAKIMORI_HOME"
                ) from None
            try:
                yield
            finally:
                self._instance_file.unlink(missing_ok=True)

    def _write_private(self, path: Path, text: str) -> None:
        temporary = path.with_suffix(".partial")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text + "\n")
        temporary.replace(path)

"""Debian's fail2ban, and lines as the chat writes them."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from servers.fail2ban import MISSING, Fail2ban, has_fail2ban
from servers.own_logs import streams_in

Started = Callable[..., Fail2ban]


@pytest.fixture(autouse=True)
def _installed() -> None:
    if not has_fail2ban():
        pytest.skip(MISSING)


@pytest.fixture
def security_log(tmp_path: Path) -> Iterator[Path]:
    """The security.log of this process, as LOG_DIR makes it."""
    with streams_in(tmp_path / "log"):
        yield tmp_path / "log" / "security.log"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Started]:
    """Start a fail2ban on a log; `site` is what an operator changes."""
    started: list[Fail2ban] = []

    def start(log: Path, site: Mapping[str, Mapping[str, str]] | None = None) -> Fail2ban:
        folder = tmp_path / f"fail2ban-{len(started)}"
        folder.mkdir()
        fail2ban = Fail2ban(folder, str(log), site)
        fail2ban.start()
        started.append(fail2ban)
        return fail2ban

    yield start
    for each in started:
        each.stop()


def line(action: str, ip: str, seconds_ago: float = 0.0) -> str:
    """Write a line as the security stream has it, at a time of choice."""
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return (
        f'{{"timestamp":"{at:%Y-%m-%dT%H:%M:%S}.000Z","level":"warning","event_type":"security","service":"chat",'
        f'"action":"{action}","ip":"{ip}","user":"","outcome":"failure","reason":""}}\n'
    )

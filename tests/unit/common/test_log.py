"""What a process writes about itself: to stderr, and into the four streams."""

import json
import logging
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from sakimori_common.log import Retention, SecurityLogger, logger
from sakimori_common.log.rotation import RotatingFile
from sakimori_common.testing.samples import BRUTE_FORCE
from servers.own_logs import SCHEMA, lines_of

SPEAK = """
import sys
from sakimori_common.log import configure_logging, logger
configure_logging(sys.argv[1], service="detector")
log = logger("detector")
log.info("rules_loaded", rules=90)
log.error("rule_broken", path="a.yml")
"""


def speak(level: str = "INFO", **environment: str) -> str:
    """What a process says on a pipe."""
    given = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-c", SPEAK, level], env=given, check=True, capture_output=True, text=True
    ).stderr


def speak_on_terminal(**environment: str) -> str:
    mine, theirs = pty.openpty()
    try:
        given = {**os.environ, "TERM": "xterm", **environment}
        subprocess.run([sys.executable, "-c", SPEAK, "INFO"], env=given, check=True, stderr=theirs)
        return os.read(mine, 65_536).decode()
    finally:
        os.close(mine)
        os.close(theirs)


def test_each_stream_holds_its_own_records_and_only_those(log_folder: Path) -> None:
    log = SecurityLogger("api-gateway", "a key of the tests")
    log.log_access("203.0.113.42", "GET", "/login", 200, user="ann", user_agent="curl/8.5.0", request_id="r1")
    log.log_security("console_login", "203.0.113.42", user="ann", reason="credentials")
    log.log_alert(BRUTE_FORCE)
    try:
        raise ConnectionError("the database went away")
    except ConnectionError as error:
        log.log_error("store_failed", error)

    assert sorted(path.name for path in log_folder.iterdir()) == [
        "access.log",
        "alert.log",
        "error.log",
        "security.log",
    ]
    [access], [security] = lines_of(log_folder / "access.log"), lines_of(log_folder / "security.log")
    [alert], [error_line] = lines_of(log_folder / "alert.log"), lines_of(log_folder / "error.log")
    assert list(access) == [
        "timestamp", "level", "event_type", "service", "ip", "method", "path", "status", "user", "user_agent",
        "request_id",
    ]  # fmt: skip
    assert (access["event_type"], access["status"], access["user"]) == ("access", 200, "ann")
    assert (security["event_type"], security["ip"], security["outcome"]) == ("security", "203.0.113.42", "failure")
    assert (alert["event_type"], alert["rule_id"], alert["count"]) == ("alert", "brute_force_attack", 5)
    assert (error_line["event_type"], error_line["event"]) == ("error", "store_failed")
    assert "ConnectionError: the database went away" in error_line["exception"]


def test_addresses_stand_in_the_security_stream_alone_which_only_its_owner_reads(log_folder: Path) -> None:
    log = SecurityLogger("chat", "a key of the tests")
    log.log_access("203.0.113.42", "GET", "/chat", 200)
    log.log_security("security.rate_limit_hit", "203.0.113.42")
    log.log_alert(BRUTE_FORCE)
    with_address = [path.name for path in log_folder.iterdir() if "203.0.113.42" in path.read_text()]
    assert with_address == ["security.log"]
    assert (log_folder / "security.log").stat().st_mode & 0o777 == 0o600
    [access], [alert] = lines_of(log_folder / "access.log"), lines_of(log_folder / "alert.log")
    assert access["ip"] == alert["entity"] == "ip-c7d41ee9b499e5d5"
    assert SecurityLogger("chat", "another key").pseudonym("203.0.113.42") != access["ip"]


def test_errors_of_the_service_log_are_in_the_error_stream_and_nothing_less_is(log_folder: Path) -> None:
    log = logger("detector")
    log.warning("rule_slow", rule="x")
    log.error("rule_broken", path="a.yml")
    logging.getLogger("a.library").error("it says: %s", "no")
    assert [(line["service"], line["event"]) for line in lines_of(log_folder / "error.log")] == [
        ("detector", "rule_broken"),
        ("test", "it says: no"),
    ]


def test_without_a_folder_the_streams_lead_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    SecurityLogger("chat", "a key of the tests").log_access("203.0.113.42", "GET", "/", 200)
    assert capfd.readouterr() == ("", "")


def test_a_text_of_a_client_cannot_fill_or_forge_the_log(log_folder: Path) -> None:
    agent = 'x"\n{"event_type":"access"}\x1b[2J' + "y" * 100_000
    SecurityLogger("chat", "a key of the tests").log_access("", "GET", "/\r\n", 200, user_agent=agent)
    [line] = (log_folder / "access.log").read_text().splitlines()
    assert len(line) < 2400
    assert "\x1b" not in line
    assert json.loads(line)["ip"] == ""


def test_files_rotate_by_size_without_losing_a_line(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    handler = RotatingFile(path, Retention(max_bytes=1_000_000, old_files=9))
    line = "x" * 99
    for number in range(50_000):
        handler.handle(logging.LogRecord("n", logging.INFO, "", 0, f"{number:05} {line}", None, None))
    handler.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["access.log", *(f"access.log.{n}" for n in range(1, 6))]
    assert all(file.stat().st_size <= 1_000_000 for file in files)
    written = sorted(line.partition(" ")[0] for file in files for line in file.read_text().splitlines())
    assert written == [f"{number:05}" for number in range(50_000)]


def test_a_file_of_yesterday_is_set_aside_and_one_that_is_too_old_deleted(tmp_path: Path) -> None:
    path, old, older = tmp_path / "a.log", tmp_path / "a.log.1", tmp_path / "a.log.2"
    for file, days in ((path, 1), (old, 2), (older, 31)):
        file.write_text("before\n")
        written = file.stat().st_mtime - days * 86_400
        os.utime(file, (written, written))
    handler = RotatingFile(path, Retention(days=30))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.log", "a.log.1"]
    handler.handle(logging.LogRecord("n", logging.INFO, "", 0, "today", None, None))
    handler.close()
    assert path.read_text() == "today\n"
    assert [old.read_text(), older.read_text()] == ["before\n", "before\n"]


def test_a_pipe_gets_json_in_utc_whatever_the_zone() -> None:
    records = [json.loads(line) for line in speak(TZ="Asia/Tokyo").splitlines()]
    for record in records:
        SCHEMA.validate(record)
    assert [(record["event"], record["level"]) for record in records] == [
        ("rules_loaded", "info"),
        ("rule_broken", "error"),
    ]
    here = subprocess.run(["date", "-u", "+%Y-%m-%dT%H"], check=True, capture_output=True, text=True).stdout.strip()
    assert records[0]["timestamp"][:13] in {here, here[:11] + f"{(int(here[11:]) + 23) % 24:02}"}


def test_colours_are_for_a_terminal_and_not_for_those_who_want_none() -> None:
    assert "\x1b[" in speak_on_terminal(NO_COLOR="")
    assert "\x1b[" not in speak_on_terminal(NO_COLOR="1")
    assert "\x1b[" not in speak()


def test_the_level_says_what_is_left_out() -> None:
    assert [json.loads(line)["event"] for line in speak("ERROR").splitlines()] == ["rule_broken"]


def test_it_runs_alone(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "sakimori_common.log", str(tmp_path)], check=True, capture_output=True, text=True
    ).stdout
    assert [line.rpartition("/")[2] for line in shown.splitlines()[::2]] == [
        "access.log", "alert.log", "error.log", "security.log",
    ]  # fmt: skip
    refused = subprocess.run(
        [sys.executable, "-m", "sakimori_common.log", "/proc/none"], check=False, capture_output=True, text=True
    )
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)

"""`sakimori parse` as people call it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ACCESS = '192.0.2.1 - - [16/Jan/2026:01:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "x"\n'
PROGRAM = [
    sys.executable,
    "-c",
    "import typer; from sakimori.commands.parse import parse\n"
    "app = typer.Typer(pretty_exceptions_enable=False); app.command()(parse); app()",
]


def call(*arguments: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([*PROGRAM, *arguments], input=given, capture_output=True, timeout=60, check=False)


def test_good_lines_go_out_bad_ones_go_to_the_file_and_the_status_says_so(tmp_path: Path) -> None:
    log, rejects = tmp_path / "a.log", tmp_path / "rejects.ndjson"
    log.write_bytes(ACCESS.encode() + b"nonsense \xff\n" + ACCESS.encode())
    done = call("--rejects", str(rejects), str(log))
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [event["log.offset"] for event in events] == [0, len(ACCESS) + 11]
    assert {event["event.dataset"] for event in events} == {"nginx.access"}
    [refused] = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert refused == {
        "file": str(log),
        "line": 2,
        "offset": len(ACCESS),
        "format": "auto",
        "reason": "of no known format",
        "raw": "nonsense \\xff",
        "raw_base64": "bm9uc2Vuc2Ug/w==",
    }
    assert b"1 of 3 lines rejected" in done.stderr


def test_standard_input_and_a_named_format() -> None:
    done = call("--format", "apache.access", "-", given=ACCESS.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["event.dataset"] == "apache.access"


def test_a_named_zone_is_that_of_syslog_lines() -> None:
    line = b"Jan 16 10:59:58 web-1 sshd[1]: Invalid user a from 192.0.2.7 port 5\n"
    assert b"T01:59:58.000Z" in call("--timezone", "Asia/Tokyo", "-", given=line).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing argument"),
        (["/no/such/file"], "no such file"),
        (
            [
                str(Path(__file__).parent),
            ],
            "is a folder",
        ),
        (["--format", "nosuch", "-"], "openssh.auth"),
        (["--timezone", "Nowhere", "-"], "is no time zone"),
        (["--rejects", "/no/such/folder/x", "-"], "No such file"),
    ],
)
def test_wrong_usage_ends_with_status_2_and_says_why(arguments: list[str], said: str) -> None:
    done = call(*arguments)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.decode().replace("│", " ").split())
    assert b"Traceback" not in done.stderr


def test_rejects_never_overwrite_what_is_read(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text(ACCESS)
    assert call("--rejects", str(log), str(log)).returncode == 2
    assert log.read_text() == ACCESS


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text(ACCESS * 20_000)
    process = subprocess.Popen([*PROGRAM, str(log)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), said) == (0, b"")

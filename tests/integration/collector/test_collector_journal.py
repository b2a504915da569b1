"""Journals: uploaded by systemd-journal-upload, followed by journalctl, read from an export."""

import asyncio
import json
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from servers.eventually import eventually
from servers.journal_tools import MISSING, find_journal_tool

from .conftest import TOKEN, Collector, Start

BOOT = "0123456789abcdef0123456789abcdef"
SSH = "Failed password for invalid user user{} from 192.0.2.7 port {} ssh2"
CONTENT_TYPE = {"content-type": "application/vnd.fdo.journal"}


def entry(number: int, message: str | None = None, identifier: str = "sshd") -> bytes:
    time = 1_768_528_800_000_000 + number
    lines = {
        "__CURSOR": f"s={BOOT};i={number:x};b={BOOT};m={number:x};t={time:x};x={number:x}",
        "__REALTIME_TIMESTAMP": time,
        "__MONOTONIC_TIMESTAMP": number,
        "_BOOT_ID": BOOT,
        "_MACHINE_ID": BOOT,
        "_HOSTNAME": "web-1",
        "SYSLOG_IDENTIFIER": identifier,
        "_PID": 42,
        "PRIORITY": 6,
        "MESSAGE": message or SSH.format(number, number),
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items()).encode() + b"\n"


async def users(collector: Collector) -> list[str]:
    return sorted(row["user_name"] or "" for row in await collector.rows())


async def has_users(collector: Collector, *numbers: int) -> None:
    async def _has() -> bool:
        assert await users(collector) == sorted(f"user{number}" for number in numbers)
        return True

    await eventually(_has, 20)


async def upload(collector: Collector, body: bytes, **headers: str) -> Any:
    given = {"authorization": f"Bearer {TOKEN}", **CONTENT_TYPE, **headers}
    return await collector.client.post("/upload", content=body, headers=given)


async def test_an_upload_is_answered_as_journal_remote_does_and_stored_once(start: Start) -> None:
    collector = await start()
    for _ in range(2):
        answer = await upload(collector, entry(1) + entry(2))
        assert (answer.status_code, answer.text) == (202, "OK.\n")
    await has_users(collector, 1, 2)
    [row, _] = await collector.rows()
    assert (row["dataset"], row["action"], row["ip"]) == ("openssh.auth", "ssh_login", "192.0.2.7")
    fields = json.loads(row["fields"])
    assert (fields["host.hostname"], fields["process.pid"], fields["sakimori.input"]) == ("web-1", 42, "journald")


async def test_uploads_that_are_not_taken(start: Start) -> None:
    collector = await start()
    assert (await upload(collector, entry(1), **{"content-type": "text/plain"})).status_code == 415
    assert (await upload(collector, entry(1), authorization="Bearer wrong-wrong-wrong")).status_code == 401
    assert (await upload(collector, b"FIELD\n" + b"\xff" * 8)).status_code == 422
    assert (await collector.client.get("/upload")).status_code == 405
    assert await collector.count() == 0


async def test_entries_without_a_message_or_too_long_are_kept_with_their_reason(start: Start) -> None:
    collector = await start()
    dump = b"__CURSOR=s=9\nCOREDUMP\n" + struct.pack("<Q", 2_000_000) + bytes(2_000_000) + b"\n\n"
    answer = await upload(collector, b"__CURSOR=s=8\nPRIORITY=6\n\n" + dump + entry(1))
    assert answer.status_code == 202
    await has_users(collector, 1)
    kept = {line["length"]: line["reason"] for line in await collector.rejected()}
    assert len(kept) == 2
    assert any("2000" in reason and "bytes in one line" in reason for reason in kept.values())
    assert max(kept) > 2_000_000
    assert all(kept.values())


async def test_an_endless_upload_is_taken_as_it_comes(start: Start) -> None:
    collector = await start()
    more = asyncio.Event()

    async def _body() -> Any:
        yield entry(1) + entry(2)[:50]
        await more.wait()
        yield entry(2)[50:]

    headers = {"authorization": f"Bearer {TOKEN}", **CONTENT_TYPE}
    posting = asyncio.create_task(collector.client.post("/upload", content=_body(), headers=headers))
    await has_users(collector, 1)
    more.set()
    assert (await posting).status_code == 202
    await has_users(collector, 1, 2)


def write_journal(folder: Path, entries: bytes) -> Path:
    """Have systemd-journal-remote write a journal file."""
    remote = find_journal_tool("systemd-journal-remote")
    if remote is None:
        pytest.skip(MISSING)
    journal = folder / "test.journal"
    subprocess.run([remote, f"--output={journal}", "-"], input=entries, check=True, capture_output=True, timeout=60)
    return journal


async def test_debians_journal_upload_sends_a_journal(start: Start, tmp_path: Path) -> None:
    collector = await start()
    write_journal(tmp_path, entry(1) + entry(2) + entry(3))
    tool = find_journal_tool("systemd-journal-upload")
    assert tool is not None
    url = str(collector.client.base_url).rstrip("/").replace("http://", f"http://collector:{TOKEN}@")
    command = [str(tool), f"--url={url}", f"--directory={tmp_path}", "--follow=no"]
    for _ in range(2):
        done = await asyncio.to_thread(subprocess.run, command, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    await has_users(collector, 1, 2, 3)


async def test_a_journal_is_followed_from_where_the_last_start_came(start: Start, tmp_path: Path) -> None:
    write_journal(tmp_path, entry(1) + entry(2))
    collector = await start(journal=str(tmp_path))
    await has_users(collector, 1, 2)

    async def _saved() -> bool:
        cursor = await collector.context.postgres.fetchval("SELECT context FROM collector.checkpoints")
        return "i=2" in (cursor or "")

    await eventually(_saved)
    await collector.stop()
    (tmp_path / "test.journal").unlink()
    write_journal(tmp_path, entry(1, "must not come again", "other") + entry(2, "nor this", "other") + entry(3))
    again = await start(journal=str(tmp_path))
    await has_users(again, 1, 2, 3)


async def test_an_export_is_read_from_a_file(start: Start, tmp_path: Path) -> None:
    export = tmp_path / "journal.export"
    export.write_bytes(entry(1) + entry(2).rstrip(b"\n") + b"\n")
    collector = await start(journal=str(export))
    await has_users(collector, 1, 2)
    await eventually(lambda: collector.lines("received", "journald") >= 2)  # counted once they are stored

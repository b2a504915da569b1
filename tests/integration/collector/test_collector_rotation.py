"""Files that were rotated, copied, packed, linked and damaged while nobody looked, and files of other shapes."""

import asyncio
import gzip
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from servers.eventually import eventually

from .conftest import Collector, Start
from .test_collector_files import append, has_users, line

CONTAINER = "0123456789abcdef" * 4


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "auth.log"


async def read_whole(collector: Collector, log: Path, *numbers: int) -> None:
    await has_users(collector, *numbers)

    async def _saved() -> bool:
        return await collector.position(log) == log.stat().st_size

    await eventually(_saved)


async def is_met(collector: Collector, log: Path) -> None:
    async def _met() -> bool:
        return await collector.position(log) is not None

    await eventually(_met)


def pack(path: Path) -> None:
    """As logrotate's `compress` does it: the times of the file are kept."""
    status = path.stat()
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.unlink()


def rotate(log: Path, generations: int = 9) -> None:
    """As logrotate does it: `.1` becomes `.2`, packed or not, and the log `.1`."""
    for number in range(generations, 0, -1):
        for end in ("", ".gz"):
            old = log.with_name(f"{log.name}.{number}{end}")
            if old.exists():
                old.rename(log.with_name(f"{log.name}.{number + 1}{end}"))
    log.rename(log.with_name(f"{log.name}.1"))


@pytest.mark.parametrize("is_packed", [False, True])
async def test_several_rotations_while_nobody_looked_are_read_in_order(
    start: Start, log: Path, is_packed: bool
) -> None:
    append(log, 1, 2)
    collector = await start(files=f"{log}=openssh.auth")
    await read_whole(collector, log, 1, 2)
    await collector.stop()
    append(log, 3)
    for number in (4, 5, 6):
        rotate(log)
        if is_packed:
            pack(log.with_name("auth.log.1"))
        append(log, number)
    again = await start(files=f"{log}=openssh.auth")
    await has_users(again, 1, 2, 3, 4, 5, 6)
    await eventually(lambda: again.lines("received", str(log)) == 4)
    stored = await again.context.postgres.fetch("SELECT user_name FROM collector.events ORDER BY inserted_at, time")
    assert len(stored) == 6


async def test_rotation_by_date_is_followed_too(start: Start, log: Path) -> None:
    append(log, 1)
    collector = await start(files=f"{log}=openssh.auth")
    await read_whole(collector, log, 1)
    await collector.stop()
    for day, number in ((16, 2), (17, 3)):
        log.rename(log.with_name(f"auth.log-202601{day}"))
        append(log, number)
    pack(log.with_name("auth.log-20260116"))
    again = await start(files=f"{log}=openssh.auth")
    await has_users(again, 1, 2, 3)
    await eventually(lambda: again.lines("received", str(log)) == 2)


async def test_old_rotated_files_are_not_read_at_the_first_start(start: Start, log: Path) -> None:
    append(log.with_name("auth.log.1"), 1)
    append(log, 2)
    collector = await start(files=f"{log.parent}/auth.log*=openssh.auth")
    await read_whole(collector, log, 2)


async def test_several_rotations_while_the_collector_waits_for_the_bus_lose_nothing(start: Start, log: Path) -> None:
    append(log, 1)
    collector = await start(files=f"{log}=openssh.auth")
    await has_users(collector, 1)
    for number in (2, 3, 4):  # faster than the file is looked at
        append(log, number)
        rotate(log)
    append(log, 5)
    await has_users(collector, 1, 2, 3, 4, 5)


async def test_a_file_that_is_packed_while_it_is_read_is_read_once(start: Start, log: Path) -> None:
    append(log, *range(3000))
    collector = await start(files=f"{log}=openssh.auth")
    await is_met(collector, log)
    rotate(log)
    pack(log.with_name("auth.log.1"))
    append(log, 3000)
    await has_users(collector, *range(3001), seconds=30)
    await eventually(lambda: collector.lines("received", str(log)) == 3001)  # counted once they are stored


async def test_half_a_packed_file_is_gone_on_with_after_a_crash(start: Start, log: Path) -> None:
    append(log, *range(3000))
    collector = await start(files=f"{log}=openssh.auth")
    await is_met(collector, log)
    await collector.crash()
    rotate(log)
    pack(log.with_name("auth.log.1"))
    append(log, 3000)
    again = await start(files=f"{log}=openssh.auth")
    await has_users(again, *range(3001), seconds=30)


@pytest.mark.parametrize("is_down", [False, True])
async def test_what_was_copied_before_the_file_was_emptied_is_read_from_the_copy(
    start: Start, log: Path, is_down: bool
) -> None:
    append(log, 1, 2)
    collector = await start(files=f"{log}=openssh.auth")
    await read_whole(collector, log, 1, 2)
    if is_down:
        await collector.stop()
    append(log, 3)
    shutil.copy(log, log.with_name("auth.log.1"))  # copytruncate
    os.truncate(log, 0)
    append(log, 4)
    if is_down:
        collector = await start(files=f"{log}=openssh.auth")
    await has_users(collector, 1, 2, 3, 4)


async def test_a_file_that_begins_as_before_after_it_was_emptied_is_read_anew(start: Start, log: Path) -> None:
    header = "# " + "x" * 400 + "\n"
    log.write_text(header + line(1))
    collector = await start(files=f"{log}=openssh.auth")
    await read_whole(collector, log, 1)
    log.write_text(header + line(2) + line(3))
    await has_users(collector, 1, 2, 3)


async def test_damaged_gzip_is_read_as_far_as_it_goes_and_the_rest_is_told_of(start: Start, log: Path) -> None:
    append(log, *range(2000))
    whole = gzip.compress(log.read_bytes())
    log.unlink()
    packed = log.with_name("old.log.gz")
    packed.write_bytes(whole[: len(whole) // 2])
    os.utime(packed, (1_768_528_800, 1_768_528_800))
    collector = await start(files=f"{packed}=openssh.auth")
    await eventually(lambda: collector.lines("rejected", str(packed)) >= 1, 20)
    reasons = [line_["reason"] for line_ in await collector.rejected()]
    assert any("damaged gzip" in reason for reason in reasons)
    assert await collector.count() > 100
    await eventually(
        lambda: collector.lines("received", str(packed)) == collector.lines("published", str(packed)) + len(reasons)
    )


async def test_a_gzip_bomb_is_given_up_within_its_bound(start: Start, log: Path) -> None:
    packed = log.with_name("bomb.log.gz")
    with gzip.open(packed, "wb") as file:
        for _ in range(320):
            file.write(bytes(1 << 20))
    os.utime(packed, (1_768_528_800, 1_768_528_800))
    collector = await start(files=f"{packed}=openssh.auth")
    await eventually(lambda: collector.lines("rejected", str(packed)) >= 1, 60)
    assert any("unpacks to over" in line_["reason"] for line_ in await collector.rejected())


async def test_the_header_of_a_file_is_known_after_a_restart_in_the_middle(start: Start, log: Path) -> None:
    table = log.with_name("table.csv")
    table.write_text("time,user,action\n2026-01-16T02:00:01Z,alice,login\n")
    collector = await start(files=f"{table}=csv")
    await eventually(collector.count)
    await collector.stop()
    with table.open("a") as file:
        file.write("2026-01-16T02:00:02Z,bob,logout\n")
    again = await start(files=f"{table}=csv")

    async def _both() -> bool:
        return await again.count() == 2

    await eventually(_both)
    first, second = (json.loads(row["fields"]) for row in await again.rows())
    assert set(first) == set(second)
    assert await again.rejected() == []


async def test_lines_are_joined_by_the_pattern_of_the_setting(start: Start, log: Path) -> None:
    app = log.with_name("app.log")
    first = "2026-01-16T02:00:00Z web-1 app[1]: "
    app.write_text(f"{first}one\n{first}failed\n  at a\n  at b\n{first}last\n  at c\n")
    collector = await start(files=f"{app}=linux.syslog", multiline={str(app): r"^\d{4}-"})

    async def _three() -> bool:
        return await collector.count() == 3

    await eventually(_three)
    messages = sorted(json.loads(row["fields"])["message"] for row in await collector.rows())
    assert messages == ["failed\n  at a\n  at b", "last\n  at c", "one"]
    await eventually(lambda: collector.lines("received", str(app)) == 3)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
async def test_text_of_windows_is_read_by_its_byte_order_mark(start: Start, log: Path, encoding: str) -> None:
    text = line(1) + line(2).replace("\n", "\r\n")
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    log.write_bytes(mark + text.encode(encoding))
    collector = await start(files=f"{log}=openssh.auth")
    await has_users(collector, 1, 2)
    with log.open("ab") as file:
        half = line(3).encode("utf-16-le" if encoding == "utf-16" else encoding.removesuffix("-sig"))
        file.write(half[:31])
        file.flush()
        await asyncio.sleep(0.6)
        file.write(half[31:])
    await has_users(collector, 1, 2, 3)


async def test_a_link_that_is_set_to_another_file_is_followed(start: Start, log: Path) -> None:
    one, two, link = (log.with_name(name) for name in ("day1.log", "day2.log", "current"))
    append(one, 1)
    link.symlink_to(one)
    collector = await start(files=f"{link}=openssh.auth")
    await has_users(collector, 1)
    append(two, 2)
    link.unlink()
    link.symlink_to(two)
    await has_users(collector, 1, 2)


async def test_a_file_that_vanishes_is_read_to_its_end_and_taken_up_when_it_is_back(start: Start, log: Path) -> None:
    append(log, 1)
    collector = await start(files=f"{log.parent}/*.log=openssh.auth")
    await has_users(collector, 1)
    with log.open("a") as file:
        log.unlink()
        file.write(line(2))
    append(log, 3)
    await has_users(collector, 1, 2, 3)


async def test_hundreds_of_files_need_few_descriptors(start: Start, log: Path) -> None:
    files = [log.with_name(f"host{number}.log") for number in range(300)]
    for number, path in enumerate(files):
        append(path, number)
    collector = await start(files=f"{log.parent}/*.log=openssh.auth")
    await has_users(collector, *range(300), seconds=60)
    for number, path in enumerate(files):
        append(path, 300 + number)
    await has_users(collector, *range(600), seconds=60)

    def _few() -> bool:
        return sum(target.startswith(str(log.parent)) for target in open_files()) <= 128

    await eventually(_few)


def open_files() -> list[str]:
    targets = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            targets.append(str(descriptor.readlink()))
    return targets


async def test_of_two_replicas_one_reads_and_the_other_takes_over(start: Start, log: Path) -> None:
    append(log, 1)
    first = await start(files=f"{log}=openssh.auth")
    await read_whole(first, log, 1)
    second = await start(files=f"{log}=openssh.auth")
    append(log, 2)
    await read_whole(first, log, 1, 2)
    assert second.lines("received", str(log)) == 0
    await first.stop()
    append(log, 3)
    await has_users(second, 1, 2, 3)
    await eventually(lambda: second.lines("received", str(log)) == 1)


async def test_containers_logs_are_whole_lines_with_the_containers_name(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "containers" / CONTAINER
    folder.mkdir(parents=True)
    (folder / "config.v2.json").write_text(json.dumps({"Name": "/web", "Config": {"Image": "nginx:1.27"}}))
    path = folder / f"{CONTAINER}-json.log"
    access = '192.0.2.1 - - [16/Jan/2026:02:00:00 +0000] "GET /{} HTTP/1.1" 200 5 "-" "tests"\n'
    long = access.format("x" * 20_000)
    pieces = [access.format("short"), long[:16384], long[16384:], "no known format\n"]
    with path.open("w") as file:
        for text in pieces:
            file.write(json.dumps({"log": text, "stream": "stdout", "time": "2026-01-16T02:00:00.5Z"}) + "\n")
    collector = await start(files=f"{tmp_path}/containers/*/*-json.log=docker")

    async def _three() -> bool:
        return await collector.count() == 3

    await eventually(_three)
    events = {row["dataset"]: json.loads(row["fields"]) for row in await collector.rows()}
    assert sorted(row["dataset"] for row in await collector.rows()) == ["container.log", "nginx.access", "nginx.access"]
    paths = sorted(len(json.loads(row["fields"]).get("url.path", "")) for row in await collector.rows())
    assert paths == [0, 6, 20_001]
    for fields in events.values():
        assert (fields["container.id"], fields["container.name"]) == (CONTAINER, "web")
        assert fields["container.image.name"] == "nginx:1.27"


async def test_received_is_always_published_plus_rejected_plus_dropped(start: Start, log: Path) -> None:
    with log.open("wb") as file:
        for number in range(3000):
            file.write(line(number).encode() if number % 7 else b"nonsense \xff\x00\n")
        file.write(b"x" * (17 << 20) + b"\n")
    collector = await start(files=f"{log}=openssh.auth", drop="user.name=user1")

    def _sum() -> float:
        parts = [collector.lines(what, str(log)) for what in ("published", "rejected", "dropped")]
        assert collector.lines("received", str(log)) == sum(parts)
        return sum(parts)

    await eventually(lambda: _sum() == 3001, 60)
    assert collector.lines("rejected", str(log)) == len(await collector.rejected()) == 430

"""Files followed, from the line to the row, through rotation, truncation, crashes and outages."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from sakimori_common.bus import Consumer
from servers.eventually import eventually

from .conftest import Collector, Start


def line(number: int) -> str:
    return f"2026-01-16T02:00:00Z web-1 sshd[1]: Invalid user user{number} from 192.0.2.7 port {number}\n"


def append(path: Path, *numbers: int) -> None:
    with path.open("a") as file:
        file.writelines(line(number) for number in numbers)


async def users(collector: Collector) -> list[str]:
    return sorted(row["user_name"] for row in await collector.rows())


async def has_users(collector: Collector, *numbers: int, seconds: float = 15) -> None:
    expected = sorted(f"user{number}" for number in numbers)

    async def _has() -> bool:
        found = await users(collector)
        assert found == expected
        return True

    await eventually(_has, seconds)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "auth.log"


async def test_a_file_that_appears_later_is_read_and_half_a_line_waits(start: Start, log: Path) -> None:
    collector = await start(files=f"{log}=openssh.auth")
    with log.open("w") as file:
        file.write(line(1) + "nonsense\n" + line(2)[:40])
        file.flush()
        await has_users(collector, 1)
        await eventually(lambda: collector.lines("received", str(log)) == 2)
        file.write(line(2)[40:])
        file.flush()
        await has_users(collector, 1, 2)
    [row, _] = await collector.rows()
    assert row["place"] == "0"
    assert row["fields"].count(str(log)) == 1
    [rejected] = await collector.rejected()
    assert (rejected["source"], rejected["format"], bytes(rejected["raw"])) == (str(log), "openssh.auth", b"nonsense")
    await eventually(lambda: collector.lines("published", str(log)) == 2)
    assert collector.lines("received", str(log)) == 3
    assert collector.lines("rejected", str(log)) == 1

    async def _is_whole() -> bool:
        return await collector.position(log) == log.stat().st_size

    await eventually(_is_whole)


async def test_rotation_by_rename_loses_nothing(start: Start, log: Path) -> None:
    append(log, 1)
    collector = await start(files=f"{log}=openssh.auth")
    await has_users(collector, 1)
    old = log.open("a")
    log.rename(log.with_name("auth.log.1"))
    old.write(line(2))  # its writer has not reopened yet
    old.flush()
    await has_users(collector, 1, 2)
    append(log, 3)
    old.write(line(4).rstrip("\n"))
    old.close()
    await has_users(collector, 1, 2, 3, 4)


async def test_rotation_while_nobody_looked_is_caught_up_with(start: Start, log: Path) -> None:
    append(log, 1)
    collector = await start(files=f"{log}=openssh.auth")
    await has_users(collector, 1)
    await eventually(lambda: collector.lines("published", str(log)) == 1)
    await collector.stop()
    append(log, 2)
    log.rename(log.with_name("auth.log.1"))
    append(log, 3)
    again = await start(files=f"{log}=openssh.auth")
    await has_users(again, 1, 2, 3)


async def test_truncation_starts_over_also_when_the_file_has_grown_past_the_old_place(start: Start, log: Path) -> None:
    append(log, 1, 2)
    collector = await start(files=f"{log}=openssh.auth")
    await has_users(collector, 1, 2)
    log.write_text(line(3))
    await has_users(collector, 1, 2, 3)
    log.write_text("".join(line(number) for number in (4, 5, 6, 7)))
    await has_users(collector, 1, 2, 3, 4, 5, 6, 7)


async def test_a_glob_finds_files_as_they_come(start: Start, log: Path) -> None:
    append(log, 1)
    collector = await start(files=f"{log.parent}/*.log=auto")
    await has_users(collector, 1)
    append(log.with_name("other.log"), 2)
    await has_users(collector, 1, 2)


async def test_a_crash_before_the_checkpoint_stores_nothing_twice(start: Start, log: Path, postgres: Any) -> None:
    append(log, *range(1, 500))
    with log.open("a") as file:
        file.write("nonsense\n")
    collector = await start(files=f"{log}=openssh.auth")
    await has_users(collector, *range(1, 500))
    await eventually(lambda: collector.lines("rejected", str(log)) == 1)
    await collector.crash()
    # As if the process had died after the bus confirmed and before the checkpoint was written.
    await postgres.execute("UPDATE collector.checkpoints SET position = 0, tail = ''")
    append(log, 500)
    again = await start(files=f"{log}=openssh.auth")
    await has_users(again, *range(1, 501))
    assert len(await again.rejected()) == 1


async def test_killed_at_any_moment_every_line_is_stored_once(start: Start, log: Path) -> None:
    total = 3000
    for begin in range(0, total, 1000):
        append(log, *range(begin, begin + 1000))
        collector = await start(files=f"{log}=openssh.auth")
        await asyncio.sleep(0.05)  # somewhere in the middle, wherever that is
        await collector.crash()
    collector = await start(files=f"{log}=openssh.auth")

    async def _all() -> bool:
        return await collector.position(log) == log.stat().st_size

    await eventually(_all, 30)
    await has_users(collector, *range(total), seconds=30)


async def test_without_the_bus_the_checkpoint_stays(start: Start, log: Path, bus: Any, detector: Consumer) -> None:
    append(log, 1)
    await detector.drain()
    collector = await start(files=f"{log}=openssh.auth")
    stalls = collector.context.registry.get_sample_value

    def _stalled() -> bool:
        return bool(stalls("sakimori_collector_input_stalls_total", {"source": str(log)}))

    await eventually(_stalled, 15)
    assert await collector.position(log) == 0
    assert collector.lines("published", str(log)) == 0


async def test_the_database_away_is_waited_for(start: Start, log: Path, postgres_server: Any) -> None:
    append(log, 1)
    collector = await start(files=f"{log}=openssh.auth")
    await has_users(collector, 1)
    await asyncio.to_thread(postgres_server.stop)
    append(log, 2)
    await asyncio.sleep(1)
    await asyncio.to_thread(postgres_server.start)
    await has_users(collector, 1, 2, seconds=30)


@pytest.mark.parametrize("bus_url", ["amqp"], indirect=True)
async def test_a_killed_broker_is_waited_for(start: Start, log: Path, rabbitmq: Any) -> None:
    append(log, 1)
    collector = await start(files=f"{log}=openssh.auth")
    await has_users(collector, 1)
    rabbitmq.kill()
    append(log, 2)
    await asyncio.sleep(0.5)
    assert await users(collector) == ["user1"]
    await asyncio.to_thread(rabbitmq.start)
    await has_users(collector, 1, 2, seconds=60)


async def test_a_line_too_long_to_hold_is_rejected_and_the_next_is_read(start: Start, log: Path) -> None:
    with log.open("wb") as file:
        file.write(b"x" * (17 << 20) + b"\n")
        file.write(line(1).encode())
    collector = await start(files=f"{log}=openssh.auth")
    await has_users(collector, 1, seconds=30)
    [rejected] = await collector.rejected()
    assert "17825792 bytes in one line" in rejected["reason"]
    assert len(rejected["raw"]) == 64 * 1024


async def test_what_cannot_be_followed_holds_up_no_other_file(start: Start, log: Path) -> None:
    append(log, 1)
    os.mkfifo(log.with_name("pipe.log"))
    log.with_name("folder.log").mkdir()
    collector = await start(files=f"{log.parent}/*.log=openssh.auth")
    await has_users(collector, 1)

"""Broker and database killed at random under load: what was acknowledged is stored once, and every line is counted."""

import asyncio
import json
import random
import re
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from sakimori_common.context import Postgres
from servers.eventually import eventually
from servers.ports import free_ports

from .conftest import Collector, Start

SEED = 20260116
SECONDS = 20.0
WHAT = ("published", "rejected", "dropped")


def line(way: str, number: int) -> str:
    return f"2026-01-16T02:00:00Z web-1 sshd[1]: Invalid user {way}-{number} from 192.0.2.7 port 5"


@dataclass
class Load:
    """Three ways in at once. `acknowledged` are the users whose lines the collector has answered for."""

    collector: Collector
    log: Path
    udp: int
    until: float
    acknowledged: list[str] = field(default_factory=list)
    sent_by_udp: int = 0
    garbage: int = 0

    async def run(self) -> None:
        await asyncio.gather(self._write_file(), *(self._post(number) for number in range(2)), self._send_udp())

    async def _write_file(self) -> None:
        number = 0
        with self.log.open("a") as file:
            while time.monotonic() < self.until:
                for _ in range(20):
                    file.write(line("file", number) + "\n")
                    self.acknowledged.append(f"file-{number}")
                    number += 1
                file.write(f"garbage {number}\n")
                self.garbage += 1
                file.flush()
                await asyncio.sleep(0.05)

    async def _post(self, poster: int) -> None:
        number = 0
        while time.monotonic() < self.until:
            users = [f"http{poster}-{number + offset}" for offset in range(20)]
            number += 20
            lines = [{"message": line(*user.rsplit("-", 1)), "format": "openssh.auth"} for user in users]  # type: ignore[arg-type]
            body = "".join(json.dumps(each) + "\n" for each in lines) + f"garbage {number}\n"
            if await self._insist(body, f"{poster}-{number}"):
                self.acknowledged += users
            await asyncio.sleep(0.02)

    async def _insist(self, body: str, key: str) -> bool:
        """Send the same again, as the answer 503 asks for, until it is taken."""
        while True:
            try:
                answer = await self.collector.post(body, key=key)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 202:
                return True
            assert answer is None or answer.status_code == 503, answer.text
            await asyncio.sleep(0.2)

    async def _send_udp(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while time.monotonic() < self.until:
                for _ in range(5):
                    text = "<38>" + line("udp", self.sent_by_udp)
                    sender.sendto(text.encode(), ("127.0.0.1", self.udp))
                    self.sent_by_udp += 1
                await asyncio.sleep(0.05)


async def kill_at_random(rabbitmq: Any, postgres_server: Any, until: float) -> Counter[str]:
    """End broker or database as a power cut would, and start it again after a while."""
    chance, killed = random.Random(SEED), Counter[str]()
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(0.5, 4.0))
        name, server = chance.choice([("broker", rabbitmq), ("database", postgres_server)])
        killed[name] += 1
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(chance.uniform(0.1, 2.0))
        await asyncio.to_thread(server.start)
    return killed


async def stored_users(postgres: Postgres) -> Counter[str]:
    rows = await postgres.fetch("SELECT user_name, count(*) AS number FROM collector.events GROUP BY user_name")
    return Counter({row["user_name"]: row["number"] for row in rows})


async def keep_what_is_committed(postgres: Postgres) -> None:
    """The server of the tests may forget its last commits when it is killed; this database must not."""
    name = await postgres.fetchval("SELECT current_database()")
    await postgres.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = on')
    await postgres.expire_connections()


@pytest.mark.timeout(240)
@pytest.mark.filterwarnings("ignore:.*active notification listener")  # asyncpg, of a connection that is dead
@pytest.mark.parametrize("bus_url", ["amqp"], indirect=True)
async def test_under_random_kills_every_acknowledged_line_is_stored_once_and_the_sums_hold(
    start: Start, tmp_path: Path, postgres: Postgres, postgres_server: Any, rabbitmq: Any
) -> None:
    await keep_what_is_committed(postgres)
    log = tmp_path / "auth.log"
    [udp] = free_ports(1)
    collector = await start(files=f"{log}=openssh.auth", syslog_udp=f"127.0.0.1:{udp}")
    until = time.monotonic() + SECONDS
    load = Load(collector, log, udp, until)
    killed, _ = await asyncio.gather(kill_at_random(rabbitmq, postgres_server, until), load.run())
    assert killed["broker"] >= 1
    assert killed["database"] >= 1

    async def _all_stored() -> bool:
        stored = await stored_users(postgres)
        missing = [user for user in load.acknowledged if not stored[user]]
        assert not missing[:5]
        return await collector.position(log) == log.stat().st_size

    await eventually(_all_stored, 60)

    def _udp_settled() -> bool:
        waiting = collector.context.registry.get_sample_value(
            "sakimori_collector_lines_spooled", {"source": "syslog_udp"}
        )
        return not waiting

    await eventually(_udp_settled, 60)

    async def _udp_stored() -> bool:
        stored = await stored_users(postgres)
        assert sum(user.startswith("udp-") for user in stored) == collector.lines("published", "syslog_udp")
        return True

    await eventually(_udp_stored, 30)
    stored = await stored_users(postgres)
    assert [user for user, number in stored.items() if number > 1] == []
    assert len([user for user in stored if re.match("file|http", user)]) == len(set(load.acknowledged))
    for source in (str(log), "http", "syslog_udp"):
        assert collector.lines("received", source) == sum(collector.lines(what, source) for what in WHAT), source
    assert collector.lines("dropped", "syslog_udp") == 0
    assert collector.lines("received", "syslog_udp") <= load.sent_by_udp
    garbage = await postgres.fetchval("SELECT count(*) FROM collector.rejected_lines WHERE source = $1", str(log))
    assert garbage == load.garbage

"""The running detector with the rules of the project finds what `sakimori detect` finds, whatever shares the work."""

import asyncio
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from sakimori_common.bus import Bus, Queue, Topic
from sakimori_common.context import Postgres, ServiceContext
from sakimori_common.contracts import Event, FieldValue, Finding
from sakimori_common.ids import event_id
from sakimori_common.instants import MICROSECONDS, format_instant, now, to_microseconds
from servers.eventually import eventually

from .conftest import Replica, message_of

RULES = Path(__file__).parents[3] / "rules"
ATTACKS = ("1' OR '1'='1", "<script>alert(1)</script>", "../../../../etc/passwd", ";cat /etc/passwd")
OVER_FINDINGS = {"multi_vector", "risk_escalated", "weak_signs"}
BENIGN = ("blue shoes", "2 for 1", "O'Neill", "a <3 b")


@pytest.fixture
def rules_dir() -> Path:
    return RULES


def stream(seed: int, count: int, seconds: float) -> list[Event]:
    """Make a seeded stream in order of time that ends now: web requests, SSH logins and DNS questions of few hosts."""
    chance = random.Random(seed)
    start = now() - round(seconds * MICROSECONDS)
    times = sorted(start + round(chance.random() * seconds * MICROSECONDS) for _ in range(count))
    return [_event(chance, number, time) for number, time in enumerate(times)]


def _event(chance: random.Random, number: int, time: int) -> Event:
    address = f"198.51.100.{chance.choice((1, 1, 1, 2, 2, 3, 4, 5, 6))}"
    identity = event_id(time, "stream", str(number))
    match chance.randrange(3):
        case 0:
            target = "/search?q=" + chance.choice(ATTACKS if chance.random() < 0.1 else BENIGN)
            status = chance.choice((200, 200, 200, 404, 401))
            fields: dict[str, FieldValue] = {"url.original": target, "http.response.status_code": status}
            return Event(identity, time, "nginx.access", {"source.ip": address, **fields})
        case 1:
            outcome = "failure" if chance.random() < 0.8 else "success"
            user = chance.choice(("admin", "root", "alice"))
            login: dict[str, FieldValue] = {"event.action": "ssh_login", "event.outcome": outcome, "user.name": user}
            return Event(identity, time, "openssh.auth", {"source.ip": address, **login})
    name = f"{chance.randbytes(24).hex()}.t.example"
    return Event(identity, time, "network.dns", {"source.ip": address, "dns.type": "query", "dns.question.name": name})


async def offline(events: Sequence[Event], file: Path) -> set[tuple[str, ...]]:
    """Tell what `sakimori detect` finds."""
    file.write_bytes(b"".join(msgspec.json.encode(event.to_flat()) + b"\n" for event in events))
    command = [sys.executable, "-m", "sakimori", "detect", "--rules", str(RULES), str(file)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    found = [msgspec.json.decode(line, type=Finding) for line in output.splitlines()]
    return {(f.id, f.rule_id, f.entity, str(f.count), f.first_seen_at, f.last_seen_at) for f in found}


async def stored(postgres: Postgres) -> set[tuple[str, ...]]:
    """Tell what the running detector has stored."""
    rows = await postgres.fetch("SELECT id, rule_id, entity, count, first_seen_at, last_seen_at FROM public.findings")
    return {(row[0], row[1], row[2], str(row[3]), *map(_instant, row[4:])) for row in map(tuple, rows)}


def _instant(value: datetime) -> str:
    return format_instant(to_microseconds(value))


def batches(events: Sequence[Event], seed: int) -> Iterator[Sequence[Event]]:
    """Cut a stream anywhere."""
    chance, start = random.Random(seed), 0
    while start < len(events):
        end = start + chance.randint(1, 60)
        yield events[start:end]
        start = end


async def test_one_detector_finds_what_the_command_finds(
    bus: Bus, replica: Replica, postgres: Postgres, tmp_path: Path
) -> None:
    found, expected = await both(bus, [replica], postgres, stream(seed=1, count=3000, seconds=7200), tmp_path)
    assert len({each[1] for each in expected}) >= 6
    assert found == expected


async def test_so_do_three_that_share_the_work(bus: Bus, replica: Replica, postgres: Postgres, tmp_path: Path) -> None:
    """One may be ahead of another by up to the lateness, a minute of event time.

    What is found about findings is the same, but not when: it counts a finding when the replica first told of it.
    """
    found, expected = await both(bus, [replica] * 3, postgres, stream(seed=3, count=3000, seconds=50), tmp_path)
    assert len({each[1] for each in expected}) >= 6
    assert {each for each in found if each[1] not in OVER_FINDINGS} == {
        each for each in expected if each[1] not in OVER_FINDINGS
    }
    assert {each[:3] for each in found} == {each[:3] for each in expected}


async def both(
    bus: Bus, replicas: Sequence[Replica], postgres: Postgres, events: Sequence[Event], folder: Path
) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    """Run a stream through detectors and through the command; what either found."""
    async with AsyncExitStack() as running:
        contexts = [await running.enter_async_context(start()) for start in replicas]
        for batch in batches(events, seed=7):
            await bus.publish(Topic.EVENTS, message_of(batch))

        async def all_evaluated() -> bool:
            return sum(_evaluated(context) for context in contexts) == len(events)

        await eventually(all_evaluated, 60)
    assert await bus.depth(Queue.DETECT) == 0
    return await stored(postgres), await offline(events, folder / "events.ndjson")


def _evaluated(context: ServiceContext) -> float:
    return context.registry.get_sample_value("sakimori_events_evaluated_total") or 0.0

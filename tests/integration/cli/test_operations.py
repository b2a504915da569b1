"""`sakimori dead` on a real broker and `sakimori db` on a real database."""

import json
import os
import subprocess
import sys

from sakimori_common.bus import Message, Queue, open_bus
from sakimori_common.contracts import FINDINGS
from sakimori_common.testing.samples import BRUTE_FORCE


def sakimori(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sakimori", *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": "/", **environment}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110, check=False)


async def test_a_dead_letter_is_listed_shown_and_sent_back(rabbitmq_url: str) -> None:
    bus = await open_bus(rabbitmq_url, service="test")
    body = FINDINGS.encode([BRUTE_FORCE])
    await bus.bury(Queue.NOTIFY, Message("letter-1", body, {"schema": "1", "source": "test"}), "slack: HTTP 404")

    counted = sakimori("dead", "list", BUS_URL=rabbitmq_url)
    assert "       1  notifier.findings.dead" in counted.stdout.splitlines()
    listed = sakimori("dead", "list", "notifier.findings", BUS_URL=rabbitmq_url)
    assert listed.stdout.startswith("letter-1  ")
    assert listed.stdout.rstrip().endswith("slack: HTTP 404")
    shown = json.loads(sakimori("dead", "show", "notifier.findings", "letter-1", BUS_URL=rabbitmq_url).stdout)
    assert shown["reason"] == "slack: HTTP 404"
    assert shown["batch"][0]["rule_id"] == "brute_force_attack"
    replayed = sakimori("dead", "replay", "notifier.findings", BUS_URL=rabbitmq_url)
    assert replayed.stdout == "1 sent back to notifier.findings\n"
    assert await bus.depth("notifier.findings") == 1
    assert await bus.depth("notifier.findings.dead") == 0
    await bus.close()


def test_an_unknown_dead_letter_is_an_error(rabbitmq_url: str) -> None:
    result = sakimori("dead", "show", "notifier.findings", "nobody", BUS_URL=rabbitmq_url)
    assert result.returncode == 1
    assert result.stderr == "nobody: not among the first 1000 dead letters of notifier.findings\n"


def test_a_bus_in_memory_has_no_dead_letters_to_look_at() -> None:
    result = sakimori("dead", "list", BUS_URL="memory://")
    assert result.returncode == 2
    assert "must name a broker" in result.stderr


def test_migrations_are_applied_once(empty_postgres_url: str) -> None:
    first = sakimori("db", "migrate", DATABASE_URL=empty_postgres_url)
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[0] == "applied 0001 timescale"
    second = sakimori("db", "migrate", DATABASE_URL=empty_postgres_url)
    assert (second.returncode, second.stdout) == (0, "nothing to do: the database is up to date\n")


def test_a_database_that_is_away_is_named() -> None:
    result = sakimori("db", "migrate", DATABASE_URL="postgresql://127.0.0.1:1/none")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr

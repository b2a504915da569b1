"""`sakimori parse | sakimori detect` over sshd logs: every offender at the threshold, nobody else."""

import io
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sakimori_collector.domain.formats import Reference
from sakimori_collector.offline import parse_stream
from sakimori_common.instants import now
from sakimori_detector.offline import BATCH_EVENTS, Latest, OfflineDetector, load_folder
from sshd_log import SshdLog

RULES = Path(__file__).resolve().parents[3] / "rules"
LOADED = load_folder(RULES, "Asia/Tokyo")
SEEDS = [1, 2026]


def findings(log: str, rule: str) -> list[dict[str, Any]]:
    return [finding for finding in all_findings(log) if finding["rule_id"] == rule]


def all_findings(log: str, batch: int = BATCH_EVENTS) -> list[dict[str, Any]]:
    """Give what the two commands give, without their processes."""
    lines = parse_stream(io.BytesIO(log.encode()), "-", "openssh.auth", Reference(now()))
    events = [event for found, _ in lines for event in found]
    detector, latest = OfflineDetector(LOADED.rules, LOADED.world), Latest()
    for start in range(0, len(events), batch):
        latest.add(detector.feed(events[start : start + batch]))
    return [msgspec.to_builtins(finding) for finding in latest.all()]


def findings_of_commands(log: str) -> list[dict[str, Any]]:
    parse = [sys.executable, "-m", "sakimori", "parse", "--format", "openssh.auth", "-"]
    detect = [sys.executable, "-m", "sakimori", "detect", "--rules", str(RULES), "-"]
    parsed = subprocess.run(parse, input=log.encode(), capture_output=True, timeout=60, check=False)
    found = subprocess.run(detect, input=parsed.stdout, capture_output=True, timeout=60, check=True)
    return [json.loads(line) for line in found.stdout.splitlines()]


def told(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(finding["entity"], finding["details"], finding["count"], finding["first_seen_at"]) for finding in found]


def guessers(log: SshdLog) -> None:
    """Guess 4, 5 and 6 times, fast, at the edge of the window and beyond it."""
    for number in range(1, 61):
        address = f"203.0.113.{number}" if number % 4 else f"2001:db8::{number:x}"
        user = log.dice.choice(["root", "admin", "oracle", "from 192.0.2.9 port 22", "git"])
        times, span = log.dice.choice(
            [(4, 20), (4, 300), (5, 30), (5, 299), (5, 300), (5, 301), (6, 300), (6, 376), (40, 3040)]
        )
        first = log.dice.randint(0, 3000)
        for turn in range(times):
            log.fail(first + turn * span // (times - 1), address, user)
    for number, times in enumerate((3, 4, 5, 9)):
        log.fail_repeatedly(500 + number, f"192.0.2.{100 + number}", "root", times)


def people(log: SshdLog) -> None:
    """Log in with agents full of keys, mistype now and then, and try in vain with too many keys."""
    for number in range(40):
        address = f"192.0.2.{number}"
        for _ in range(log.dice.randint(1, 8)):
            log.log_in(log.dice.randint(0, 6000), address, f"user{number}", log.dice.randint(0, 5))
        for typo in range(log.dice.randint(0, 4)):
            log.fail(2000 + typo * 9, address, f"user{number}")
        log.log_in(2050, address, f"user{number}", 0)
    for turn in range(6):
        log.lose_agent(100 + turn * 10, "192.0.2.77", "hanako")
    log.mistype_name(300, "192.0.2.78", "hanaok")
    for _ in range(400):
        log.murmur(log.dice.randint(0, 6000))


def town(seed: int) -> SshdLog:
    log = SshdLog(random.Random(seed))
    guessers(log)
    people(log)
    return log


@pytest.mark.parametrize("seed", SEEDS)
def test_all_offenders_are_found_and_none_invented(seed: int) -> None:
    log = town(seed)
    offenders = log.offenders(5, 300)
    found = findings(log.text(), "brute_force_attack")
    assert len(log.lines) > 2500
    assert 20 < len(offenders) < 60
    assert {(finding["details"]["ip"], finding["details"]["username"]) for finding in found} == offenders
    assert all(finding["details"]["failed_attempts"] >= 5 for finding in found)


@pytest.mark.parametrize("seed", SEEDS)
def test_people_who_mistype_and_agents_full_of_keys_alarm_nobody(seed: int) -> None:
    log = SshdLog(random.Random(seed))
    people(log)
    assert [
        finding["message"] for finding in all_findings(log.text()) if finding["severity"] not in {"info", "low"}
    ] == []


def test_a_guesser_who_gets_in_at_last_is_told_apart_from_one_who_does_not() -> None:
    log = SshdLog(random.Random(11))
    for turn in range(5):
        log.fail(turn * 10, "203.0.113.5", "root")
        log.fail(turn * 10, "203.0.113.6", "root")
    log.log_in(100, "203.0.113.6", "root", 0)
    found = {(finding["rule_id"], finding["entity"]) for finding in all_findings(log.text())}
    assert {("brute_force_attack", "203.0.113.5"), ("login_after_guessing", "203.0.113.6")} < found
    assert ("login_after_guessing", "203.0.113.5") not in found


def test_batch_boundaries_change_nothing_of_any_rule() -> None:
    log = town(5).text()
    by_id = {finding["id"]: finding for finding in all_findings(log)}
    assert len({finding["rule_id"] for finding in by_id.values()}) >= 4
    for batch in (37, 100_000):
        assert {finding["id"]: finding for finding in all_findings(log, batch)} == by_id


def test_the_two_commands_say_the_same() -> None:
    log = town(2026).text()
    found = [finding for finding in findings_of_commands(log) if finding["rule_id"] == "brute_force_attack"]
    assert told(found) == told(findings(log, "brute_force_attack"))


def test_by_address_the_sixth_failure_counts_whatever_the_account() -> None:
    log = SshdLog(random.Random(7))
    for address, times in (("203.0.113.5", 5), ("203.0.113.6", 6), ("2001:db8::6", 6)):
        for turn in range(times):
            log.fail(turn * 60, address, f"user{turn % 3}")
    for turn in range(6):
        log.fail(turn * 60 + turn // 5, "203.0.113.7", "root")
    found = findings(log.text(), "brute_force_address")
    assert {finding["entity"] for finding in found} == {"203.0.113.6", "2001:db8::6"}


def test_guessing_where_no_password_is_taken_shows_by_its_connections() -> None:
    log = SshdLog(random.Random(3))
    for user, times, address in (("pi", 4, "203.0.113.4"), ("pi", 5, "203.0.113.5"), ("root", 5, "203.0.113.6")):
        for turn in range(times):
            peer = log.connect(address)
            if user == "pi":
                log.say(turn * 75, f"Invalid user pi from {peer}")
                log.say(turn * 75, f"Received disconnect from {peer}:11: Bye Bye [preauth]")
                log.say(turn * 75, f"Disconnected from invalid user pi {peer} [preauth]")
            else:
                log.say(turn * 75, f"Connection closed by authenticating user root {peer} [preauth]")
    assert findings(log.text(), "brute_force_attack") == []
    assert [(finding["entity"], finding["count"]) for finding in findings(log.text(), "brute_force_connections")] == [
        ("203.0.113.5", 5),
        ("203.0.113.6", 5),
    ]

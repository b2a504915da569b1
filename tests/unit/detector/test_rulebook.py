"""Rules that change while the service runs."""

import asyncio
import os
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

import detector_rules
from sakimori_common.contracts import Event
from sakimori_common.log import logger
from sakimori_detector.adapters.memory import MemoryState
from sakimori_detector.detection import detect
from sakimori_detector.metrics import DetectorMetrics
from sakimori_detector.rulebook import Rulebook
from sakimori_detector.settings import DetectorSettings
from sakimori_detector.sigma.backtracking import MAX_TIMEOUTS, backtracker


def write(path: Path, text: str, second: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (second, second))


def failures(*minutes: int) -> list[Event]:
    fields = {"event.action": "ssh_login", "event.outcome": "failure", "source.ip": "192.0.2.1", "user.name": "root"}
    return [Event(f"e{minute}", minute * 60_000_000, "openssh.auth", dict(fields)) for minute in minutes]


@pytest.fixture
def rulebook(tmp_path: Path) -> Rulebook:
    write(tmp_path / "web" / "sql_injection.yml", detector_rules.SQL_INJECTION, 1)
    return Rulebook(tmp_path, "Asia/Tokyo", DetectorMetrics(CollectorRegistry()), logger("test"))


async def test_nothing_is_loaded_again_when_nothing_changed(rulebook: Rulebook) -> None:
    engine = rulebook.engine
    assert not await rulebook.refresh()
    assert rulebook.engine is engine


async def test_a_new_file_is_taken_up_and_a_removed_one_dropped(rulebook: Rulebook, tmp_path: Path) -> None:
    write(tmp_path / "auth" / "brute_force_attack.yml", detector_rules.BRUTE_FORCE, 2)
    assert await rulebook.refresh()
    assert set(rulebook.engine.rules) == {"sql_injection", "brute_force_attack"}
    (tmp_path / "web" / "sql_injection.yml").unlink()
    assert await rulebook.refresh()
    assert set(rulebook.engine.rules) == {"brute_force_attack"}


async def test_a_rule_that_was_broken_stays_as_it_was_until_it_is_mended(rulebook: Rulebook, tmp_path: Path) -> None:
    path = tmp_path / "web" / "sql_injection.yml"
    write(path, "title: [", 2)
    assert await rulebook.refresh()
    assert set(rulebook.engine.rules) == {"sql_injection"}
    write(path, detector_rules.SQL_INJECTION.replace("level: critical", "level: low"), 3)
    assert await rulebook.refresh()
    assert rulebook.engine.rules["sql_injection"].severity == "low"


async def test_a_changed_list_is_read_without_a_restart(rulebook: Rulebook, tmp_path: Path) -> None:
    write(tmp_path / "lists" / "addresses.txt", "198.51.100.7", 2)
    write(tmp_path / "auth" / "blacklisted_address.yml", detector_rules.BLACKLIST, 2)
    assert await rulebook.refresh()
    assert "blacklisted_address" in rulebook.engine.rules


async def test_the_event_loop_goes_on_while_many_rules_are_loaded(rulebook: Rulebook, tmp_path: Path) -> None:
    for number in range(200):
        text = detector_rules.SQL_INJECTION.replace("sql_injection", f"rule_{number}").replace("0003", f"1{number:03}")
        write(tmp_path / "many" / f"rule_{number}.yml", text, 2)
    turns, loading = 0, asyncio.create_task(rulebook.refresh())
    while not loading.done():
        turns += 1
        await asyncio.sleep(0)
    assert len(rulebook.engine.rules) == 201
    assert turns > 10  # on the loop itself it would have been a few


async def test_the_last_good_version_of_a_correlation_stays_when_its_base_breaks(
    rulebook: Rulebook, tmp_path: Path
) -> None:
    base, correlation = detector_rules.BRUTE_FORCE.split("---")
    write(tmp_path / "auth" / "failed_login.yml", base, 2)
    write(tmp_path / "auth" / "brute_force_attack.yml", correlation, 2)
    assert await rulebook.refresh()
    before = rulebook.engine.rules["brute_force_attack"]
    write(tmp_path / "auth" / "failed_login.yml", "title: [", 3)
    assert await rulebook.refresh()
    assert rulebook.engine.rules["brute_force_attack"] == before
    write(tmp_path / "auth" / "failed_login.yml", base, 4)
    (tmp_path / "auth" / "brute_force_attack.yml").unlink()
    assert await rulebook.refresh()
    assert set(rulebook.engine.rules) == {"sql_injection", "failed_login"}


async def test_windows_go_on_when_the_rules_are_loaded_anew(rulebook: Rulebook, tmp_path: Path) -> None:
    write(tmp_path / "auth" / "brute_force_attack.yml", detector_rules.BRUTE_FORCE, 2)
    assert await rulebook.refresh()
    state = MemoryState()
    assert await detect(rulebook.engine, state, "1", failures(0, 1, 2), lambda event: event.time) == []
    write(
        tmp_path / "auth" / "brute_force_attack.yml", detector_rules.BRUTE_FORCE.replace("level: high", "level: low"), 3
    )
    assert await rulebook.refresh()
    (found,) = await detect(rulebook.engine, state, "2", failures(3, 4), lambda event: event.time)
    assert (found.finding.count, found.finding.severity) == (5, "low")


async def test_an_expression_that_gave_up_too_often_is_told(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    rulebook = Rulebook(tmp_path, "Asia/Tokyo", DetectorMetrics(registry), logger("test"))
    known = backtracker("rulebook(?=s)")
    await rulebook.refresh()
    before = registry.get_sample_value("sakimori_expressions_switched_off")
    known.timeouts = MAX_TIMEOUTS
    await rulebook.refresh()
    assert before is not None
    assert registry.get_sample_value("sakimori_expressions_switched_off") == before + 1


async def test_a_folder_that_is_not_there_stops_the_start_but_nothing_that_runs(
    rulebook: Rulebook, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="DETECTOR_RULES_DIR"):
        Rulebook(tmp_path / "nowhere", "Asia/Tokyo", DetectorMetrics(CollectorRegistry()), logger("test"))
    tmp_path.rename(tmp_path.with_name("away"))
    assert not await rulebook.refresh()
    assert set(rulebook.engine.rules) == {"sql_injection"}


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [("time_zone", "Mars/Olympus", "no time zone"), ("allowed_addresses", "192.0.2.1, nobody", "nobody")],
)
def test_settings_that_make_no_sense_are_refused(name: str, value: str, why: str) -> None:
    given = {"database_url": "postgresql://x", "valkey_url": "redis://x", name: value}
    with pytest.raises(ValueError, match=why):
        DetectorSettings(**given)  # type: ignore[arg-type]  # pydantic reads text

"""The watched folder."""

import os
from pathlib import Path

import pytest

from sakimori_common.settings import SettingsError, load_settings
from sakimori_packet_sensor.adapters.folder import CaptureFolder
from sakimori_packet_sensor.settings import SensorSettings


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "captures"
    folder.mkdir()
    return folder


def watching(inbox: Path) -> CaptureFolder:
    return CaptureFolder(inbox, inbox.parent / "read.json")


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_a_capture_is_finished_when_two_looks_find_it_the_same(inbox: Path) -> None:
    folder = watching(inbox)
    (inbox / "a.pcap").write_bytes(b"begun")
    assert folder.finished() == []
    (inbox / "a.pcap").write_bytes(b"begun and grown")
    assert folder.finished() == []
    assert names(folder.finished()) == ["a.pcap"]


def test_only_captures_are_looked_at_and_the_oldest_comes_first(inbox: Path) -> None:
    for age, name in enumerate(["new.pcapng", "old.pcap.gz", ".hidden.pcap", "notes.txt", "rotated.pcap1"]):
        (inbox / name).write_bytes(b"x")
        os.utime(inbox / name, (1_000_000 - age, 1_000_000 - age))
    (inbox / "folder.pcap").mkdir()
    folder = watching(inbox)
    folder.finished()
    assert names(folder.finished()) == ["old.pcap.gz", "new.pcapng"]


def test_what_was_read_is_remembered_over_restarts_until_it_changes(inbox: Path) -> None:
    (inbox / "a.pcap").write_bytes(b"x")
    first = watching(inbox)
    first.finished()
    [path] = first.finished()
    first.remember(path)
    assert first.finished() == []
    again = watching(inbox)
    again.finished()
    assert again.finished() == []
    path.write_bytes(b"grown")
    again.finished()
    assert names(again.finished()) == ["a.pcap"]


def test_a_capture_that_is_not_remembered_is_listed_again(inbox: Path) -> None:
    """So it is while the bus is away."""
    (inbox / "a.pcap").write_bytes(b"x")
    folder = watching(inbox)
    folder.finished()
    assert names(folder.finished()) == names(folder.finished()) == ["a.pcap"]


def test_what_went_is_forgotten(inbox: Path) -> None:
    folder = watching(inbox)
    for name in ("a.pcap", "b.pcap"):
        (inbox / name).write_bytes(b"x")
    folder.finished()
    for path in folder.finished():
        folder.remember(path)
    (inbox / "a.pcap").unlink()
    (inbox / "c.pcap").write_bytes(b"x")
    folder.finished()
    folder.remember(folder.finished()[0])
    memory = (inbox.parent / "read.json").read_text()
    assert "a.pcap" not in memory
    assert "b.pcap" in memory


@pytest.mark.parametrize("damage", ["", "{", "[]"])
def test_a_damaged_memory_means_reading_again(inbox: Path, damage: str) -> None:
    (inbox.parent / "read.json").write_text(damage)
    (inbox / "a.pcap").write_bytes(b"x")
    folder = watching(inbox)
    folder.finished()
    assert names(folder.finished()) == ["a.pcap"]


def test_a_folder_that_is_away_is_empty(inbox: Path) -> None:
    folder = watching(inbox)
    inbox.rmdir()
    assert folder.finished() == []


def test_a_capture_folder_that_does_not_exist_is_a_mistake_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "EDGE_TOKEN": "x" * 16,
        "DATABASE_URL": "postgresql://x",
        "VALKEY_URL": "redis://x",
        "SENSOR_CAPTURE_DIR": "/nonexistent/captures",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=r"SENSOR_CAPTURE_DIR: .*/nonexistent/captures is no folder"):
        load_settings(SensorSettings)

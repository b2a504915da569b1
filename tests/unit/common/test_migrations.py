"""The numbering of migrations."""

from pathlib import Path

import pytest

from sakimori_common.postgres import MigrationError, migrations


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text("SELECT 1;")
    return folder


def test_migrations_come_in_order(tmp_path: Path) -> None:
    found = migrations(write(tmp_path, "0002_more.sql", "0001_first.sql", "README.md"))
    assert [(each.number, each.name) for each in found] == [(1, "first"), (2, "more")]


@pytest.mark.parametrize("name", ["1_first.sql", "0001-first.sql", "first.sql", "0001_First.sql", "00001_first.sql"])
def test_a_name_without_number_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MigrationError, match=f"{name}: name it like 0001_events.sql"):
        migrations(write(tmp_path, name))


@pytest.mark.parametrize(
    "names", [("0001_first.sql", "0003_third.sql"), ("0001_first.sql", "0001_other.sql"), ("0002_second.sql",)]
)
def test_gaps_and_repeats_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(MigrationError, match="without gap or repeat"):
        migrations(write(tmp_path, *names))


def test_the_projects_own_migrations_are_well_numbered() -> None:
    assert migrations()[0].number == 1

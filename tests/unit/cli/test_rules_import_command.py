"""`sakimori rules import` and `rules check` on rules that are not ours."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sakimori.commands.rules import rules

WEB = """title: Probe
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0001
status: test
level: high
author: Ada
logsource: {category: webserver}
detection:
  selection: {cs-uri-query|contains: /probe, x-made-up: 1}
  condition: selection
"""
TOASTER = WEB.replace("webserver", "toaster").replace("0001", "0002")
BROKEN = WEB.replace("condition: selection", "condition: nothing").replace("0001", "0003")
PIPELINE = "name: a pipeline\npriority: 10\ntransformations: []\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    files = {
        "rules/web/probe.yml": WEB,
        "rules/toaster.yaml": TOASTER,
        "rules/broken.yml": BROKEN,
        "pipelines/p.yml": PIPELINE,
        "list.yml": "- a\n- b\n",
        ".github/workflows/ci.yml": "on: push\n",
        "LICENSE": "theirs",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "rules" / "latin.yml").write_bytes(b"title: \xe9\n")
    return folder


def test_each_file_is_told_of_and_what_loads_is_copied_unchanged(checkout: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(rules, ["import", str(checkout), "--into", str(tmp_path / "into")])
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "skipped     list.yml: no Sigma rule",
        "skipped     pipelines/p.yml: no Sigma rule",
        "refused     rules/broken.yml:9:14: Detection 'nothing' not defined in detections",
        "refused     rules/latin.yml:1:1: not UTF-8: byte 7",
        "not mapped  rules/toaster.yaml: toaster: no dataset here has category: toaster;"
        " fields as they are: cs-uri-query, x-made-up",
        "loaded      rules/web/probe.yml: probe "
        "(nginx.access, apache.access, network.http, haproxy.access, caddy.access, traefik.access);"
        " fields as they are: x-made-up",
    ]
    assert "6 files: 1 loaded, 1 loaded though no dataset here has their log source, 2 refused, 2 without a rule" in (
        result.stderr
    )
    copied = {
        path.relative_to(tmp_path / "into").as_posix() for path in (tmp_path / "into").rglob("*") if path.is_file()
    }
    assert copied == {"LICENSE", "rules/toaster.yaml", "rules/web/probe.yml"}
    assert (tmp_path / "into/rules/web/probe.yml").read_text(encoding="utf-8") == WEB


def test_a_dry_run_copies_nothing(checkout: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(rules, ["import", str(checkout), "--into", str(tmp_path / "into"), "--dry-run"])
    assert result.exit_code == 0
    assert not (tmp_path / "into").exists()


def test_a_folder_of_which_nothing_loads_ends_with_one(tmp_path: Path) -> None:
    (tmp_path / "broken.yml").write_text(BROKEN, encoding="utf-8")
    result = CliRunner().invoke(rules, ["import", str(tmp_path), "--into", str(tmp_path / "into")])
    assert result.exit_code == 1
    assert not (tmp_path / "into").exists()


def test_a_folder_that_is_not_there_ends_with_two(tmp_path: Path) -> None:
    result = CliRunner().invoke(rules, ["import", str(tmp_path / "nowhere")])
    assert result.exit_code == 2
    assert "no such folder" in result.stderr


def test_a_target_that_cannot_be_written_is_said_in_a_sentence(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "into").write_text("a file", encoding="utf-8")
    result = CliRunner().invoke(rules, ["import", str(checkout), "--into", str(tmp_path / "into")])
    assert result.exit_code == 2
    assert "sakimori: " in result.stderr


def test_what_was_imported_passes_the_check_without_cases(checkout: Path, tmp_path: Path) -> None:
    CliRunner().invoke(rules, ["import", str(checkout), "--into", str(tmp_path / "into")])
    result = CliRunner().invoke(rules, ["check", str(tmp_path / "into")])
    assert result.exit_code == 0
    assert "2 rules loaded (2 of them imported, no cases), 0 problems" in result.stderr


@pytest.mark.data
def test_every_public_rule_at_hand_loads(development_data: Path) -> None:
    result = CliRunner().invoke(rules, ["import", str(development_data / "sigma"), "--dry-run"])
    assert "1168 files: 976 loaded, 192 loaded though no dataset here has their log source, 0 refused" in result.stderr

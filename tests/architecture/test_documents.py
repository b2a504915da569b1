"""What documents promise is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sakimori_common.contracts import ACTIONS

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "rules/*.md", "services/*/*.md", "deploy/**/*.md")
    for path in REPOSITORY.glob(pattern)
)
_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"^(?:libs|services|rules|deploy|docs|tests|bench|requirements)/[\w./-]+$|^[\w-]+\.(?:md|yml|toml)$")
_TEST = re.compile(r"^(tests/[\w./-]+\.py)::(\w+)$")
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = [code for code in _CODE.findall(text) if _PATH.match(code)] + _LINK.findall(text)
    places = (REPOSITORY, document.parent)
    missing = [path for path in named if not any((place / path.rstrip("/")).exists() for place in places)]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    named = [_TEST.match(code) for code in _CODE.findall(document.read_text(encoding="utf-8"))]
    missing = [
        match[0]
        for match in named
        if match and not re.search(rf"def {match[2]}\b", (REPOSITORY / match[1]).read_text(encoding="utf-8"))
    ]
    assert missing == []


def test_every_action_of_the_chat_and_its_bots_is_documented() -> None:
    fields = (REPOSITORY / "docs" / "reference" / "fields.md").read_text(encoding="utf-8")
    ours = {action for action, kind in ACTIONS.items() if kind.category in {"chat", "bot"}}
    assert {action for action in ours if f"`{action}`" not in fields} == set()


def test_the_generated_references_are_up_to_date() -> None:
    result = subprocess.run(
        [sys.executable, REPOSITORY / "docs" / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_the_readme_can_be_read_in_one_sitting() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 150

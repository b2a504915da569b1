"""What documents promise is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "rules/*.md", "services/*/*.md", "deploy/**/*.md")
    for path in REPOSITORY.glob(pattern)
)
_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"^(?:libs|services|rules|deploy|docs|tests|bench|requirements)/[\w./-]+$|^[\w-]+\.(?:md|yml|toml)$")
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = [code for code in _CODE.findall(text) if _PATH.match(code)] + _LINK.findall(text)
    places = (REPOSITORY, document.parent)
    missing = [path for path in named if not any((place / path.rstrip("/")).exists() for place in places)]
    assert missing == []


def test_the_generated_references_are_up_to_date() -> None:
    result = subprocess.run(
        [sys.executable, REPOSITORY / "docs" / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_the_readme_can_be_read_in_one_sitting() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 150

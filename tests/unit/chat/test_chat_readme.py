"""The README's map of the service is that of the code."""

import re
from importlib.resources import files
from pathlib import Path

PACKAGE = Path(str(files("sakimori_chat")))
README = (PACKAGE.parents[1] / "README.md").read_text(encoding="utf-8")
SAME_IN_EVERY_SERVICE = {"__init__.py", "__main__.py", "metrics.py", "ports.py", "settings.py"}


def test_the_way_of_a_message_names_modules_that_exist() -> None:
    _, _, way = README.partition("## How a message travels\n")
    named = re.findall(r"`([a-z_/]+\.py|(?:bots|domain)/[a-z]+)`", way.partition("\n## ")[0])
    assert len(named) > 20
    assert [name for name in named if not (PACKAGE / name).exists()] == []


def test_every_module_at_the_top_is_named() -> None:
    modules = {path.name for path in PACKAGE.glob("*.py")} - SAME_IN_EVERY_SERVICE
    assert {name for name in modules if f"`{name}`" not in README} == set()

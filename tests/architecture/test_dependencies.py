"""Each distribution names what it imports: its container has nothing else."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECTS = sorted(
    path.parent for path in REPOSITORY.glob("*/*/pyproject.toml") if path.parts[-3] in {"libs", "services"}
)
DISTRIBUTIONS = packages_distributions()


def _project(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return found


def _declared(folder: Path) -> set[str]:
    """Name what a distribution asks for: for its own extras, too, and by way of the common library."""
    project, common = _project(folder), _project(REPOSITORY / "libs" / "common")
    extras: dict[str, list[str]] = project.get("optional-dependencies", {})
    asked = [*project["dependencies"], *(text for extra in extras.values() for text in extra)]
    for requirement in map(Requirement, tuple(asked)):
        if requirement.name == "sakimori-common":
            asked += common["dependencies"]
            asked += [text for extra in requirement.extras for text in common["optional-dependencies"][extra]]
    return {canonicalize_name(Requirement(text).name) for text in asked}


def _imported(project: Path) -> Iterator[tuple[str, str]]:
    """Name every top-level module that is imported, and where."""
    for path in sorted((project / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            yield from ((name.partition(".")[0], str(path.relative_to(REPOSITORY))) for name in names)


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_a_distribution_names_all_that_it_imports(project: Path) -> None:
    declared = _declared(project)
    own = {path.name for path in (project / "src").iterdir()}
    missing = {
        (name, where)
        for name, where in _imported(project)
        if name not in sys.stdlib_module_names and name not in own
        if not {canonicalize_name(found) for found in DISTRIBUTIONS.get(name, [name])} & declared
    }
    assert missing == set()

"""The rules' folder: its texts, and whether something in it changed."""

from pathlib import Path
from typing import Final, NamedTuple

from sakimori_detector.domain.intelligence.feeds import FEEDS_PATH
from sakimori_detector.sigma.documents import Problem

MAX_FILE_BYTES: Final = 1 << 20


class RuleFiles(NamedTuple):
    """Texts by path relative to the folder: rules, lists, what could not be read, and what is no rule."""

    rules: dict[str, str]
    lists: dict[str, str]
    problems: list[Problem]
    others: dict[str, str]

    @property
    def feeds(self) -> str:
        """The text of intelligence/feeds.yml."""
        return self.others.get(FEEDS_PATH, "")


Stamp = tuple[tuple[str, int, int], ...]
"""Path, time of change and size of every file: differs when something changed."""


def read_files(folder: Path) -> RuleFiles:
    """Read all *.yml and *.yaml files and lists/*.txt below a folder; files of over 1 MB and no UTF-8 are refused."""
    found = RuleFiles({}, {}, [], {})
    for path in _paths(folder):
        name = path.relative_to(folder).as_posix()
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ValueError(f"over {MAX_FILE_BYTES} bytes")
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            found.problems.append(Problem(name, 1, 1, f"not UTF-8: byte {error.start}"))
        except (OSError, ValueError) as error:
            found.problems.append(Problem(name, 1, 1, getattr(error, "strerror", None) or str(error)))
        else:
            kind = found.lists if path.suffix == ".txt" else found.others if name == FEEDS_PATH else found.rules
            kind[name] = text
    return found


def stamp(folder: Path) -> Stamp:
    """Look at times and sizes only; some 10 us a file."""
    stamps = []
    for path in _paths(folder):
        try:
            status = path.stat()
        except OSError:
            continue
        stamps.append((path.as_posix(), status.st_mtime_ns, status.st_size))
    return tuple(stamps)


def _paths(folder: Path) -> list[Path]:
    """List the files, but none in folders such as .git or .github."""
    files = [path for path in folder.rglob("*") if path.suffix in {".yml", ".yaml"} and path.is_file()]
    seen = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return sorted(seen) + sorted((folder / "lists").glob("*.txt"))

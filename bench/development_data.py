"""Where the development data is, and the option that names another place."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parent.parent


def data_folder() -> Path:
    """Name the development data, as far as nobody names another."""
    return Path(os.environ.get("SAKIMORI_DATA", REPOSITORY.parent / "shared" / "data"))


def data_options(documentation: str | None) -> argparse.ArgumentParser:
    """Begin the options of a program that reads the data; its module's documentation is their help."""
    parser = argparse.ArgumentParser(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_folder(), help="default: %(default)s")
    return parser


def is_there(data: Path, part: str) -> bool:
    """Tell whether the data has a part; says on standard error that it has not."""
    if (data / part).is_dir():
        return True
    print(f"{data}: no {part} here; name the development data with --data", file=sys.stderr)
    return False


def run_one(documentation: str | None, part: str, steps: Mapping[str, Callable[[Path], int]]) -> int:
    """Take the step that the first argument names; 2 when the part of the data that all of them read is not there."""
    parser = data_options(documentation)
    parser.add_argument("what", choices=tuple(steps))
    options = parser.parse_args()
    return steps[options.what](options.data) if is_there(options.data, part) else 2

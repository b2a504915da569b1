"""Other evaluators of Sigma rules for Python, each installed by uv into an environment that is thrown away."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.engine.events import SOURCE_OF
from bench.engine.rules import Rule
from sakimori_common.contracts import Event

PEERS: Final[dict[str, tuple[str, ...]]] = {
    "azuma": ("azuma==0.7.3", "packaging"),
    "detkit-cli": ("detkit-cli==0.1.6",),
    "sigma-rule-matcher": ("sigma-rule-matcher==0.1.0",),
}
"""What is on the package index and evaluates rules one event at a time; zircolite is not there."""

_SECONDS: Final = 3.0


class Speed(NamedTuple):
    """What a peer did."""

    name: str
    events_per_second: float
    rules: int
    met: int
    events: int


def measure(rules: Sequence[Rule], events: Sequence[Event]) -> list[Speed]:
    """Run each peer that can be installed, the fastest first."""
    sources = set(SOURCE_OF.values())
    work = {
        "rules": {source: [{**rule.document} for rule in rules if rule.source == source] for source in sorted(sources)},
        "events": [[SOURCE_OF[event.dataset], event.fields] for event in events],
        "seconds": _SECONDS,
    }
    text = json.dumps(work)
    speeds = [speed for name in PEERS if (speed := _run(name, text)) is not None]
    return sorted(speeds, key=lambda speed: -speed.events_per_second)


def _run(name: str, work: str) -> Speed | None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        print(f"{name}: no uv, not measured")
        return None
    options = [option for package in PEERS[name] for option in ("--with", package)]
    command = [
        uv,
        "run",
        "--quiet",
        "--no-project",
        "--isolated",
        *options,
        "python",
        str(Path(__file__).parent / "peer.py"),
    ]
    done = subprocess.run([*command, name], input=work, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}: not measured ({done.stderr.strip().splitlines()[-1:]})")
        return None
    told: dict[str, Any] = json.loads(done.stdout)
    return Speed(name, told["events"] / told["seconds"], told["rules"], told["met"], told["events"])

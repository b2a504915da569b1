"""What the model was made of, for people."""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.devices import fitting
from sakimori_packet_sensor.domain.devices.model import Model

_SIGNS = 6


def provenance(data: Path, seed: int) -> dict[str, Any]:
    """Say what training followed from."""
    counts = json.loads((data / "COUNTS.json").read_text("utf-8"))
    source = "IoT Sentinel's set-up captures (andypitcher/IoT_Sentinel, MIT; Miettinen et al., ICDCS 2017)"
    return {
        "data": f"{source}; background: devices in the captures of Suricata's, Zeek's and nDPI's suites and others",
        "commit": counts["commits"]["andypitcher/IoT_Sentinel"],
        "seed": seed,
        "penalty": fitting.PENALTY,
        "fewest": fitting.FEWEST,
        "python": platform.python_version(),
        "scikit-learn": version("scikit-learn"),
        "numpy": version("numpy"),
    }


def markdown(model: Model, made_of: dict[str, Any]) -> str:
    """Write the report that lies beside the model: what it is, and what it goes by."""
    lines = [
        "# devices.npz",
        "",
        f"Version {model.version}: {len(model.products)} classes, {len(model.signs)} signs, "
        f"temperature {model.temperature}.",
        "Written by `python -m bench.devices train`; how well it tells devices stands in docs/evaluation.md.",
        "",
        *(f"- {name}: {value}" for name, value in made_of.items() if value),
        "",
        "| product | type | family | signs of the largest weights |",
        "|---|---|---|---|",
    ]
    for place, product in enumerate(model.products):
        signs = ", ".join(f"`{sign}`" for sign in model.reasons(model.signs, place, _SIGNS))
        lines.append(f"| {product.name or '(other)'} | {product.type} | {product.family} | {signs} |")
    return "\n".join([*lines, ""])

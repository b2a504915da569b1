"""Write the generated references anew: `python docs/generate.py`; `--check` only tells whether they are out of date."""

import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType

from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from sakimori.allinone.fleet import FLEET
from sakimori_common.settings import ServiceSettings, variables

DOCS = Path(__file__).resolve().parent
SHARED = set(variables(ServiceSettings)) - {"SIDE_PORT"}


def configuration() -> str:
    """Describe every environment variable of every service, from the settings classes."""
    lines = [
        "# Configuration",
        "",
        "Generated from each service's settings.py by `make docs`; a test keeps it true.",
        "",
    ]
    lines += [
        "All settings are environment variables. A variable that begins with a service's prefix and is unknown stops"
    ]
    lines += ["that service at start. An empty one counts as not set.", ""]
    lines += _table("Every service", ServiceSettings, SHARED)
    for member in sorted(FLEET, key=lambda member: member.name):
        lines += _table(member.name, member.settings, set(variables(member.settings)) - SHARED)
    return "\n".join(lines)


def metrics() -> str:
    """List every metric of every service, from the metrics modules."""
    lines = ["# Metrics", "", "Generated from each service's metrics.py by `make docs`; a test keeps it true.", ""]
    for package in ("sakimori_common", *(member.settings.__module__.partition(".")[0] for member in FLEET)):
        lines += [
            f"## {package.removeprefix('sakimori_').replace('_', '-')}",
            "",
            "| metric | labels | meaning |",
            "|---|---|---|",
        ]
        for module in _metrics_modules(package):
            for name in sorted(vars(module)):
                kind = getattr(module, name)
                if isinstance(kind, type) and kind.__module__ == module.__name__ and _takes_registry_only(kind):
                    lines += _described(kind)
        lines.append("")
    return "\n".join(lines)


def _metrics_modules(package: str) -> list[ModuleType]:
    """Find `metrics` of a service and of what is laid out like one inside."""
    (root,) = importlib.import_module(package).__path__
    inner = sorted(path.parent.name for path in Path(root).glob("*/metrics.py"))
    return [
        importlib.import_module(".".join((package, *name, "metrics"))) for name in [(), *((each,) for each in inner)]
    ]


def _takes_registry_only(kind: type) -> bool:
    return list(inspect.signature(kind).parameters) == ["registry"]


def _described(kind: type) -> list[str]:
    registry = CollectorRegistry()
    collectors = vars(kind(registry)).values()
    rows = []
    for collector in collectors:
        if not hasattr(collector, "_labelnames"):
            continue
        family = next(iter(collector.describe()))
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in collector._labelnames)
        rows.append(f"| `{name}` | {labels} | {family.documentation} |")
    return rows


def _table(title: str, kind: type[ServiceSettings], chosen: set[str]) -> list[str]:
    rows = [f"## {title}", "", "| variable | default | meaning |", "|---|---|---|"]
    for variable, name in variables(kind).items():
        if variable in chosen:
            info = kind.model_fields[name]
            meaning = " ".join((info.description or "").split())
            rows.append(f"| `{variable}` | {_default(info.get_default(call_default_factory=True))} | {meaning} |")
    return [*rows, ""]


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "**required**"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple | list):
        value = ",".join(str(item) for item in value)
    if isinstance(value, bool):
        value = int(value)
    return f"`{value}`" if value or value in (0, False) else ""


GENERATED = {"reference/configuration.md": configuration, "reference/metrics.md": metrics}


def main() -> int:
    """Write what has changed, or with --check exit 1 when something has."""
    stale = [
        name for name, write in GENERATED.items() if not (DOCS / name).exists() or (DOCS / name).read_text() != write()
    ]
    if "--check" in sys.argv:
        sys.stderr.writelines(f"docs/{name} is out of date: make docs\n" for name in stale)
        return 1 if stale else 0
    for name in stale:
        (DOCS / name).write_text(GENERATED[name](), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

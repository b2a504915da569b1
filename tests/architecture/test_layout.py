"""The layout is the same everywhere, so that who knows one service knows six."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
SERVICES = ("api-gateway", "chat", "collector", "detector", "notifier", "packet-sensor")
TRACKED = subprocess.check_output(["git", "ls-files"], cwd=REPOSITORY, text=True).splitlines()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_the_files_that_every_service_has(service: str) -> None:
    package = REPOSITORY / "services" / service / "src" / f"sakimori_{service.replace('-', '_')}"
    expected = (
        "__init__.py",
        "__main__.py",
        "settings.py",
        "wiring.py",
        "ports.py",
        "metrics.py",
        "domain/__init__.py",
    )
    assert [name for name in expected if not (package / name).is_file()] == []
    assert (REPOSITORY / "services" / service / "README.md").is_file()


def test_nothing_is_called_by_a_name_that_says_nothing() -> None:
    empty = re.compile(r"(^|[/_])(utils?|helpers?|managers?|base|misc|common_utils)(\.py|/)")
    assert [path for path in TRACKED if empty.search(path)] == []


def test_no_file_names_a_package_registry() -> None:
    host = re.compile("pypi" + r"\.org|pythonhosted\.org|registry\.npm" + r"js")
    found = [
        path
        for path in TRACKED
        if (REPOSITORY / path).is_file()
        and host.search((REPOSITORY / path).read_text(encoding="utf-8", errors="ignore"))
    ]
    assert found == []


def test_every_variable_of_the_compose_file_stands_in_the_env_example() -> None:
    compose = (REPOSITORY / "docker-compose.yml").read_text()
    example = (REPOSITORY / ".env.example").read_text()
    used = set(re.findall(r"\$\{([A-Z_]+)", compose)) - {"COMPOSE_PROJECT_NAME"}
    offered = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))
    assert used == offered


def test_every_secret_of_the_compose_file_is_required() -> None:
    compose = (REPOSITORY / "docker-compose.yml").read_text()
    example = (REPOSITORY / ".env.example").read_text()
    for secret in re.findall(r"^([A-Z_]+)=<secret>$", example, re.MULTILINE):
        uses = re.findall(rf"\$\{{{secret}([^}}]*)\}}", compose)
        assert uses, secret
        assert set(uses) == {":?run make env"}, secret


def test_only_the_sensor_may_do_more_than_an_ordinary_process() -> None:
    services = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
    assert {name for name in services if services[name].get("cap_add")} == {"packet-sensor"}
    assert not [name for name in services if services[name].get("privileged")]

"""The alerts fire when they should, and not before, by Prometheus' own test runner."""

import shutil
from pathlib import Path

import pytest

from dashboards import DEPLOY
from servers.prometheus import Prometheus

HERE = Path(__file__).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the configuration: in a container nothing else is in sight."""
    for source in (
        DEPLOY / "prometheus" / "prometheus.yml",
        DEPLOY / "prometheus" / "alerts.yml",
        HERE / "alerts.test.yml",
    ):
        shutil.copy(source, tmp_path)
    return tmp_path


def test_prometheus_accepts_its_configuration(prometheus: Prometheus, folder: Path) -> None:
    assert "SUCCESS" in prometheus.promtool(folder, "check", "config", "prometheus.yml")


def test_alerts_fire_when_they_should_and_not_before(prometheus: Prometheus, folder: Path) -> None:
    assert "SUCCESS" in prometheus.promtool(folder, "test", "rules", "alerts.test.yml")

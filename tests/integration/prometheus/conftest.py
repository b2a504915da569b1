"""A real Prometheus for the dashboards' and the alerts' expressions."""

import pytest

from servers.prometheus import Prometheus, find_prometheus


@pytest.fixture(scope="session")
def prometheus() -> Prometheus:
    """The programs `prometheus` and `promtool`."""
    return find_prometheus()

"""A real Prometheus for the dashboards' and the alerts' expressions."""

import pytest

from servers.prometheus import NoPrometheus, Prometheus, find_prometheus


@pytest.fixture(scope="session")
def prometheus() -> Prometheus:
    """The programs `prometheus` and `promtool`."""
    try:
        return find_prometheus()
    except NoPrometheus as error:
        pytest.fail(str(error), pytrace=False)

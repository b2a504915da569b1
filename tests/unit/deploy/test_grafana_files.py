"""What Grafana and Prometheus are provisioned with holds together."""

from collections import Counter
from itertools import combinations, pairwise
from typing import Any

import pytest
import yaml

from dashboards import DEPLOY, POSTGRES, PROMETHEUS, dashboards, queries

PROVISIONING = DEPLOY / "grafana" / "provisioning"
PANELS = [panel for dashboard in dashboards().values() for panel in dashboard["panels"]]


def _datasources() -> dict[str, dict[str, Any]]:
    content = yaml.safe_load((PROVISIONING / "datasources" / "sakimori.yml").read_text())
    return {each["uid"]: each for each in content["datasources"]}


def test_the_overview_has_the_uid_that_links_rely_on() -> None:
    assert dashboards()["sakimori-overview"]["title"] == "Overview"


def test_every_panel_uses_a_provisioned_data_source_and_says_what_it_shows() -> None:
    provisioned = {uid: each["type"] for uid, each in _datasources().items()}
    assert set(provisioned) == {POSTGRES, PROMETHEUS}
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"]
        assert panel["targets"]
        for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
            assert provisioned[source["uid"]] == source["type"], panel["title"]


def test_ids_and_titles_of_panels_are_unique() -> None:
    for dashboard in dashboards().values():
        for key in ("id", "title"):
            assert max(Counter(panel[key] for panel in dashboard["panels"]).values()) == 1


def test_panels_fill_the_width_of_24_and_do_not_overlap() -> None:
    for dashboard in dashboards().values():
        cells = {panel["title"]: _cells(panel["gridPos"]) for panel in dashboard["panels"]}
        for one, other in combinations(cells, 2):
            assert not cells[one] & cells[other], (one, other)
        assert {x for x, _ in set.union(*cells.values())} == set(range(24))


def _cells(position: dict[str, int]) -> set[tuple[int, int]]:
    columns = range(position["x"], position["x"] + position["w"])
    return {(x, y) for x in columns for y in range(position["y"], position["y"] + position["h"])}


@pytest.mark.parametrize("query", queries(POSTGRES).values(), ids=lambda query: query.panel)
def test_sql_reads_public_views_only(query: Any) -> None:
    words = query.text.split()
    sources = [after for word, after in pairwise(words) if word in {"FROM", "JOIN"}]
    own = ("public.", "now()", "(")  # what stands in parentheses has a FROM of its own
    assert [source for source in sources if not source.startswith(own)] == []


def test_passwords_come_from_the_environment() -> None:
    secrets = [each.get("secureJsonData", {}) for each in _datasources().values()]
    assert [value for secret in secrets for value in secret.values()] == ["$GRAFANA_DATABASE_PASSWORD"]


def test_dashboards_are_read_from_where_compose_puts_them() -> None:
    provider = yaml.safe_load((PROVISIONING / "dashboards" / "sakimori.yml").read_text())["providers"][0]
    volumes = _compose()["grafana"]["volumes"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in volumes


def test_prometheus_finds_every_replica_of_every_service_on_its_side_port() -> None:
    jobs = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    found = {}
    for job in jobs:
        for lookup in job.get("dns_sd_configs", []):
            assert lookup["type"] == "A"
            found[job["job_name"]] = (*lookup["names"], lookup["port"])
    assert found == {
        "chat": ("chat", 9201),
        "collector": ("collector", 9202),
        "packet-sensor": ("packet-sensor", 9203),
        "detector": ("detector", 9204),
        "notifier": ("notifier", 9205),
        "api-gateway": ("api-gateway", 9206),
        "rabbitmq": ("rabbitmq", 15692),
        "rabbitmq-queues": ("rabbitmq", 15692),
    }
    assert {name for name, _ in found.values()} <= set(_compose())


def _compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]
    return services

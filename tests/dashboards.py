"""The queries of the dashboards in deploy/grafana, as Grafana sends them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
DASHBOARDS = DEPLOY / "grafana" / "dashboards"
POSTGRES = "sakimori-postgres"
PROMETHEUS = "sakimori-prometheus"

_TIME_FILTER = re.compile(r"\$__timeFilter\(([a-z_.]+)\)")


@dataclass(frozen=True, slots=True)
class Query:
    """One query of one panel; `datasource` is the uid under which Grafana provisions it."""

    dashboard: str
    panel: str
    datasource: str
    text: str

    def over(self, start: datetime, end: datetime) -> str:
        """Write the query for a time range as Grafana does: `$__timeFilter(column)` becomes a BETWEEN."""
        text = _TIME_FILTER.sub(rf"\1 BETWEEN '{start.isoformat()}' AND '{end.isoformat()}'", self.text)
        text = text.replace("$__timeFrom()", f"'{start.isoformat()}'").replace("$__timeTo()", f"'{end.isoformat()}'")
        if "$" in text:
            raise ValueError(
                f"{self.panel}: only $__timeFilter(column), $__timeFrom() and $__timeTo() stand for something"
            )
        return text


def dashboards() -> dict[str, dict[str, Any]]:
    """Read every dashboard, by its uid."""
    read = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(DASHBOARDS.glob("*.json")))
    return {dashboard["uid"]: dashboard for dashboard in read}


def queries(datasource: str) -> dict[str, Query]:
    """Find the queries that go to a datasource, by panel title."""
    found = [query for query in _queries() if query.datasource == datasource]
    return {query.panel: query for query in found}


def _queries() -> Iterator[Query]:
    for uid, dashboard in dashboards().items():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                text = target["rawSql"] if "rawSql" in target else target["expr"]
                yield Query(uid, panel["title"], target["datasource"]["uid"], text)

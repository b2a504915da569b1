"""What every SQL panel of the dashboards shows of the seeded rows; one suite for PostgreSQL and TimescaleDB."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dashboards import POSTGRES, queries
from store_suite.bots import PANELS as CHAT_PANELS
from store_suite.seed import END, START, seed


def _at(day: int, hour: int, minute: int) -> datetime:
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)


EXPECTED: dict[str, list[tuple[Any, ...]]] = {
    "Open findings": [(1, 2, 1, 1, 1)],
    "Events per minute": [(73.0,)],
    "Notifications": [(3, 1, 1, 1)],
    "Findings by severity": [
        (_at(16, 2, 0), "critical", 1),
        (_at(16, 2, 0), "high", 2),
        (_at(16, 2, 5), "info", 1),
        (_at(16, 2, 5), "low", 1),
        (_at(16, 2, 5), "medium", 1),
    ],
    "Events per second by dataset": [
        (_at(16, 2, 0), "nginx.access", 2.0),
        (_at(16, 2, 1), "network.flow", 0.5),
        (_at(16, 2, 1), "nginx.access", 1.0),
        (_at(16, 2, 1), "openssh.auth", 0.1),
        (_at(16, 2, 2), "network.flow", 0.05),
    ],
    "Devices": [(3, 2, 1)],
    "Sessions": [(33, 2, 1)],
    "Sessions by protocol": [(_at(16, 2, 1), "unknown", 30), (_at(16, 2, 2), "tcp", 1), (_at(16, 2, 2), "tls", 2)],
    "Top talkers": [("192.0.2.7", 200, 1900), ("198.51.100.20", 1800, 200), ("192.0.2.8", 100, 0)],
    "Devices by type": [("camera", 2), ("printer", 1)],
    "Newest devices": [
        (_at(16, 2, 1), "00-00-5E-00-53-01", "192.0.2.7", "here", "Example", "camera", 0.5),
        (_at(15, 2, 0), "00-00-5E-00-53-02", "192.0.2.7", "here", "Example", "camera", 0.5),
        (_at(14, 2, 0), "00-00-5E-00-53-03", "192.0.2.7", "here", "Example", "printer", 0.5),
    ],
    "Log sources": [
        ("web-2", _at(15, 2, 0), 7, _at(16, 2, 0)),
        ("web-1", _at(16, 2, 1), 20, None),
        ("http", _at(16, 2, 0), 1000, None),
    ],
    "Events by severity": [
        (_at(16, 2, 0), "info", 120),
        (_at(16, 2, 1), "info", 90),
        (_at(16, 2, 1), "medium", 6),
        (_at(16, 2, 2), "info", 3),
    ],
    "Busiest hosts": [("web-1", 66, 6)],
    "Top sources": [("203.0.113.42", 126, 126), ("198.51.100.7", 60, 0), ("192.0.2.7", 2, 0), ("192.0.2.8", 1, 0)],
}
OVERDUE = "Open findings past their response time"


class DashboardSuite:
    """Needs the fixture `store`: a connection to a migrated database with nothing in it."""

    def test_every_sql_panel_has_its_expected_rows_here(self) -> None:
        assert {*queries(POSTGRES)} == {*EXPECTED, OVERDUE, *CHAT_PANELS}

    @pytest.mark.parametrize("panel", EXPECTED)
    async def test_a_panel_shows_the_seeded_numbers(self, store: Any, panel: str) -> None:
        await seed(store)
        rows = await _as_grafana(store, queries(POSTGRES)[panel].over(START, END))
        assert [tuple(row) for row in rows] == EXPECTED[panel]

    async def test_the_overdue_panel_lists_what_nobody_answered_in_time(self, store: Any) -> None:
        await seed(store)
        rows = await _as_grafana(store, queries(POSTGRES)[OVERDUE].over(START, END))
        assert [(row["severity"], row["due_at"]) for row in rows[:3]] == [
            ("high", _at(16, 3, 1)),
            ("high", _at(16, 3, 3)),
            ("low", _at(17, 2, 7)),
        ]
        assert [row["severity"] for row in rows[3:]] == ["critical"]
        assert all(row["overdue_seconds"] >= 0 for row in rows)

    @pytest.mark.parametrize("panel", [*EXPECTED, OVERDUE])
    async def test_a_panel_of_an_empty_store_shows_zeros_or_nothing(self, store: Any, panel: str) -> None:
        rows = await _as_grafana(store, queries(POSTGRES)[panel].over(START, END))
        assert all(value == 0 for row in rows for value in row)


async def _as_grafana(store: Any, query: str) -> list[Any]:
    """Run a query with Grafana's rights."""
    await store.execute("SET ROLE sakimori_reader")
    try:
        rows: list[Any] = await store.fetch(query)
        return rows
    finally:
        await store.execute("RESET ROLE")

"""The search over stored events, through the view public.events."""

import asyncio
from collections.abc import Iterator
from typing import Any, Final

import asyncpg
import msgspec

from sakimori_api_gateway.adapters.postgres import connection, instant
from sakimori_api_gateway.domain.events import EventQuery, EventRows, words_in
from sakimori_common.context import Postgres
from sakimori_common.instants import MICROSECONDS, to_datetime, to_microseconds

BUDGET_SECONDS: Final = 2.0
"""How long one page is searched for."""
_FIRST_WINDOW: Final = 60 * MICROSECONDS
_GROWTH: Final = 8
_QUICK_SECONDS: Final = 0.1
"""A window that took less is followed by a larger one."""
_SELECT: Final = (
    "SELECT time, id::text AS id, dataset, fields, severity FROM public.events WHERE {condition}"
    " ORDER BY time DESC, events.id DESC LIMIT {limit}"
)


class PostgresEventSearch:
    """Searches backwards in windows of time, from a minute to weeks.

    So a search that finds enough reads the latest days only, each step is planned for the partitions that it needs,
    and when time is up it is known how far the search came.
    """

    def __init__(self, postgres: Postgres, budget_seconds: float = BUDGET_SECONDS) -> None:
        self._postgres = postgres
        self._budget_seconds = budget_seconds

    async def page(self, query: EventQuery) -> EventRows:
        """List up to `query.limit` events, the latest first."""
        async with connection(self._postgres) as borrowed:
            return await _Search(borrowed, query, self._budget_seconds).run()


class _Search:
    def __init__(self, borrowed: Any, query: EventQuery, budget_seconds: float) -> None:
        self._borrowed = borrowed
        self._query = query
        self._now = asyncio.get_running_loop().time
        self._deadline = self._now() + budget_seconds
        self._rows: list[Any] = []

    async def run(self) -> EventRows:
        query, window = self._query, _FIRST_WINDOW
        upper = query.until if query.after is None else min(query.until, query.after[0] + 1)
        while upper > query.since and len(self._rows) < query.limit:
            started = self._now()
            if started >= self._deadline:
                return self._found(upper, is_complete=False)
            lower = max(query.since, upper - window)
            try:
                self._rows += await self._step(lower, upper, self._deadline - started)
            except asyncpg.QueryCanceledError:
                return self._found(upper, is_complete=False)
            upper = lower
            if self._now() - started < _QUICK_SECONDS:
                window *= _GROWTH
        return self._found(upper, is_complete=True)

    async def _step(self, lower: int, upper: int, seconds: float) -> list[Any]:
        condition, values = _where(self._query, lower, upper)
        sql = _SELECT.format(condition=condition, limit=int(self._query.limit) - len(self._rows))
        async with self._borrowed.transaction(readonly=True):
            # A plan for these values: one for any would open all days and know nothing of how rare a value is.
            await self._borrowed.execute(
                "SELECT set_config('statement_timeout', $1, true), set_config('plan_cache_mode', $2, true)",
                f"{max(int(seconds * 1000), 1)}ms",
                "force_custom_plan",
            )
            rows: list[Any] = await self._borrowed.fetch(sql, *values)
            return rows

    def _found(self, upper: int, *, is_complete: bool) -> EventRows:
        return EventRows(
            events=[_event(row) for row in self._rows],
            places=[(to_microseconds(row["time"]), row["id"]) for row in self._rows],
            searched_until=upper,
            is_complete=is_complete,
        )


def _where(query: EventQuery, lower: int, upper: int) -> tuple[str, list[Any]]:
    conditions, values = list[str](), list[Any]()
    for template, parameters in _filters(query, lower, upper):
        first = len(values) + 1
        conditions.append(template.format(*(f"${first + place}" for place in range(len(parameters)))))
        values.extend(parameters)
    return " AND ".join(conditions), values


def _filters(query: EventQuery, lower: int, upper: int) -> Iterator[tuple[str, list[Any]]]:
    yield "time >= {}", [to_datetime(lower)]
    yield "time < {}", [to_datetime(upper)]
    if query.after is not None:
        yield "(time, id) < ({}, {}::text::uuid)", [to_datetime(query.after[0]), query.after[1]]
    if query.source_ip is not None:
        yield "source_ip = {}::text::inet", [query.source_ip]
    for column in ("dataset", "user_name", "action", "outcome", "severity", "host"):
        if (wanted := getattr(query, column)) is not None:
            yield column + " = {}", [wanted]
    if query.text is not None:
        # The first is for the index; the others are quick where there is none yet, and tell wp-login from login wp.
        yield "words @@ plainto_tsquery('simple', {})", [words_in(query.text)]
        for part in query.text.split():
            yield "text ILIKE {}", [f"%{_escaped(part)}%"]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _event(row: Any) -> dict[str, Any]:
    return {
        "@timestamp": instant(row["time"]),
        "event.id": row["id"],
        "event.dataset": row["dataset"],
        **msgspec.json.decode(row["fields"]),
        "sakimori.severity": row["severity"],
    }

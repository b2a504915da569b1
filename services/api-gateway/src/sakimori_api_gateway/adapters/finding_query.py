"""From a query for findings to SQL: text from constants, values as parameters."""

from collections.abc import Iterator
from typing import Any

from sakimori_api_gateway.domain.cursor import Cursor, Sort
from sakimori_api_gateway.domain.records import FindingQuery
from sakimori_common.instants import to_datetime

FROM = "FROM public.triaged_findings"
_RANK = "CASE severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 WHEN 'low' THEN 1 ELSE 0 END"
ORDER = {
    Sort.SEVERITY: f"{_RANK} DESC, created_at, id",
    Sort.NEWEST: "created_at DESC, id DESC",
}
_SEARCHED = "concat_ws(chr(10), title, message, entity, rule_id)"


def where(query: FindingQuery, *, with_cursor: bool) -> tuple[str, list[Any]]:
    """Write the condition of a query and its parameters in order."""
    conditions, values = ["true"], list[Any]()
    for template, parameters in _filters(query, with_cursor=with_cursor):
        first = len(values) + 1
        conditions.append(template.format(*(f"${first + place}" for place in range(len(parameters)))))
        values.extend(parameters)
    return " AND ".join(conditions), values


def _filters(query: FindingQuery, *, with_cursor: bool) -> Iterator[tuple[str, list[Any]]]:
    if query.severity:
        yield "severity = ANY({})", [[severity.value for severity in query.severity]]
    if query.status:
        yield "status = ANY({})", [[status.value for status in query.status]]
    for column in ("rule_id", "entity_type", "entity", "dataset"):
        if (wanted := getattr(query, column)) is not None:
            yield column + " = {}", [wanted]
    if query.since is not None:
        yield "created_at >= {}", [to_datetime(query.since)]
    if query.until is not None:
        yield "created_at < {}", [to_datetime(query.until)]
    if query.text:
        yield f"strpos(lower({_SEARCHED}), lower({{}})) > 0", [query.text]
    if query.is_overdue is not None:
        overdue = "coalesce(status = 'open' AND due_at <= now(), false)"
        yield overdue if query.is_overdue else f"NOT {overdue}", []
    if with_cursor and query.after is not None:
        yield _beyond(query.after)


def _beyond(cursor: Cursor) -> tuple[str, list[Any]]:
    created_at = to_datetime(cursor.created_at)
    if cursor.sort is Sort.NEWEST:
        return "(created_at, id) < ({}, {})", [created_at, cursor.id]
    return f"(-({_RANK}), created_at, id) > ({{}}, {{}}, {{}})", [-cursor.rank, created_at, cursor.id]

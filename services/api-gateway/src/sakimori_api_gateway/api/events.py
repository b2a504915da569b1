"""Stored events: the search over all that came in."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from sakimori_api_gateway.api.answers import answer_for, documented, may_see_addresses
from sakimori_api_gateway.api.authentication import TheGateway, Viewer
from sakimori_api_gateway.domain.addresses import parse_address
from sakimori_api_gateway.domain.cursor import read_place, write_place
from sakimori_api_gateway.domain.events import EventPage, EventQuery, EventRows, words_in
from sakimori_common.instants import LATEST, MICROSECONDS, format_instant, to_microseconds
from sakimori_common.web import Problem

router = APIRouter(tags=["events"])

Text = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00]+$")]
_DAY = 24 * 3600 * MICROSECONDS
_LEAST_ID = "00000000-0000-0000-0000-000000000000"


class EventFilters(BaseModel):
    """What a list of events is narrowed to and where it begins."""

    model_config = ConfigDict(extra="forbid")
    since: Annotated[
        AwareDatetime | None, Field(description="Happened at or after, RFC 3339; a day before `until` by default.")
    ] = None
    until: Annotated[AwareDatetime | None, Field(description="Happened before, RFC 3339; now by default.")] = None
    dataset: Annotated[Text | None, Field(description="`event.dataset`, such as nginx.access.")] = None
    source_ip: Annotated[Text | None, Field(description="`source.ip`. Needs the role analyst.")] = None
    user: Annotated[Text | None, Field(description="`user.name`.")] = None
    action: Annotated[Text | None, Field(description="`event.action`.")] = None
    outcome: Literal["success", "failure", "unknown"] | None = None
    severity: Literal["info", "low", "medium", "high", "critical"] | None = None
    host: Annotated[
        Text | None, Field(description="Who wrote it: `host.hostname`, `host.name` or `observer.name`.")
    ] = None
    text: Annotated[
        Text | None,
        Field(description="Whole words of message, URL or command line, in any case. Needs the role analyst."),
    ] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[Text | None, Field(description="The `next_cursor` of the last page.")] = None


@router.get("/api/v1/events", responses=documented(EventPage, 401, 403))
async def list_events(filters: Annotated[EventFilters, Query()], gateway: TheGateway, asking: Viewer) -> Response:
    """List events, the latest first.

    A page is searched for two seconds at most: with `is_complete` false ask for the next, as long as there is a cursor.
    To a viewer each address is shown as a pseudonym.
    """
    if (filters.source_ip is not None or filters.text is not None) and not may_see_addresses(asking.role):
        raise Problem(403, "role_insufficient", "Searching for an address or a text needs the role analyst.")
    query = _query(filters, gateway.clock())
    found = await gateway.events.page(query)
    return await answer_for(asking.role, gateway.mask, _page(found, filters.limit, query.since))


def _query(filters: EventFilters, now: int) -> EventQuery:
    until = now if filters.until is None else _microseconds(filters.until)
    since = max(until - _DAY, 0) if filters.since is None else _microseconds(filters.since)
    if since > until:
        raise _refused("since", "must lie before `until`")
    if filters.text is not None and not words_in(filters.text):
        raise _refused("text", "has no word in it")
    return EventQuery(
        since=since,
        until=until,
        dataset=filters.dataset,
        source_ip=_address(filters.source_ip),
        user_name=filters.user,
        action=filters.action,
        outcome=filters.outcome,
        severity=filters.severity,
        host=filters.host,
        text=filters.text,
        after=None if filters.cursor is None else read_place(filters.cursor),
        limit=filters.limit + 1,
    )


def _page(found: EventRows, limit: int, since: int) -> EventPage:
    """Cut to the limit; the cursor is behind the last event shown, or behind what was searched in vain."""
    shown, cursor, until = found.events[:limit], None, found.searched_until
    if len(found.events) > limit:
        until = found.places[limit - 1][0]
        cursor = write_place(*found.places[limit - 1])
    elif until > since:
        cursor = write_place(until, _LEAST_ID)
    return EventPage(
        events=shown,
        searched_until=format_instant(until),
        is_complete=found.is_complete or len(found.events) > limit,
        next_cursor=cursor,
    )


def _microseconds(moment: AwareDatetime) -> int:
    return min(max(to_microseconds(moment), 0), LATEST)


def _address(text: str | None) -> str | None:
    if text is None:
        return None
    address = parse_address(text)
    if address is None:
        raise _refused("source_ip", "not an address")
    return str(address)


def _refused(field: str, why: str) -> Problem:
    return Problem(422, "invalid_request", f"query.{field}: {why}", errors=[{"field": f"query.{field}"}])

"""Sessions: the flows of the network, one by one and in sum."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from sakimori_api_gateway.api.answers import answer_for, documented, may_see_addresses
from sakimori_api_gateway.api.authentication import TheGateway, Viewer
from sakimori_api_gateway.domain.addresses import parse_address
from sakimori_api_gateway.domain.cursor import read_place, write_place
from sakimori_api_gateway.domain.network import SessionPage, SessionQuery, SessionStats
from sakimori_common.instants import LATEST, MICROSECONDS, parse_instant, to_microseconds
from sakimori_common.web import Problem

router = APIRouter(tags=["sessions"])

Text = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00]+$")]
SPAN = 24 * 3600 * MICROSECONDS
MAX_SPAN = 31 * SPAN

Since = Annotated[
    AwareDatetime | None, Field(description="Began at or after, RFC 3339; a day before `until` by default.")
]
Until = Annotated[AwareDatetime | None, Field(description="Began before, RFC 3339; now by default.")]


class Span(BaseModel):
    """When the sessions began; at most 31 days."""

    model_config = ConfigDict(extra="forbid")
    since: Since = None
    until: Until = None


class Filters(Span):
    """What a list of sessions is narrowed to and where it begins."""

    ip: Annotated[Text | None, Field(description="Either end. Needs the role analyst.")] = None
    mac: Annotated[str | None, Field(pattern=r"^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$", description="Either end.")] = (
        None
    )
    port: Annotated[int | None, Field(ge=0, le=65_535, description="Either end.")] = None
    transport: Annotated[Text | None, Field(description="tcp, udp, icmp, ...")] = None
    protocol: Annotated[Text | None, Field(description="tls, dns, mqtt, ...: as its content tells, on any port.")] = (
        None
    )
    state: Literal["attempted", "rejected", "established", "closed", "reset", "active"] | None = None
    encrypted: bool | None = None
    suspicious: Annotated[bool | None, Field(description="A finding speaks of it, or of its source at that time.")] = (
        None
    )
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[Text | None, Field(description="The `next_cursor` of the last page.")] = None


@router.get("/api/v1/sessions", responses=documented(SessionPage, 401, 403))
async def list_sessions(filters: Annotated[Filters, Query()], gateway: TheGateway, asking: Viewer) -> Response:
    """List sessions, the latest first. A flow is one session, both its directions together.

    To a viewer each address is shown as a pseudonym.
    """
    if filters.ip is not None and not may_see_addresses(asking.role):
        raise Problem(403, "role_insufficient", "Searching for an address needs the role analyst.")
    since, until = _span(filters, gateway.clock())
    query = SessionQuery(
        since=since,
        until=until,
        ip=_address(filters.ip),
        mac=None if filters.mac is None else filters.mac.upper().replace(":", "-"),
        port=filters.port,
        transport=filters.transport,
        protocol=filters.protocol,
        state=filters.state,
        is_encrypted=filters.encrypted,
        is_suspicious=filters.suspicious,
        after=None if filters.cursor is None else read_place(filters.cursor),
        limit=filters.limit + 1,
    )
    rows = await gateway.traffic.page(query)
    shown = rows[: filters.limit]
    last = write_place(parse_instant(shown[-1].started_at), shown[-1].id) if len(rows) > filters.limit else None
    return await answer_for(asking.role, gateway.mask, SessionPage(sessions=shown, next_cursor=last))


@router.get("/api/v1/sessions/stats/summary", responses=documented(SessionStats, 401, 403))
async def session_stats(span: Annotated[Span, Query()], gateway: TheGateway, asking: Viewer) -> Response:
    """Add sessions up: by protocol, encrypted, suspicious, traffic, and who sent and received most."""
    since, until = _span(span, gateway.clock())
    return await answer_for(asking.role, gateway.mask, await gateway.traffic.stats(since, until))


def _span(span: Span, now: int) -> tuple[int, int]:
    until = now if span.until is None else _microseconds(span.until)
    since = until - SPAN if span.since is None else _microseconds(span.since)
    if not 0 <= until - since <= MAX_SPAN:
        detail = "query.since: must lie before `until`, by 31 days at most"
        raise Problem(422, "invalid_request", detail, errors=[{"field": "query.since"}])
    return since, until


def _microseconds(moment: datetime) -> int:
    return min(max(to_microseconds(moment), 0), LATEST)


def _address(text: str | None) -> str | None:
    if text is None:
        return None
    address = parse_address(text)
    if address is None:
        raise Problem(422, "invalid_request", "query.ip: not an address", errors=[{"field": "query.ip"}])
    return str(address)

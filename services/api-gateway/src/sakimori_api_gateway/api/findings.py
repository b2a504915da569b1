"""Findings and their triage."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from sakimori_api_gateway.api.answers import answer, answer_for, documented, may_see_addresses
from sakimori_api_gateway.api.authentication import Analyst, TheGateway, Viewer, entry_of
from sakimori_api_gateway.api.gateway import Gateway
from sakimori_api_gateway.api.sessions import Operator
from sakimori_api_gateway.domain.addresses import parse_address
from sakimori_api_gateway.domain.cursor import Cursor, Sort, read_cursor, write_cursor
from sakimori_api_gateway.domain.records import FindingDetail, FindingPage, FindingQuery, FindingStats, TriagedFinding
from sakimori_api_gateway.ports import NotFound
from sakimori_common.contracts import FindingStatus, Severity
from sakimori_common.instants import LATEST, parse_instant, to_microseconds
from sakimori_common.web import Problem

router = APIRouter(tags=["findings"])

Text = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00]+$")]
FindingId = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]


class Filters(BaseModel):
    """What a list of findings is narrowed to, how it is ordered and where it begins."""

    model_config = ConfigDict(extra="forbid")
    severity: Annotated[list[Severity], Field(description="Any of these; repeat the parameter.")] = []
    status: Annotated[list[FindingStatus], Field(description="Any of these; repeat the parameter.")] = []
    rule_id: Text | None = None
    entity_type: Text | None = None
    entity: Annotated[Text | None, Field(description="Exact value. An address needs the role analyst.")] = None
    dataset: Text | None = None
    since: Annotated[AwareDatetime | None, Field(description="Created at or after, RFC 3339.")] = None
    until: Annotated[AwareDatetime | None, Field(description="Created before, RFC 3339.")] = None
    q: Annotated[Text | None, Field(description="In title, message, entity or rule id. Needs the role analyst.")] = None
    overdue: Annotated[bool | None, Field(description="Open past the response time of the severity, or not.")] = None
    sort: Annotated[Sort, Field(description="Severity, then age; or the newest first.")] = Sort.SEVERITY
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[Text | None, Field(description="The `next_cursor` of the last page, with the same sort.")] = None
    total: Annotated[bool, Field(description="Whether to count all that match, too.")] = False


class Note(BaseModel):
    """Why, for whoever reads it later."""

    model_config = ConfigDict(extra="forbid")
    note: Annotated[str | None, Field(max_length=4000, pattern=r"^[^\x00]*$")] = None


@router.get("/api/v1/findings", responses=documented(FindingPage, 401, 403))
async def list_findings(filters: Annotated[Filters, Query()], gateway: TheGateway, asking: Viewer) -> Response:
    """List findings, the most severe and then the oldest first.

    Pages follow one another by `next_cursor`: every finding that is there all the while is listed exactly once,
    whatever arrives in between. To a viewer each address is shown as a pseudonym.
    """
    _refuse_probing(filters, asking)
    query = _query(filters)
    rows = await gateway.findings.page(query)
    shown = rows[: filters.limit]
    page = FindingPage(
        findings=shown,
        next_cursor=_cursor_after(shown[-1], filters.sort) if len(rows) > filters.limit else None,
        total=await gateway.findings.total(query) if filters.total else None,
    )
    return await answer_for(asking.role, gateway.mask, page)


@router.get("/api/v1/findings/stats", responses=documented(FindingStats, 401, 403))
async def finding_stats(gateway: TheGateway, _: Viewer) -> Response:
    """Count findings by severity and by status, those overdue, and the false positives of each rule."""
    return answer(await gateway.findings.stats())


@router.get("/api/v1/findings/{finding_id}", responses=documented(FindingDetail, 401, 403, 404))
async def read_finding(finding_id: FindingId, gateway: TheGateway, asking: Viewer) -> Response:
    """Show one finding with its notices, the decisions that followed and who changed its status when."""
    finding = await gateway.findings.find(finding_id)
    if finding is None:
        raise NotFound(f"there is no finding {finding_id}")
    detail = FindingDetail(
        finding=finding,
        deliveries=await gateway.findings.deliveries(finding_id),
        decisions=await gateway.decisions.following(finding_id),
        history=await gateway.audit.history(_target(finding_id)),
    )
    return await answer_for(asking.role, gateway.mask, detail)


_TRIAGE = documented(TriagedFinding, 401, 403, 404, 409)
OptionalNote = Annotated[Note | None, Body()]


@router.put("/api/v1/findings/{finding_id}/acknowledge", responses=_TRIAGE)
async def acknowledge(
    finding_id: FindingId, gateway: TheGateway, asking: Analyst, note: OptionalNote = None
) -> Response:
    """Acknowledge: somebody has seen it. Ends reminders."""
    return await _triage(gateway, asking, finding_id, FindingStatus.ACKNOWLEDGED, note)


@router.put("/api/v1/findings/{finding_id}/investigate", responses=_TRIAGE)
async def investigate(
    finding_id: FindingId, gateway: TheGateway, asking: Analyst, note: OptionalNote = None
) -> Response:
    """Investigate: somebody is looking into it."""
    return await _triage(gateway, asking, finding_id, FindingStatus.INVESTIGATING, note)


@router.put("/api/v1/findings/{finding_id}/mitigate", responses=_TRIAGE)
async def mitigate(finding_id: FindingId, gateway: TheGateway, asking: Analyst, note: OptionalNote = None) -> Response:
    """Mitigate: the damage is contained."""
    return await _triage(gateway, asking, finding_id, FindingStatus.MITIGATED, note)


@router.put("/api/v1/findings/{finding_id}/resolve", responses=_TRIAGE)
async def resolve(finding_id: FindingId, gateway: TheGateway, asking: Analyst, note: OptionalNote = None) -> Response:
    """Resolve: nothing is left to do. Not possible twice."""
    return await _triage(gateway, asking, finding_id, FindingStatus.RESOLVED, note)


@router.put("/api/v1/findings/{finding_id}/false-positive", responses=_TRIAGE)
async def false_positive(
    finding_id: FindingId, gateway: TheGateway, asking: Analyst, note: OptionalNote = None
) -> Response:
    """Mark as a false positive, from any other status, for good; counted against the rule."""
    return await _triage(gateway, asking, finding_id, FindingStatus.FALSE_POSITIVE, note)


async def _triage(
    gateway: Gateway, asking: Operator, finding_id: str, status: FindingStatus, note: Note | None
) -> Response:
    entry = entry_of(gateway, asking, f"finding_{status.value}", _target(finding_id))
    text = note.note if note is not None else None
    changed = await gateway.findings.change_status(finding_id, status, text, entry)
    gateway.metrics.triage_total.labels(status.value).inc()
    gateway.hub.send(changed)
    return answer(changed)


def _target(finding_id: str) -> str:
    return f"finding:{finding_id}"


def _refuse_probing(filters: Filters, asking: Operator) -> None:
    """Refuse what would tell a viewer an address after all: trying one, or spelling it out by searches."""
    if may_see_addresses(asking.role):
        return
    if filters.q is not None or (filters.entity is not None and parse_address(filters.entity) is not None):
        raise Problem(403, "role_insufficient", "Searching for an address or in texts needs the role analyst.")


def _query(filters: Filters) -> FindingQuery:
    return FindingQuery(
        severity=tuple(filters.severity),
        status=tuple(filters.status),
        rule_id=filters.rule_id,
        entity_type=filters.entity_type,
        entity=filters.entity,
        dataset=filters.dataset,
        since=_microseconds(filters.since),
        until=_microseconds(filters.until),
        text=filters.q,
        is_overdue=filters.overdue,
        sort=filters.sort,
        after=None if filters.cursor is None else read_cursor(filters.cursor, filters.sort),
        limit=filters.limit + 1,
    )


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else min(max(to_microseconds(moment), 0), LATEST)


def _cursor_after(finding: TriagedFinding, sort: Sort) -> str:
    created_at = parse_instant(finding.created_at)
    return write_cursor(Cursor(sort, finding.severity.rank, created_at, finding.id))

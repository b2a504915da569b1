"""Lines that the collector could not make events of: looked at, replayed, deleted."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from sakimori_api_gateway.api.answers import problems
from sakimori_api_gateway.api.authentication import Admin, Analyst, TheGateway, entry_of
from sakimori_api_gateway.api.proxy import to_the_collector

router = APIRouter(tags=["quarantine"])

_BASE = b"/quarantine"
_TARGET = "quarantine"
_RAW: dict[int | str, dict[str, Any]] = {
    200: {"description": "Done.", "content": {"application/octet-stream": {"schema": {"type": "string"}}}}
}

LineId = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Text = Annotated[str | None, Field(max_length=1024, pattern=r"^[^\x00]*$")]


class LineQuery(BaseModel):
    """Which lines; several conditions must all hold."""

    model_config = ConfigDict(extra="forbid")
    source: Annotated[
        Text, Field(description="What the lines are counted under: a path or glob, an input, a name.")
    ] = None
    reason: Annotated[Text, Field(description="Exactly as the list has it.")] = None
    format: Annotated[Text, Field(description="In which the line was to be read.")] = None
    since: Annotated[AwareDatetime | None, Field(description="Received at or after, RFC 3339.")] = None
    until: Annotated[AwareDatetime | None, Field(description="Received before, RFC 3339.")] = None


class LinePageQuery(LineQuery):
    """The same, a page at a time."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    before: Annotated[str | None, Field(max_length=64, description="As the answer before had it.")] = None


class LineDeletion(LineQuery):
    """What to delete; at least one condition."""

    id: Annotated[str | None, Field(max_length=36)] = None


class ReplayOrder(BaseModel):
    """Which lines to read again: those of `ids`, or all that the conditions find, oldest first."""

    model_config = ConfigDict(extra="forbid")
    ids: Annotated[list[str] | None, Field(max_length=1000)] = None
    source: Text = None
    reason: Text = None
    rejected_format: Annotated[Text, Field(description="The format in which the lines were to be read.")] = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    format: Annotated[Text, Field(description="Read them in this format instead.")] = None
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    at: Annotated[str | None, Field(max_length=64, description="Go on there: `at` of the answer before.")] = None


@router.get("/api/v1/quarantine", responses=problems(401, 403))
async def list_lines(
    _: Annotated[LinePageQuery, Query()], request: Request, gateway: TheGateway, __: Analyst
) -> Response:
    """List rejected lines, the latest first, secrets and personal data in them masked.

    `before` of the answer, if it is there, asks for the next page.
    """
    return await to_the_collector(request, gateway, _BASE)


@router.get("/api/v1/quarantine/stats/summary", responses=problems(401, 403))
async def count_lines(_: Annotated[LineQuery, Query()], request: Request, gateway: TheGateway, __: Analyst) -> Response:
    """Count rejected lines by source and reason, the most frequent first: 200 of these at most."""
    return await to_the_collector(request, gateway, _BASE + b"/stats/summary")


@router.get("/api/v1/quarantine/{line_id}/raw", responses=_RAW | problems(401, 403, 404, 409))
async def read_raw_line(line_id: LineId, request: Request, gateway: TheGateway, asking: Admin) -> Response:
    """Get a rejected line as it came (the first 64 KiB), nothing masked. The audit says who did."""
    await gateway.audit.write(entry_of(gateway, asking, "rejected_line_read", f"{_TARGET}:{line_id}"))
    return await to_the_collector(request, gateway, _BASE + b"/" + line_id.encode() + b"/raw")


@router.post("/api/v1/quarantine/replay", responses=problems(401, 403))
async def replay_lines(order: ReplayOrder, request: Request, gateway: TheGateway, asking: Analyst) -> Response:
    """Read rejected lines again, with today's formats; what becomes events leaves the quarantine.

    Their events have the ids that they would have had at first, so nothing is stored twice. What is rejected again
    stays with its new reason. `at` in the answer: there may be more.
    """
    wanted = order.model_dump(mode="json", exclude_none=True)
    await gateway.audit.write(entry_of(gateway, asking, "rejected_lines_replayed", _TARGET, wanted))
    return await to_the_collector(
        request, gateway, _BASE + b"/replay", order.model_dump_json(exclude_none=True).encode()
    )


@router.delete("/api/v1/quarantine", responses=problems(401, 403))
async def delete_lines(
    wanted: Annotated[LineDeletion, Query()], request: Request, gateway: TheGateway, asking: Admin
) -> Response:
    """Delete rejected lines: those of an id, or all that the conditions find."""
    chosen = wanted.model_dump(mode="json", exclude_none=True)
    await gateway.audit.write(entry_of(gateway, asking, "rejected_lines_deleted", _TARGET, chosen))
    return await to_the_collector(request, gateway, _BASE)

"""Sources of logs: who may send them to the collector, and when each was last heard of."""

import secrets
import uuid
from hashlib import sha256
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from sakimori_api_gateway.api.answers import answer, documented
from sakimori_api_gateway.api.authentication import Admin, TheGateway, Viewer, entry_of
from sakimori_api_gateway.domain.sources import (
    NAME_PATTERN,
    RESERVED,
    TOKEN_PREFIX,
    IssuedSource,
    LogSource,
    LogSourceList,
    NewLogSource,
)
from sakimori_common.web import Problem

router = APIRouter(tags=["sources"])

SourceName = Annotated[str, Path(pattern=NAME_PATTERN)]


class NewSource(BaseModel):
    """A source to be."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(pattern=NAME_PATTERN, description="What its events say as `sakimori.source`.")]
    format: Annotated[
        str, Field(pattern=r"^[a-z0-9_.]{1,64}$", description="Of its raw lines; those of no known name are `auto`.")
    ] = "auto"
    lines_per_second: Annotated[int | None, Field(ge=1, le=10_000_000, description="None: not limited.")] = None
    max_body_bytes: Annotated[int | None, Field(ge=1024, le=100_000_000)] = None
    silent_after_minutes: Annotated[
        int | None, Field(ge=1, le=100_000, description="None: COLLECTOR_SILENT_AFTER_MINUTES.")
    ] = None


@router.get("/api/v1/sources", responses=documented(LogSourceList, 401, 403))
async def list_sources(gateway: TheGateway, _: Viewer) -> Response:
    """List sources, those with a token and all else that the collector reads, and when each was last seen."""
    return answer(LogSourceList(sources=await gateway.sources.all()))


@router.post("/api/v1/sources", status_code=201, responses=documented(IssuedSource, 401, 403, 409, status=201))
async def add_source(new: NewSource, gateway: TheGateway, asking: Admin) -> Response:
    """Add a source and issue its token, which is shown this once.

    It is good for `/ingest`, Elasticsearch's bulk call and Splunk's HEC within a second.
    """
    if new.name in RESERVED:
        field = {"field": "body.name"}
        raise Problem(422, "invalid_request", f"body.name: {new.name} is a name of the collector's own", errors=[field])
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    given = new.model_dump()
    entry = entry_of(gateway, asking, "source_added", f"source:{new.name}", given)
    digest = sha256(token.encode()).digest()
    source = await gateway.sources.add(NewLogSource(id=str(uuid.uuid4()), token_sha256=digest, **given), entry)
    return answer(IssuedSource(**msgspec.structs.asdict(source), token=token), 201)


@router.delete("/api/v1/sources/{name}", responses=documented(LogSource, 401, 403, 404))
async def revoke_source(name: SourceName, gateway: TheGateway, asking: Admin) -> Response:
    """Revoke a source's token: within a second nobody gets in with it any more. What it sent stays."""
    return answer(await gateway.sources.revoke(name, entry_of(gateway, asking, "source_revoked", f"source:{name}")))

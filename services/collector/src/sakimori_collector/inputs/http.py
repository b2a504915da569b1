"""`POST /ingest`: NDJSON, JSON and plain lines from agents and scripts."""

import uuid
from typing import Final

from msgspec import json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from sakimori_collector.api.reception import Reception
from sakimori_collector.domain.posted.ndjson import read_posted
from sakimori_collector.domain.wire.posted_bodies import lines_of, read_plain, records_of
from sakimori_collector.intake import Batch
from sakimori_common.web import Problem

NAME: Final = "http"
_MAX_ERRORS: Final = 20


class HttpInput:
    """Takes a body and answers 202 when every line is safe: its events with the bus, or itself in the quarantine.

    A request may be sent again: with the same `Idempotency-Key` its lines have the same ids and are stored once. The
    answer 503 carries the key that was used.
    """

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    def routes(self) -> list[Route]:
        """List what is served."""
        return [Route("/ingest", self._ingest, methods=["POST"])]

    async def _ingest(self, request: Request) -> Response:
        reception = self._reception
        poster = reception.poster(request)
        key = reception.key(request) or uuid.uuid4().hex
        identity = f"{NAME}:{key}" if poster.name == NAME else f"{NAME}:{poster.name}:{key}"
        source = reception.source(request, poster, NAME, identity, request.query_params.get("format"))
        is_plain = request.headers.get("content-type", "").startswith("text/plain")
        try:
            async with reception.body(request, poster) as body:
                lines = lines_of(body) if is_plain else records_of(body)
                if not lines:
                    raise Problem(400, "body_empty", "The body has no line; send NDJSON, one JSON object a line.")
                headers = reception.admit(poster, len(lines))
                taken = await reception.take(Batch(source, lines, read_plain if is_plain else read_posted), key)
        except ClientDisconnect:
            return Response(status_code=400)
        errors = [{"line": number, "reason": line.reason} for number, line in taken.rejected[:_MAX_ERRORS]]
        accepted = len(lines) - len(taken.rejected)
        answer = json.encode({"accepted": accepted, "rejected": len(taken.rejected), "errors": errors})
        return Response(answer, 202, headers, media_type="application/json")

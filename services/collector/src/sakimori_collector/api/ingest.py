"""`POST /ingest`: NDJSON from agents."""

import asyncio
import hmac
import time
import uuid
import zoneinfo

import structlog
from msgspec import json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from sakimori_collector.api.body import read_body
from sakimori_collector.domain.formats import AUTO, LineRejected, Reference
from sakimori_collector.domain.ndjson import read_posted
from sakimori_collector.domain.reading import Rejected, Source, UnknownFormat, check_format
from sakimori_collector.metrics import CollectorMetrics
from sakimori_collector.ports import Publisher, RejectedLines
from sakimori_collector.settings import CollectorSettings
from sakimori_common.bus import BusUnavailable, Unavailable
from sakimori_common.contracts import Event, FieldValue
from sakimori_common.web import EDGE_TOKEN_HEADER, Problem, client_address, render_problem

_AT_ONCE = 1000
"""Events published together: 10 ms of parsing, the longest that other requests wait for this one."""
_CONCURRENT = 16
"""Bodies worked on at once; the others wait with their bodies read."""
_MAX_ERRORS = 20
_RETRY_AFTER_SECONDS = 2


class IngestApi:
    """Takes NDJSON and answers 202 when every line is safe: its events with the bus, or itself with the rejected.

    A request may be sent again: with the same `Idempotency-Key` its lines have the same ids and are stored once. The
    answer 503 carries the key that was used.
    """

    def __init__(
        self,
        *,
        settings: CollectorSettings,
        publisher: Publisher,
        rejected: RejectedLines,
        metrics: CollectorMetrics,
        log: structlog.stdlib.BoundLogger,
        instance: str,
    ) -> None:
        self._settings = settings
        self._token = settings.ingest_token.get_secret_value().encode()
        self._edge_token = settings.edge_token.get_secret_value()
        self._zone = zoneinfo.ZoneInfo(settings.timezone)
        self._publisher = publisher
        self._rejected = rejected
        self._metrics = metrics
        self._log = log
        self._instance = instance
        self._slots = asyncio.Semaphore(_CONCURRENT)

    def application(self) -> Starlette:
        """Build the ASGI application."""
        return Starlette(
            routes=[Route("/ingest", self._ingest, methods=["POST"])],
            exception_handlers={HTTPException: render_problem},
        )

    async def _ingest(self, request: Request) -> Response:
        self._authorise(request)
        default_format = self._default_format(request)
        key = request.headers.get("idempotency-key", "") or uuid.uuid4().hex
        if len(key) > 256:
            raise Problem(400, "idempotency_key_too_long", "Idempotency-Key may have up to 256 characters.")
        try:
            lines = await read_body(request, self._settings.max_body_bytes)
        except ClientDisconnect:
            return Response(status_code=400)
        if not lines:
            raise Problem(400, "body_empty", "The body has no line; send NDJSON, one JSON object a line.")
        async with self._slots:
            return await self._take(lines, self._source(request, default_format, key), key)

    def _authorise(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = token.strip().encode("utf-8", "replace")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given, self._token):
            raise Problem(
                401,
                "token_invalid",
                "Send Authorization: Bearer with the ingest token.",
                {"www-authenticate": "Bearer"},
            )

    @staticmethod
    def _default_format(request: Request) -> str:
        try:
            return check_format(request.query_params.get("format", AUTO))
        except UnknownFormat as error:
            raise Problem(400, "format_unknown", f"{error}.") from None

    def _source(self, request: Request, format: str, key: str) -> Source:
        return Source(
            name=f"http:{client_address(request, self._edge_token)}",
            identity=f"http:{key}",
            format=format,
            reference=Reference(time.time_ns() // 1000, self._zone),
            stamp=self._stamp(request),
        )

    async def _take(self, lines: list[tuple[int, bytes]], source: Source, key: str) -> Response:
        self._metrics.lines_received_total.labels("http").inc(len(lines))
        try:
            rejected, numbers = await self._publish(lines, source)
            if rejected:
                await self._rejected.keep(rejected)
        except (BusUnavailable, Unavailable) as error:
            self._metrics.lines_refused_total.labels("http").inc(len(lines))
            self._log.warning("ingest_refused", lines=len(lines), reason=str(error))
            raise Problem(
                503,
                "temporarily_unavailable",
                "Not everything is safe yet. Send the same again with this Idempotency-Key; nothing is stored twice.",
                {"retry-after": str(_RETRY_AFTER_SECONDS), "idempotency-key": key},
            ) from None
        accepted = len(lines) - len(rejected)
        self._metrics.lines_published_total.labels("http").inc(accepted)
        self._metrics.lines_rejected_total.labels("http").inc(len(rejected))
        errors = [
            {"line": number, "reason": line.reason}
            for number, line in zip(numbers, rejected[:_MAX_ERRORS], strict=False)
        ]
        body = json.encode({"accepted": accepted, "rejected": len(rejected), "errors": errors})
        return Response(body, 202, media_type="application/json")

    async def _publish(self, lines: list[tuple[int, bytes]], source: Source) -> tuple[list[Rejected], list[int]]:
        """Publish some at a time; returns the rejected lines and their numbers."""
        events: list[Event] = []
        rejected: list[Rejected] = []
        numbers: list[int] = []
        for number, raw in lines:
            try:
                events.extend(read_posted(source, raw, number))
            except LineRejected as error:
                rejected.append(source.reject(raw, number, str(error)))
                numbers.append(number)
            if len(events) >= _AT_ONCE:
                await self._publisher.publish(events)
                events = []
        await self._publisher.publish(events)
        return rejected, numbers

    def _stamp(self, request: Request) -> dict[str, FieldValue]:
        stamp: dict[str, FieldValue] = {"observer.name": self._instance, "sakimori.input": "http"}
        edge = request.headers.get(EDGE_TOKEN_HEADER, "")
        trace = request.headers.get("x-request-id", "")
        if trace and hmac.compare_digest(edge.encode(), self._edge_token.encode()):
            stamp["trace.id"] = trace[:128]
        return stamp

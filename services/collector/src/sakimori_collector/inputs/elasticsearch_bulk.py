"""Elasticsearch's bulk call, so that Filebeat, Fluent Bit, Vector, Logstash and rsyslog ship here as they are.

Beside it, what they ask before they ship: who is there (`GET /`), its health and licence, whether their templates
exist. Those are taken and forgotten, for there are no indexes here. All of it stands below `/elasticsearch`, too.
"""

import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import Any, Final

from msgspec import json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from sakimori_collector.api.reception import Reception
from sakimori_collector.domain.posted.bulk import BulkError, Item, dataset_of, items_of
from sakimori_collector.domain.posted.documents import read_document
from sakimori_collector.domain.wire.posters import Poster
from sakimori_collector.intake import Batch
from sakimori_common.ids import digest
from sakimori_common.web import Problem

NAME: Final = "elasticsearch"
PREFIX: Final = "/elasticsearch"
VERSION: Final = "8.17.0"
"""Whose calls these are; shippers look at the first number to choose how they write."""
_HEADERS: Final = {"x-elastic-product": "Elasticsearch"}
"""Elastic's own clients refuse a server without."""
_KINDS: Final = {
    400: "illegal_argument_exception",
    401: "security_exception",
    413: "content_too_long_exception",
    415: "media_type_header_exception",
    429: "es_rejected_execution_exception",
    503: "process_cluster_event_timeout_exception",
}
_KEPT: Final = "_template _index_template _component_template _ilm/policy _ingest/pipeline _data_stream".split()  # noqa: SIM905
_WRITTEN: Final = {"index", "create"}

Handler = Callable[[Request], Awaitable[Response]]


class ElasticsearchBulk:
    """Answers as Elasticsearch does. A document that became no event is in the quarantine, so its item says 201, too:
    nobody is to send it again. Back-pressure is 503 (429 over the rate) for the whole call, which all of them repeat;
    a call with the same body gives the same ids.
    """

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    def routes(self) -> list[BaseRoute]:
        """List what is served."""
        routes = [
            Route("/_bulk", self._speaking(self._bulk), methods=["POST", "PUT"]),
            Route("/{index}/_bulk", self._speaking(self._bulk), methods=["POST", "PUT"]),
            Route("/{index}/_doc/_bulk", self._speaking(self._bulk), methods=["POST", "PUT"]),
            Route("/_license", self._speaking(self._license), methods=["GET"]),
            Route("/_cluster/health", self._speaking(self._health), methods=["GET"]),
            Route("/_cat/health", self._speaking(self._cat_health), methods=["GET"]),
            *(Route(f"/{kind}/{{name}}", self._speaking(self._kept), methods=["GET", "PUT", "POST"]) for kind in _KEPT),
            Route("/", self._speaking(self._root), methods=["GET"]),
        ]
        return [*routes, Mount(PREFIX, routes=routes), Route(PREFIX, self._speaking(self._root), methods=["GET"])]

    def _speaking(self, handler: Callable[[Request, Poster], Awaitable[Response]]) -> Handler:
        """Let only those in who may, and say all in Elasticsearch's words."""

        @wraps(handler)
        async def speaking(request: Request) -> Response:
            try:
                answer = await handler(request, self._reception.poster(request))
            except Problem as problem:
                answer = _refusal(problem)
            except ClientDisconnect:
                return Response(status_code=400)
            answer.headers.update(_HEADERS)
            return answer

        return speaking

    async def _bulk(self, request: Request, poster: Poster) -> Response:
        started, reception = time.perf_counter(), self._reception
        given = reception.key(request)
        async with reception.body(request, poster) as body:
            key = given or digest(body).hex()
            try:
                items = items_of(body, request.path_params.get("index", ""))
            except BulkError as error:
                raise Problem(400, "bulk_malformed", str(error)) from None
            if not items:
                raise Problem(400, "body_empty", "request body is required")
            written = [item for item in items if item.operation in _WRITTEN]
            repeats = (
                "user-agent" in request.headers
            )  # rsyslog's omelasticsearch throws away what is answered 429 or 503
            headers = reception.admit(poster, len(written)) if repeats else {}
            if not repeats:
                await reception.admit_slowly(poster, len(written))
            for index, lines in _by_index(written).items():
                source = reception.source(request, poster, NAME, f"{NAME}:{poster.name}:{key}")
                if dataset := dataset_of(index):
                    source.stamp = {**source.stamp, "data_stream.dataset": dataset}
                batch = Batch(source, lines, read_document)
                if repeats:
                    await reception.take(batch, key)
                else:
                    await reception.keep(batch)
        took = int((time.perf_counter() - started) * 1000)
        answers = [_answer(item, key) for item in items]
        is_failed = len(written) < len(items)
        return _json({"took": took, "errors": is_failed, "items": answers}, headers=headers)

    async def _root(self, _: Request, __: Poster) -> Response:
        version = {
            "number": VERSION,
            "build_flavor": "default",
            "build_type": "sakimori",
            "build_hash": "0" * 40,
            "build_date": "2024-12-11T12:08:05.663969764Z",
            "build_snapshot": False,
            "lucene_version": "9.12.0",
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        }
        return _json(
            {
                "name": "sakimori-collector",
                "cluster_name": "sakimori",
                "cluster_uuid": uuid.UUID(int=0).hex,
                "version": version,
                "tagline": "You Know, for Search",
            }
        )

    async def _license(self, _: Request, __: Poster) -> Response:
        return _json({"license": {"status": "active", "uid": str(uuid.UUID(int=0)), "type": "basic", "mode": "basic"}})

    async def _health(self, _: Request, __: Poster) -> Response:
        return _json({"cluster_name": "sakimori", "status": "green", "timed_out": False, "number_of_nodes": 1})

    async def _cat_health(self, _: Request, __: Poster) -> Response:
        now = int(time.time())
        clock = time.strftime("%H:%M:%S", time.gmtime(now))
        return PlainTextResponse(f"{now} {clock} sakimori green 1 1 0 0 0 0 0 0 - 100.0%\n")

    async def _kept(self, request: Request, poster: Poster) -> Response:
        """Take a template, policy or pipeline and forget it; say that there is none."""
        if request.method in {"GET", "HEAD"}:
            return _json({}, 404)
        async with self._reception.body(request, poster):
            return _json({"acknowledged": True})


def _by_index(items: Iterable[Item]) -> dict[str, list[tuple[int, bytes]]]:
    lines: dict[str, list[tuple[int, bytes]]] = {}
    for item in items:
        lines.setdefault(item.index, []).append((item.place or 0, item.document))
    return lines


def _answer(item: Item, key: str) -> dict[str, Any]:
    if item.operation in _WRITTEN:
        identity = item.id or f"{key[:24]}-{item.place}"
        return {
            item.operation: {
                "_index": item.index,
                "_id": identity,
                "_version": 1,
                "result": "created",
                "_shards": {"total": 1, "successful": 1, "failed": 0},
                "status": 201,
            }
        }
    reason = f"{item.operation}: events are only added here, never changed; use create"
    error = {"type": _KINDS[400], "reason": reason}
    return {item.operation: {"_index": item.index, "_id": item.id, "status": 400, "error": error}}


def _refusal(problem: Problem) -> Response:
    cause = {"type": _KINDS.get(problem.status_code, problem.code), "reason": problem.detail}
    headers = dict(problem.headers or {})
    if problem.status_code == 401:
        headers["www-authenticate"] = 'Basic realm="sakimori", charset="UTF-8", Bearer realm="sakimori", ApiKey'
    body = {"error": {"root_cause": [cause], **cause}, "status": problem.status_code}
    return _json(body, problem.status_code, headers)


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.encode(body), status, headers, media_type="application/json")

"""Splunk's HTTP Event Collector, for whatever ships to Splunk: Vector, Fluent Bit, Docker's log driver, Splunk's own.

Source: Splunk, "Use the HTTP Event Collector" and, for the codes, "Troubleshoot HTTP Event Collector".
"""

import asyncio
from typing import Final

from msgspec import json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sakimori_collector.api.reception import Reception
from sakimori_collector.domain.formats import FORMATS
from sakimori_collector.domain.posted.hec import NoEvent, envelopes_of, read_hec
from sakimori_collector.domain.wire.posted_bodies import lines_of, read_plain
from sakimori_collector.domain.wire.posters import Poster
from sakimori_collector.intake import AT_ONCE, Batch
from sakimori_common.ids import digest
from sakimori_common.web import Problem

NAME: Final = "splunk_hec"
_TEXTS: Final = {
    0: (200, "Success"),
    2: (401, "Token is required"),
    3: (401, "Invalid authorization"),
    4: (403, "Invalid token"),
    5: (400, "No data"),
    6: (400, "Invalid data format"),
    9: (503, "Server is busy"),
    12: (400, "Event field is required"),
    13: (400, "Event field cannot be blank"),
    14: (400, "ACK is disabled"),
    16: (400, "Query string authorization is not enabled"),
    17: (200, "HEC is healthy"),
}
"""Splunk's codes, each with its HTTP status and text."""
_NO_DATA: Final = 5
_BUSY: Final = 9
_SCHEMES: Final = frozenset({"splunk", "bearer", "basic"})
_STAMPED: Final = {"host": "host.hostname", "index": "splunk.index", "sourcetype": "splunk.sourcetype"}


class SplunkHec:
    """Answers as Splunk does; success means that every event is safe, so an acknowledgement has nothing to add.

    A body in which one envelope is broken is refused as a whole, with the number of that one.
    """

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    def routes(self) -> list[BaseRoute]:
        """List what is served."""
        begin = "/services/collector"
        return [
            *(Route(begin + end, self._events, methods=["POST"]) for end in ("/event", "", "/event/1.0")),
            *(Route(begin + end, self._raw, methods=["POST"]) for end in ("/raw", "/raw/1.0")),
            *(Route(begin + end, self._health, methods=["GET"]) for end in ("/health", "/health/1.0")),
            Route(f"{begin}/ack", self._ack, methods=["POST"]),
        ]

    async def _health(self, _: Request) -> Response:
        return _answer(17)

    async def _ack(self, request: Request) -> Response:
        try:
            self._poster(request)
        except _Refused as refused:
            return refused.answer
        return _answer(14)

    async def _events(self, request: Request) -> Response:
        try:
            return await self._take(request, self._poster(request), is_raw=False)
        except NoEvent as error:
            return _answer(error.code, invalid_event=error.number)
        except UnicodeDecodeError:
            return _answer(6)
        except Problem as problem:
            return _refusal(problem)
        except _Refused as refused:
            return refused.answer
        except ClientDisconnect:
            return Response(status_code=400)

    async def _raw(self, request: Request) -> Response:
        try:
            return await self._take(request, self._poster(request), is_raw=True)
        except Problem as problem:
            return _refusal(problem)
        except _Refused as refused:
            return refused.answer
        except ClientDisconnect:
            return Response(status_code=400)

    def _poster(self, request: Request) -> Poster:
        given = request.headers.get("authorization", "")
        if not given:
            raise _Refused(16 if "token" in request.query_params else 2)
        if given.partition(" ")[0].lower() not in _SCHEMES:
            raise _Refused(3)
        try:
            return self._reception.poster(request)
        except Problem as problem:
            if problem.status_code == 401:
                raise _Refused(4) from None
            raise

    async def _take(self, request: Request, poster: Poster, *, is_raw: bool) -> Response:
        reception = self._reception
        given = reception.key(request)
        async with reception.body(request, poster) as body:
            lines = lines_of(body) if is_raw else await _envelopes(body)
            if not lines:
                raise _Refused(_NO_DATA)
            headers = reception.admit(poster, len(lines))
            key = given or digest(body).hex()
            said = request.query_params if is_raw else {}
            sourcetype = said.get("sourcetype", "")
            known = sourcetype if sourcetype in FORMATS else None
            source = reception.source(request, poster, NAME, f"{NAME}:{poster.name}:{key}", known)
            source.path = said.get("source", "")[:1024]
            stamped = {name: said[key][:256] for key, name in _STAMPED.items() if said.get(key)}
            source.stamp = {**source.stamp, **stamped}
            await reception.take(Batch(source, lines, read_plain if is_raw else read_hec), key)
        return _answer(0, headers)


class _Refused(Exception):
    """A request is answered with one of Splunk's codes."""

    def __init__(self, code: int) -> None:
        super().__init__(_TEXTS[code][1])
        self.answer = _answer(code)


async def _envelopes(body: bytes) -> list[tuple[int, bytes]]:
    """Take a body apart, some at a time. Raises NoEvent, UnicodeDecodeError."""
    text, place = body.decode(), 0
    lines: list[tuple[int, bytes]] = []
    while place < len(text):
        found, place = envelopes_of(text, place, len(lines), AT_ONCE)
        lines += found
        if place < len(text):
            await asyncio.sleep(0)
    return lines


def _answer(code: int, headers: dict[str, str] | None = None, invalid_event: int | None = None) -> Response:
    status, text = _TEXTS[code]
    body: dict[str, object] = {"text": text, "code": code}
    if invalid_event is not None:
        body["invalid-event-number"] = invalid_event
    return Response(json.encode(body), status, headers, media_type="application/json")


def _refusal(problem: Problem) -> Response:
    """Say in Splunk's words what it has words for; of a rate and a size it has none, so those keep their status."""
    headers = dict(problem.headers or {})
    if problem.status_code == 503:
        return _answer(_BUSY, headers)
    body = {"text": problem.detail, "code": _BUSY if problem.status_code == 429 else 6}
    return Response(json.encode(body), problem.status_code, headers, media_type="application/json")

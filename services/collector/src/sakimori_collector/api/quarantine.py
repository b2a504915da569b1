"""What was rejected: listed, counted, replayed, deleted. For the gateway alone, which knows who may."""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sakimori_collector.domain.reading import UnknownFormat, check_format
from sakimori_collector.domain.text import decode
from sakimori_collector.ports import KeptLine, LineFilter, LinePlace, Quarantine
from sakimori_collector.replay import Replayer
from sakimori_common.bus import BusUnavailable, Unavailable
from sakimori_common.instants import format_instant, parse_instant
from sakimori_common.web import EDGE_TOKEN_HEADER, Problem, is_from_edge

Mask = Callable[[str], str]
"""Hides secrets and personal data in a text."""

_SHOWN_CHARACTERS: Final = 2000
_MAX_BODY_BYTES: Final = 1 << 20
_RETRY_AFTER_SECONDS: Final = "2"
_FILTERS: Final = ("source", "reason", "format", "since", "until")


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a replay: ids, or the same filters as the list has; `at` is where an earlier answer said to go on."""

    ids: Annotated[list[str], msgspec.Meta(max_length=1000)] | None = None
    source: str | None = None
    reason: str | None = None
    rejected_format: str | None = None
    since: str | None = None
    until: str | None = None
    format: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000
    at: str | None = None


class QuarantineApi:
    """The routes below /quarantine."""

    def __init__(self, quarantine: Quarantine, replayer: Replayer, mask: Mask, edge_token: str) -> None:
        self._quarantine = quarantine
        self._replayer = replayer
        self._mask = mask
        self._edge_token = edge_token

    def routes(self) -> Sequence[Route]:
        """List what is served."""
        return [
            Route("/quarantine", self._of_edge(self._list), methods=["GET"]),
            Route("/quarantine", self._of_edge(self._delete), methods=["DELETE"]),
            Route("/quarantine/stats/summary", self._of_edge(self._count), methods=["GET"]),
            Route("/quarantine/replay", self._of_edge(self._replay), methods=["POST"]),
            Route("/quarantine/{id:uuid}/raw", self._of_edge(self._raw), methods=["GET"]),
        ]

    def _of_edge(self, handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def handled(request: Request) -> Response:
            if not is_from_edge(request, self._edge_token):
                raise Problem(403, "edge_only", f"The gateway only may ask this, with its {EDGE_TOKEN_HEADER}.")
            try:
                return await handle(request)
            except (Unavailable, BusUnavailable):
                detail = "The database or the bus is away, try again soon; what was replayed already stays so."
                raise Problem(503, "system_unavailable", detail, {"retry-after": _RETRY_AFTER_SECONDS}) from None

        return handled

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        limit = _number(query.get("limit", "100"), 1, 1000)
        lines = await self._quarantine.page(_filter(query), limit + 1, _place(query.get("before")))
        shown = lines[:limit]
        before = _token(shown[-1].place) if len(lines) > limit else None
        return _json({"lines": [self._described(line) for line in shown], "before": before})

    async def _count(self, request: Request) -> Response:
        counts = await self._quarantine.counts(_filter(request.query_params))
        listed = [
            {
                "source": self._mask(count.source),
                "reason": self._mask(count.reason),
                "lines": count.lines,
                "last_at": format_instant(count.last_at),
            }
            for count in counts
        ]
        return _json({"counts": listed})

    async def _raw(self, request: Request) -> Response:
        wanted = LineFilter(ids=[str(request.path_params["id"])])
        found = await self._quarantine.page(wanted, 1)
        if not found:
            raise Problem(404, "line_unknown", "There is no such line in the quarantine.")
        if not found[0].is_readable:
            raise Problem(409, "line_unreadable", "Another PRIVACY_KEY encrypted this line.")
        return Response(
            found[0].rejected.raw,
            media_type="application/octet-stream",
            headers={"content-disposition": 'attachment; filename="line"', "x-content-type-options": "nosniff"},
        )

    async def _replay(self, request: Request) -> Response:
        wanted = await _read(request)
        try:
            other = check_format(wanted.format) if wanted.format is not None else None
        except UnknownFormat as error:
            raise Problem(400, "format_unknown", f"{error}.") from None
        ids = None if wanted.ids is None else [_uuid(text) for text in wanted.ids]
        chosen = LineFilter(
            wanted.source, wanted.reason, wanted.rejected_format, _instant(wanted.since), _instant(wanted.until), ids
        )
        if chosen == LineFilter():
            raise Problem(400, "filter_missing", f"Name ids or one of {', '.join(_FILTERS)} (rejected_format).")
        done = await self._replayer.replay(chosen, wanted.limit, format=other, at=_place(wanted.at))
        at = _token(done.at) if done.at is not None else None
        return _json({"published": done.published, "rejected": done.rejected, "at": at})

    async def _delete(self, request: Request) -> Response:
        chosen = _filter(request.query_params)
        if chosen == LineFilter():
            raise Problem(400, "filter_missing", f"Name at least one of id, {', '.join(_FILTERS)}.")
        return _json({"deleted": await self._quarantine.delete(chosen)})

    def _described(self, line: KeptLine) -> dict[str, Any]:
        """Show a line without what it must not tell: text is masked, then cut."""
        rejected = line.rejected
        text = self._mask(decode(rejected.raw)) if line.is_readable else ""
        described: dict[str, Any] = {
            "id": rejected.id,
            "received_at": format_instant(line.received_at),
            "source": self._mask(rejected.source),
            "path": self._mask(rejected.replay.path),
            "place": rejected.replay.place,
            "format": rejected.format,
            "reason": self._mask(rejected.reason),
            "length": rejected.length,
            "text": text[:_SHOWN_CHARACTERS] + ("…" if len(text) > _SHOWN_CHARACTERS else ""),
            "attempts": line.attempts,
            "is_readable": line.is_readable,
        }
        if line.tried_at is not None:
            described["tried_at"] = format_instant(line.tried_at)
        return described


async def _read(request: Request) -> _Wanted:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_BODY_BYTES:
            raise Problem(413, "body_too_large", f"At most {_MAX_BODY_BYTES} bytes.")
    try:
        return msgspec.json.decode(body, type=_Wanted)
    except msgspec.DecodeError as error:
        raise Problem(400, "body_invalid", f"{error}.") from None


def _filter(query: Mapping[str, str]) -> LineFilter:
    ids = [_uuid(query["id"])] if "id" in query else None
    return LineFilter(
        _text(query.get("source")),
        _text(query.get("reason")),
        _text(query.get("format")),
        since=_instant(query.get("since")),
        until=_instant(query.get("until")),
        ids=ids,
    )


def _text(value: str | None) -> str | None:
    if value is not None and "\0" in value:
        raise Problem(400, "filter_invalid", "No text of a filter holds NUL.")
    return value


def _instant(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_instant(text)
    except (ValueError, OverflowError):
        raise Problem(400, "instant_invalid", f"{text[:64]!r} is no instant such as 2026-01-16T02:00:00Z.") from None


def _number(text: str, least: int, most: int) -> int:
    if text.isdecimal() and len(text) <= 9 and least <= int(text) <= most:
        return int(text)
    raise Problem(400, "limit_invalid", f"limit is a number from {least} to {most}.")


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise Problem(400, "id_invalid", f"{text[:64]!r} is no id.") from None


def _token(place: LinePlace) -> str:
    return f"{place.received_at}_{place.id}"


def _place(token: str | None) -> LinePlace | None:
    if token is None:
        return None
    time, _, identity = token.partition("_")
    if not (time.isdecimal() and len(time) <= 18):
        raise Problem(400, "place_invalid", "Give `before` (or `at`) as an earlier answer had it.")
    return LinePlace(int(time), _uuid(identity))


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")

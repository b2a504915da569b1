"""`POST /upload`, as systemd-journal-upload sends to systemd-journal-remote: a journal in its export format.

The answers are those of systemd-journal-remote (src/journal-remote/journal-remote-main.c): 202 `OK.`, 415, 413 and 422.
systemd-journal-upload shows no token of its own accord, but it takes one as the password in its URL.
"""

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sakimori_collector.api.reception import Reception
from sakimori_collector.domain.wire.journal_export import BadExport, Entry, ExportSplitter
from sakimori_collector.domain.wire.posters import Poster
from sakimori_collector.inputs.journal_lines import IDENTITY, NAME, batch_of
from sakimori_common.web import Problem

CONTENT_TYPE: Final = "application/vnd.fdo.journal"
_PATIENCE_SECONDS: Final = 60.0
"""An upload that follows a journal never ends by itself: it is held while the bus is away, then answered 503."""
_FIRST_BACKOFF_SECONDS: Final = 0.25


class JournalUpload:
    """Takes uploads, also endless ones: what has come is made safe before more is read."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    def routes(self) -> list[Route]:
        """List what is served."""
        return [Route("/upload", self._upload, methods=["POST"])]

    async def _upload(self, request: Request) -> Response:
        poster = self._reception.poster(request)
        if request.headers.get("content-type", "").partition(";")[0].strip() != CONTENT_TYPE:
            return PlainTextResponse(f"Content-Type: {CONTENT_TYPE} is required.\n", 415)
        splitter = ExportSplitter()
        try:
            async for piece in request.stream():
                await self._take(request, poster, splitter.feed(piece))
            await self._take(request, poster, splitter.end())
        except BadExport as error:
            return PlainTextResponse(f"Processing failed: {error}\n", 422)
        except ClientDisconnect:
            return Response(status_code=400)
        return PlainTextResponse("OK.\n", 202)

    async def _take(self, request: Request, poster: Poster, entries: list[Entry]) -> None:
        """Make entries safe. Raises Problem: 503 after a minute in which they are not, 429 over the poster's rate."""
        if not entries:
            return
        self._reception.admit(poster, len(entries))
        backoff, waited = _FIRST_BACKOFF_SECONDS, 0.0
        while True:
            source = self._reception.source(request, poster, NAME, IDENTITY, NAME)
            try:
                await self._reception.take(batch_of(source, entries), "")
            except Problem as problem:
                if problem.status_code != 503 or waited >= _PATIENCE_SECONDS:
                    raise
            else:
                return
            await asyncio.sleep(backoff)
            waited, backoff = waited + backoff, backoff * 2

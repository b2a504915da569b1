"""`POST /captures`: a capture in the body, its events on the bus."""

import asyncio
from hashlib import blake2b
from pathlib import Path
from typing import IO

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sakimori_common.bus import BusUnavailable
from sakimori_common.web import Problem
from sakimori_packet_sensor.adapters.uploads import UploadFolder
from sakimori_packet_sensor.domain.capture import CaptureError
from sakimori_packet_sensor.handlers import CaptureIntake, Receipt
from sakimori_packet_sensor.ports import NotPrepared

_CONCURRENT = 4
"""Uploads at once; further ones wait unread. Decoding shares one core anyway."""
_BODY_SECONDS = 120.0
_RETRY_AFTER = {"retry-after": "5"}


class CapturesApi:
    """Takes captures from the gateway and answers 202 when every event of one is safe.

    The `id` of the answer is a hash of the capture and stands in its events as `sakimori.capture.id`. The same capture
    may be sent again: its events have the same ids.
    """

    def __init__(
        self,
        intake: CaptureIntake,
        uploads: UploadFolder,
        *,
        max_bytes: int,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._intake = intake
        self._uploads = uploads
        self._max_bytes = max_bytes
        self._log = log
        self._slots = asyncio.Semaphore(_CONCURRENT)

    def routes(self) -> list[Route]:
        """List the routes."""
        return [Route("/captures", self._post, methods=["POST"])]

    async def _post(self, request: Request) -> Response:
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_bytes:
            raise self._too_large()
        try:
            async with self._slots:
                with self._uploads.file() as upload:
                    identity = await self._receive(request, upload)
                    return self._answer(identity, await self._take(Path(upload.name), identity))
        except ClientDisconnect:
            return Response(status_code=400)
        except OSError as error:
            self._log.error("upload_failed", reason=error.strerror)
            raise Problem(
                503, "spool_unavailable", "The capture could not be kept while it is read.", _RETRY_AFTER
            ) from None

    async def _receive(self, request: Request, upload: IO[bytes]) -> str:
        state = blake2b(digest_size=16)
        size = 0
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for piece in request.stream():
                    size += len(piece)
                    if size > self._max_bytes:
                        raise self._too_large()
                    state.update(piece)
                    await asyncio.to_thread(upload.write, piece)
        except TimeoutError:
            raise Problem(408, "body_too_slow", f"The capture did not arrive within {_BODY_SECONDS:g} s.") from None
        await asyncio.to_thread(upload.flush)
        return state.hexdigest()

    async def _take(self, path: Path, identity: str) -> Receipt:
        try:
            return await self._intake.take(path, {"sakimori.capture.id": identity}, self._max_bytes)
        except CaptureError as error:
            raise Problem(422, "capture_invalid", f"The body {error}.") from None
        except NotPrepared:
            raise Problem(
                503,
                "sensor_preparing",
                "The sensor is being compiled, which its first start takes a minute for; send the capture again.",
                {"retry-after": "10"},
            ) from None
        except BusUnavailable:
            raise Problem(
                503, "bus_unavailable", "The bus did not confirm every event; send the capture again.", _RETRY_AFTER
            ) from None

    def _answer(self, identity: str, receipt: Receipt) -> Response:
        tally = receipt.tally
        summary: dict[str, object] = {
            "id": identity,
            "packets": tally.totals["packets"],
            "flows": tally.totals["flows"],
            "events": receipt.events,
            "undecoded": sum(tally.undecoded.values()),
        }
        if receipt.cut:
            summary["warning"] = receipt.cut
        self._log.info("capture_taken", **summary)
        return JSONResponse(summary, 202)

    def _too_large(self) -> Problem:
        return Problem(413, "capture_too_large", f"A capture may have up to {self._max_bytes} bytes; send it in parts.")

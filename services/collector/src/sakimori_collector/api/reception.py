"""What every way in over HTTP has in common: who posts, whether they may, how much, and what became of it."""

import asyncio
import hmac
import time
import zoneinfo
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import structlog
from starlette.requests import Request

from sakimori_collector.api.body import RETRY_AFTER_SECONDS, Bodies
from sakimori_collector.api.credentials import token_of
from sakimori_collector.domain.formats import Reference
from sakimori_collector.domain.reading import Source, UnknownFormat, check_format
from sakimori_collector.domain.wire.posters import BURST_SECONDS, LineRate, Poster
from sakimori_collector.intake import Batch, Intake, Taken
from sakimori_collector.metrics import CollectorMetrics
from sakimori_collector.ports import Posters
from sakimori_collector.settings import CollectorSettings
from sakimori_common.bus import BusUnavailable, Unavailable
from sakimori_common.contracts import FieldValue
from sakimori_common.web import EDGE_TOKEN_HEADER, Problem

MAX_KEY_CHARACTERS: Final = 256


class Reception:
    """Receive requests for all ways in that share the port."""

    def __init__(
        self,
        *,
        settings: CollectorSettings,
        posters: Posters,
        intake: Intake,
        metrics: CollectorMetrics,
        log: structlog.stdlib.BoundLogger,
        instance: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._edge_token = settings.edge_token.get_secret_value().encode()
        self._max_body_bytes = settings.max_body_bytes
        self._zone = zoneinfo.ZoneInfo(settings.timezone)
        self._bodies = Bodies(settings.max_held_bytes)
        self._posters = posters
        self._intake = intake
        self._metrics = metrics
        self._log = log
        self._instance = instance
        self._clock = clock
        self._rates: dict[str, LineRate] = {}

    def poster(self, request: Request) -> Poster:
        """Tell who posts. Raises Problem: 401 without a valid token, 503 when nobody can say whether it is one."""
        return self.poster_of(token_of(request))

    def poster_of(self, token: str) -> Poster:
        """Tell whose a token is. Raises Problem as `poster` does."""
        try:
            poster = self._posters.find(token) if token else None
        except Unavailable:
            detail = "The token is not known here and the database cannot be asked; try again."
            raise Problem(503, "tokens_unavailable", detail, {"retry-after": str(RETRY_AFTER_SECONDS)}) from None
        if poster is None:
            raise Problem(
                401,
                "token_invalid",
                "Send Authorization: Bearer with the ingest token.",
                {"www-authenticate": "Bearer"},
            )
        return poster

    def body(self, request: Request, poster: Poster) -> AbstractAsyncContextManager[bytes]:
        """Read the body within the poster's bounds; see Bodies.read."""
        limit = min(poster.max_body_bytes or self._max_body_bytes, self._max_body_bytes)
        return self._bodies.read(request, limit)

    def admit(self, poster: Poster, lines: int) -> dict[str, str]:
        """Let lines in, and tell the headers of the answer. Raises Problem: 429 over the poster's rate."""
        if poster.lines_per_second is None:
            return {}
        rate = self._rate(poster.name, poster.lines_per_second)
        wait = rate.take(lines, self._clock())
        policy = f'"lines";q={rate.capacity};w={BURST_SECONDS}'
        if not wait:
            return {"ratelimit-policy": policy, "ratelimit": f'"lines";r={rate.level};t={BURST_SECONDS}'}
        seconds = max(1, -int(-wait // 1))
        self._metrics.lines_refused_total.labels(poster.name).inc(lines)
        raise Problem(
            429,
            "rate_exceeded",
            f"{poster.name} may send {poster.lines_per_second} lines a second; send the same again in {seconds} s.",
            {
                "retry-after": str(seconds),
                "ratelimit-policy": policy,
                "ratelimit": f'"lines";r={rate.level};t={seconds}',
            },
        )

    async def admit_slowly(self, poster: Poster, lines: int) -> None:
        """Let lines of a client in that cannot be told to come again: it waits for its answer instead."""
        if poster.lines_per_second is None:
            return
        while wait := self._rate(poster.name, poster.lines_per_second).take(lines, self._clock()):
            await asyncio.sleep(wait)

    def _rate(self, name: str, lines_per_second: int) -> LineRate:
        rate = self._rates.get(name)
        if rate is None or rate.lines_per_second != lines_per_second:
            rate = self._rates[name] = LineRate(lines_per_second, self._clock())
        return rate

    def key(self, request: Request) -> str:
        """Read the Idempotency-Key, empty where there is none. Raises Problem: 400 for one that is too long."""
        key = request.headers.get("idempotency-key", "")
        if len(key) > MAX_KEY_CHARACTERS:
            detail = f"Idempotency-Key may have up to {MAX_KEY_CHARACTERS} characters."
            raise Problem(400, "idempotency_key_too_long", detail)
        return key

    def source(self, request: Request, poster: Poster, way: str, identity: str, format: str | None = None) -> Source:
        """Say where lines come from. Raises Problem: 400 for a format that is not known."""
        try:
            chosen = check_format(poster.format if format is None else format)
        except UnknownFormat as error:
            raise Problem(400, "format_unknown", f"{error}.") from None
        return Source(
            name=poster.name,
            identity=identity,
            format=chosen,
            reference=Reference(time.time_ns() // 1000, self._zone),
            stamp=self._stamp(request, poster, way),
        )

    async def take(self, batch: Batch, key: str) -> Taken:
        """Hand lines to the intake. Raises Problem: 503 with the key to send again when not all are safe."""
        try:
            return await self._intake.take(batch)
        except (BusUnavailable, Unavailable) as error:
            self._metrics.lines_refused_total.labels(batch.source.name).inc(len(batch.lines))
            self._log.warning("ingest_refused", lines=len(batch.lines), source=batch.source.name, reason=str(error))
            raise Problem(
                503,
                "temporarily_unavailable",
                "Not everything is safe yet. Send the same again with this Idempotency-Key; nothing is stored twice.",
                {"retry-after": str(RETRY_AFTER_SECONDS), "idempotency-key": key},
            ) from None

    async def keep(self, batch: Batch) -> None:
        """Hand in lines of a client that can't be held back: what is not safe at once waits in the spool."""
        await self._intake.take_or_spool(batch)

    def _stamp(self, request: Request, poster: Poster, way: str) -> dict[str, FieldValue]:
        stamp: dict[str, FieldValue] = {
            "observer.name": self._instance,
            "sakimori.input": way,
            "sakimori.source": poster.name,
        }
        trace = request.headers.get("x-request-id", "")
        if trace and hmac.compare_digest(request.headers.get(EDGE_TOKEN_HEADER, "").encode(), self._edge_token):
            stamp["trace.id"] = trace[:128]
        return stamp

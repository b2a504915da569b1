"""The first thing a request meets: a bound on how much one network may ask for, told without any other work.

An abuser's thousand posts a second must not slow others down, so they are answered before anything is parsed, signed,
asked of Valkey or written to a log; one event a second says how many there were.
"""

import asyncio
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from sakimori_chat.api.queueing import Queueing
from sakimori_chat.domain.identity import Hasher, canonical_address, network_of
from sakimori_chat.domain.occurrences import Action, Origin, occurred
from sakimori_chat.metrics import ChatMetrics
from sakimori_chat.ports import Reporter
from sakimori_common.fast_http import Phase, ready_problem
from sakimori_common.shedding import Shedder
from sakimori_common.tasks import Background, end_tasks
from sakimori_common.web import scope_address

REPORT_SECONDS: Final = 1.0
_REFUSAL: Final = ready_problem(
    HTTPStatus.TOO_MANY_REQUESTS,
    "too_many_requests",
    "Too many requests from your network; slow down.",
    {"retry-after": "1", "cache-control": "no-store", "x-content-type-options": "nosniff"},
)
_OF_A_BROWSER: Final = frozenset({"client.fingerprint", "client.ua_hash", "client.language_hash"})
"""Nobody looked at what browser it was."""
_POSTING: Final = "POST"
_ROOM_PATHS: Final = "/chat"

_KNOWN_ADDRESSES: Final = 4096
POST_BURST_SECONDS: Final = 3.0
"""People's posts come seldom, but those of a meeting behind one address come together."""


class Shedding:
    """Stands at the door of the port, and around the application: for WebSockets, and to have requests take turns."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        requests_per_second: float,
        posts: Shedder,
        edge_token: str,
        hasher: Hasher,
        reporter: Reporter,
        metrics: ChatMetrics,
    ) -> None:
        self._app = app
        self._requests = Shedder(requests_per_second)
        self._posts = posts
        self._queueing = Queueing()
        self._edge_token = edge_token
        self._hasher = hasher
        self._reporter = reporter
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that was let in when it is its network's turn, and a WebSocket if it may come in."""
        network = self._network(scope)
        if scope["type"] == "http":
            async with self._queueing.turn(network):
                await self._app(scope, receive, send)
        elif self._requests.admits(network, time.monotonic()):
            await self._app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1013})  # before it was accepted: HTTP 403

    def refusal_of(self, head: MutableMapping[str, Any]) -> bytes | None:
        """Tell what to answer to a request that is too many (see sakimori_common.fast_http.Door)."""
        is_post = head["method"] == _POSTING and head["path"].startswith(_ROOM_PATHS)
        shedder, network, now = self._posts if is_post else self._requests, self._network(head), time.monotonic()
        if self._queueing.is_full(network):
            shedder.sheds(network, now)
            return _REFUSAL
        return None if shedder.admits(network, now) else _REFUSAL

    def report_slow(self, address: str, phase: Phase) -> None:
        """Report a connection that took too long to say what it wants (`Patience.on_slow`)."""
        self._report(Action.REQUEST_TIMED_OUT, address, {"chat.reason": phase.value})

    @asynccontextmanager
    async def running(self, background: Background) -> AsyncIterator[None]:
        """Report what is shed, once a second, until the block ends."""
        reporting = background(self._keep_reporting(), "shedding-report")
        try:
            yield
        finally:
            await end_tasks(reporting)
            self._report_shed()

    def _network(self, scope: Scope) -> str:
        return _network_of(scope_address(scope, self._edge_token))

    async def _keep_reporting(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            self._report_shed()

    def _report_shed(self) -> None:
        for shedder in (self._requests, self._posts):
            for network, count in shedder.taken():
                self._metrics.requests_shed_total.inc(count)
                self._report(Action.REQUESTS_SHED, network.partition("/")[0], {"chat.attempts": count})

    def _report(self, action: Action, address: str, details: dict[str, Any]) -> None:
        origin = Origin("", "", self._hasher.client(address, "", ""), address=address)
        occurrence = occurred(action, origin, details)
        known = {name: value for name, value in occurrence.fields.items() if name not in _OF_A_BROWSER}
        self._reporter.report(replace(occurrence, fields=known))


@lru_cache(_KNOWN_ADDRESSES)
def _network_of(address: str) -> str:
    return network_of(canonical_address(address))

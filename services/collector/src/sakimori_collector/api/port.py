"""The collector's port: every way in over HTTP, joined."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from sakimori_collector.ports import Posters
from sakimori_collector.settings import CollectorSettings
from sakimori_common.fast_http import BoundedHttp
from sakimori_common.log import SecurityLogger
from sakimori_common.web import AccessLogged, Certificate, render_problem, serving


class Routed(Protocol):
    """A way in over HTTP."""

    def routes(self) -> Sequence[BaseRoute]:
        """List what is served, the most frequent first."""


class HttpPort:
    """Serves the routes of several ways in on one port, by TLS where there is a certificate."""

    name = "http"

    def __init__(
        self,
        settings: CollectorSettings,
        posters: Posters,
        inputs: Sequence[Routed],
        streams: SecurityLogger,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._settings = settings
        self._posters = posters
        self._inputs = inputs
        self._streams = streams
        self._log = log

    def application(self) -> Starlette:
        """Build the ASGI application."""
        routes = [route for each in self._inputs for route in each.routes()]
        return Starlette(routes=routes, exception_handlers={HTTPException: render_problem})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve until the block ends, then finish open requests. Raises OSError when the port is taken."""
        settings = self._settings
        certificate = None
        if settings.tls_certificate is not None and settings.tls_key is not None:
            certificate = Certificate(settings.tls_certificate, settings.tls_key)
        app = AccessLogged(self.application(), self._streams, settings.edge_token.get_secret_value())
        async with (
            self._posters.running(),
            serving(app, settings.host, settings.port, certificate=certificate, protocol=BoundedHttp) as port,
        ):
            self._log.info("ingest_opened", port=port, tls=certificate is not None)
            yield

"""Connections to the services behind the gateway."""

import ssl
from collections.abc import AsyncIterator, Sequence

import httpx

_TIMEOUT = httpx.Timeout(connect=1.0, read=60.0, write=60.0, pool=2.0)
_LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=4.0)
"""Idle connections are given up before uvicorn closes its end after 5 s, so none is used that is about to close."""

RawHeaders = Sequence[tuple[bytes, bytes]]


class UpstreamAway(Exception):
    """A service behind the gateway cannot be reached or does not answer; the message names the kind of error."""


class NotForwardable(Exception):
    """A client's request cannot be sent on as HTTP/1.1, such as one with two Hosts; the service has no part in it."""


class Upstream:
    """One service behind the gateway: HTTP/1.1 with kept-alive connections, no redirects, no cookies of its own."""

    def __init__(self, name: str, base_url: str) -> None:
        self.name = name
        self._base = httpx.URL(base_url)
        # What the system trusts, or SSL_CERT_FILE: a certificate of the deployment's own is in no library's list.
        verify = ssl.create_default_context() if self._base.scheme == "https" else False
        self._transport = httpx.AsyncHTTPTransport(limits=_LIMITS, trust_env=False, verify=verify)

    async def send(
        self, method: str, target: bytes, headers: RawHeaders, body: AsyncIterator[bytes] | None
    ) -> httpx.Response:
        """Send a request and return the answer with its body still to be streamed; close it in any case.

        `target` is path and query as they go on the wire. Raises UpstreamAway, NotForwardable, and whatever
        `body` raises.
        """
        request = httpx.Request(
            method,
            self._base,
            headers=list(headers),
            content=body,
            # The target goes as it came: normalising it here could make it another one than was routed.
            extensions={"timeout": _TIMEOUT.as_dict(), "target": target},
        )
        try:
            return await self._transport.handle_async_request(request)
        except httpx.LocalProtocolError as error:
            raise NotForwardable(str(error)) from error
        except httpx.TransportError as error:
            raise UpstreamAway(type(error).__name__) from error

    async def stream(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        """Pass on an answer's body as it comes, closing it at the end. Raises UpstreamAway when it breaks off."""
        try:
            async for chunk in answer.aiter_raw():
                yield chunk
        except httpx.TransportError as error:
            raise UpstreamAway(type(error).__name__) from error
        finally:
            await answer.aclose()

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

"""One request, as the chat sees it."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from sakimori_chat.api.cookies import Cookies
from sakimori_chat.domain.identity import Client, Hasher
from sakimori_chat.domain.occurrences import Action, Origin, occurred
from sakimori_chat.metrics import ChatMetrics
from sakimori_chat.ports import Gate, Reporter, Room
from sakimori_common.contracts import FieldValue
from sakimori_common.web import client_address


@dataclass(frozen=True, slots=True)
class Chat:
    """All that the routes work with."""

    gate: Gate
    room: Room
    reporter: Reporter
    cookies: Cookies
    hasher: Hasher
    metrics: ChatMetrics
    edge_token: str

    def client_of(self, request: Request) -> Client:
        """Describe where a request comes from."""
        return self.hasher.client(
            client_address(request, self.edge_token),
            request.headers.get("user-agent", ""),
            request.headers.get("accept-language", ""),
        )

    def origin_of(self, request: Request, anon_id: str | None = None) -> Origin:
        """Describe a request for reports; without `anon_id`, the identity that it shows, if any."""
        return Origin(
            trace_id=request.state.trace_id,
            path=request.scope["path"],
            client=self.client_of(request),
            anon_id=anon_id or self.cookies.known_id(request),
            address=client_address(request, self.edge_token),
        )

    def report(self, action: Action, origin: Origin, details: Mapping[str, FieldValue] | None = None) -> None:
        """Report what happened in a request."""
        self.reporter.report(occurred(action, origin, details))

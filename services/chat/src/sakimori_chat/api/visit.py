"""One request, as the chat sees it."""

from dataclasses import dataclass

from starlette.requests import Request

from sakimori_chat.api.cookies import Cookies
from sakimori_chat.domain.identity import Client, Hasher
from sakimori_chat.domain.occurrences import Origin
from sakimori_chat.domain.rooms import Room
from sakimori_chat.intake import Intake
from sakimori_chat.metrics import ChatMetrics
from sakimori_chat.ports import Gate, Reporter, RoomDirectory, Rooms
from sakimori_common.web import Problem, client_address


@dataclass(frozen=True, slots=True)
class Chat:
    """All that the routes work with."""

    gate: Gate
    rooms: Rooms
    directory: RoomDirectory
    intake: Intake
    reporter: Reporter
    cookies: Cookies
    hasher: Hasher
    metrics: ChatMetrics
    edge_token: str

    def room_of(self, name: str) -> Room:
        """Find a room. Raises Problem (404) when there is none of that name."""
        room = self.directory.find(name)
        if room is None:
            raise Problem(404, "no_such_room", "There is no such room.")
        return room

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

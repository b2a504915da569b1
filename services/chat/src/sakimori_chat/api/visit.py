"""One request, as the chat sees it."""

import time
from collections.abc import Collection
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from sakimori_chat.api.cookies import Cookies, Identity
from sakimori_chat.domain.identity import Client, Hasher
from sakimori_chat.domain.occurrences import Origin
from sakimori_chat.domain.posting import FORGED_COOKIE
from sakimori_chat.domain.rooms import Room
from sakimori_chat.domain.seats import Seats
from sakimori_chat.hub import Hub
from sakimori_chat.intake import Intake
from sakimori_chat.metrics import ChatMetrics
from sakimori_chat.moderation import Moderation
from sakimori_chat.ports import Gate, Reader, Reporter, RoomDirectory, Rooms
from sakimori_common.shedding import Shedder
from sakimori_common.web import Problem, client_address


@dataclass(frozen=True, slots=True)
class Chat:
    """All that the routes work with; `door` counts what each network posts, by whatever way."""

    gate: Gate
    rooms: Rooms
    reader: Reader
    directory: RoomDirectory
    intake: Intake
    moderation: Moderation
    reporter: Reporter
    cookies: Cookies
    hasher: Hasher
    metrics: ChatMetrics
    hub: Hub
    seats: Seats
    door: Shedder
    live_frames_per_second: float
    edge_token: str
    origins: Collection[str] = ()

    def room_of(self, name: str) -> Room:
        """Find a room. Raises Problem (404) when there is none of that name."""
        room = self.directory.find(name)
        if room is None:
            raise Problem(404, "no_such_room", "There is no such room.")
        return room

    def client_of(self, request: HTTPConnection) -> Client:
        """Describe where a request comes from."""
        return self.hasher.client(
            client_address(request, self.edge_token),
            request.headers.get("user-agent", ""),
            request.headers.get("accept-language", ""),
        )

    def origin_of(self, request: HTTPConnection, anon_id: str | None = None) -> Origin:
        """Describe a request for reports; without `anon_id`, the identity that it shows, if any."""
        identity = self.cookies.identity(request)
        shown = None if identity.is_new else identity.anon_id
        is_known = anon_id is not None or shown is not None
        return Origin(
            trace_id=request.state.trace_id,
            path=request.scope["path"],
            client=self.client_of(request),
            anon_id=anon_id or shown,
            address=client_address(request, self.edge_token),
            cookie_age_seconds=identity.age_seconds(time.time()) if is_known else None,
        )

    def note_forgery(self, request: HTTPConnection, identity: Identity) -> None:
        """Report a visitor whose identity no key of ours signed; a new one was made."""
        if identity.is_forged:
            self.intake.refuse(self.origin_of(request), FORGED_COOKIE)

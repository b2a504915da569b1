"""All who listen to one room at this replica, and what each of them was told."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sakimori_chat.domain.feed import Removed, Spoken
from sakimori_chat.domain.frames import Wording, deleted_frame, messages_frame, page_frame, wording_of
from sakimori_chat.domain.identity import Client
from sakimori_chat.domain.messages import Draft, Message, is_seen_by
from sakimori_chat.domain.mirror import News, RoomMirror
from sakimori_chat.metrics import ChatMetrics
from sakimori_chat.ports import Outlet
from sakimori_chat.spreading import WRITES_A_TURN, Spreading, Turn
from sakimori_common.live_socket import text_frame

HURRY_AT: Final = 500
"""From so much news on that somebody was not told yet the pace does not matter: no frame grows without bound."""
STOP_AT: Final = 2000
"""From here on nothing else has its go before all are told: more comes in than this machine can carry out."""


@dataclass(slots=True, eq=False)
class Listener:
    """Somebody who listens to a room, and where in the room's news (RoomMirror.head) it is."""

    room: str
    viewer_id: str
    client: Client
    outlet: Outlet
    told: int = 0

    def names(self) -> list[tuple[str, str]]:
        """Say by which kind and entity of a measure this listener is meant."""
        client = self.client
        return [("user", self.viewer_id), ("fp", client.fingerprint), ("ip", client.network)]


@dataclass(slots=True, eq=False)
class _Row:
    """As many as are told in one turn. None of them is further behind than `told`."""

    told: int
    listeners: dict[Listener, None] = field(default_factory=dict)
    turn: Turn = field(init=False)


@dataclass(frozen=True, slots=True)
class _Frames:
    """News ready for the socket; `own` has those of viewers who get another. Empty ones are not sent."""

    common: bytes
    own: Mapping[str, bytes]

    def of(self, viewer_id: str) -> bytes:
        """Give what a viewer gets."""
        return self.own.get(viewer_id, self.common) if self.own else self.common


class Crowd:
    """Tells its listeners, row by row; until the mirror is there, what is heard meanwhile waits in `early`.

    `on_slow` is called for each listener that does not keep up; it is to be removed.
    """

    def __init__(
        self, room: str, spreading: Spreading, metrics: ChatMetrics, on_slow: Callable[[Listener], None]
    ) -> None:
        self.room = room
        self.mirror: RoomMirror | None = None
        self.early: list[Spoken | Removed] = []
        self.loading: asyncio.Task[RoomMirror] | None = None
        self._spreading = spreading
        self._metrics = metrics
        self._on_slow = on_slow
        self._row_of: dict[Listener, _Row] = {}
        self._rows: list[_Row] = []
        self._wakers: list[Callable[[], None]] = []
        self._waking = Turn(self._wake)
        self._still: dict[Turn, None] = {}
        """Turns of rows that wait for news; the others will come by themselves."""
        self._wordings: dict[int, Wording] = {}
        self._frames: dict[int, _Frames] = {}
        self._frames_until = 0

    def __iter__(self) -> Iterator[Listener]:
        return iter(list(self._row_of))

    def __contains__(self, listener: Listener) -> bool:
        return listener in self._row_of

    def add(self, listener: Listener, mirror: RoomMirror) -> None:
        """Tell somebody what follows; all there is now it knows."""
        listener.told = mirror.head
        row = next((row for row in self._rows if len(row.listeners) < WRITES_A_TURN), None) or self._new_row(mirror)
        row.listeners[listener] = None
        self._row_of[listener] = row

    def remove(self, listener: Listener) -> None:
        """Tell somebody nothing more."""
        row = self._row_of.pop(listener)
        del row.listeners[listener]
        if not row.listeners:
            self._rows.remove(row)
            row.turn.cancel()
            self._still.pop(row.turn, None)

    @contextmanager
    def watched(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake` when there is news."""
        self._wakers.append(wake)
        try:
            yield
        finally:
            self._wakers.remove(wake)

    def spread(self, mirror: RoomMirror) -> None:
        """Tell everybody the news as soon as the pace allows."""
        still, self._still = self._still, {}
        for turn in still:
            self._spreading.want(turn)
        if self._wakers:
            self._spreading.want(self._waking)
        if not self._rows:
            mirror.forget(mirror.head)
        elif mirror.waiting >= STOP_AT:
            self.tell_all()
        elif mirror.waiting >= HURRY_AT:
            for row in self._rows:
                self._spreading.hurry(row.turn)

    def tell_all(self) -> None:
        """Tell everybody now."""
        for row in list(self._rows):
            row.turn.cancel()
            row.turn.act()

    def show_anew(self, mirror: RoomMirror) -> None:
        """The room was emptied: what everybody shows is void."""
        self._wordings.clear()
        for row in self._rows:
            row.told = mirror.head
        for listener in self:
            listener.told = mirror.head
            if not listener.outlet.write(text_frame(page_frame(mirror.anew(listener.viewer_id), 0.0))):
                self._on_slow(listener)
        self._wake()

    def _new_row(self, mirror: RoomMirror) -> _Row:
        row = _Row(mirror.head)
        row.turn = Turn(partial(self._tell, row, mirror))
        self._rows.append(row)
        self._still[row.turn] = None
        return row

    def _tell(self, row: _Row, mirror: RoomMirror) -> int:
        """Tell a row all that is new to it; how many writes it took."""
        if not row.listeners:
            return 0  # all left since it was wanted
        self._still[row.turn] = None
        writes = 0
        for listener in list(row.listeners):
            frame = self._frames_since(listener.told, mirror).of(listener.viewer_id)
            listener.told = mirror.head
            if frame:
                writes += 1
                if not listener.outlet.write(frame):
                    self._on_slow(listener)
        row.told = mirror.head
        mirror.forget(min((row.told for row in self._rows), default=mirror.head))
        self._metrics.live_frames_total.inc(writes)
        return writes

    def _frames_since(self, since: int, mirror: RoomMirror) -> _Frames:
        """Make what those get who know the news up to `since`: once, for rows that have been told together share it."""
        if self._frames_until != mirror.head:
            self._frames, self._frames_until = {}, mirror.head
        frames = self._frames.get(since)
        if frames is None:
            news = mirror.news(since)
            self._metrics.live_batch_messages.observe(len(news.messages))
            authors = {draft.author_id for _, draft in news.messages if draft.is_private}
            own = {author: self._frame(news, author) for author in authors}
            frames = self._frames[since] = _Frames(self._frame(news, None), own)
        return frames

    def _frame(self, news: News, viewer_id: str | None) -> bytes:
        messages = [self._wording(number, draft) for number, draft in news.messages if is_seen_by(draft, viewer_id)]
        said = text_frame(messages_frame(messages, news.next)) if messages else b""
        return said + (text_frame(deleted_frame(news.deleted)) if news.deleted else b"")

    def _wording(self, number: int, draft: Draft) -> Wording:
        """Put a message into JSON once, for all rows."""
        wording = self._wordings.get(number)
        if wording is None:
            if len(self._wordings) >= STOP_AT:
                self._wordings.clear()
            wording = self._wordings[number] = wording_of(Message.of(number, draft))
        return wording

    def _wake(self) -> int:
        for wake in list(self._wakers):
            wake()
        return 0

"""TCP: streams put in order, recognised, and offered to decoders."""

from collections.abc import Callable, Sequence
from typing import Final

from sakimori_packet_sensor.domain.conversations import decoding
from sakimori_packet_sensor.domain.conversations.conversation import Conversation
from sakimori_packet_sensor.domain.conversations.stream import ALL, HALF, Stream
from sakimori_packet_sensor.domain.conversations.watching import Watching
from sakimori_packet_sensor.domain.protocols.contract import AGAIN, DONE, TCP, Message, ProtocolKind, Verdict
from sakimori_packet_sensor.domain.protocols.registry import Registry

TRIES: Final = 4
"""Pieces of a side that are looked at in vain before it is left alone."""
TRIES_BEHIND_A_GAP: Final = 64
"""A packet lost in a body of some 64 KiB does not end a conversation that goes on behind it."""
MAX_UNKNOWN_BYTES: Final = 2048
"""First bytes of a side that are kept while nobody recognises them."""
MAX_HELD_BYTES: Final = 64 << 20
"""What all streams hold together; beyond it the conversation that has held something for longest gives way."""
_MAX_SKIP: Final = 1 << 30
"""A body beyond this is the end of what is read of its side: sequence numbers would come round."""
_SYN: Final = 2

Report = Callable[[Conversation, Sequence[Message]], None]
"""Takes what a conversation said."""
Objection = Callable[[Conversation, str], None]
"""Takes what is wrong with a conversation."""


class Streams:
    """Everything that is TCP. `given_up` counts conversations that gave way."""

    def __init__(
        self,
        registry: Registry,
        watching: Watching,
        report: Report,
        object_to: Objection,
        max_held_bytes: int,
    ) -> None:
        self._registry = registry
        self._watching = watching
        self._report = report
        self._object_to = object_to
        self._max_held = max_held_bytes
        self._held = 0
        self._holding: dict[int, Conversation] = {}
        self.given_up = 0

    @property
    def bytes_held(self) -> int:
        """What all of them hold, as of the last segment of each."""
        return self._held

    def take(self, talk: Conversation, side: int, place: int, payload: memoryview, missing: int) -> None:
        """Take a segment; its bytes are copied only when they are wanted."""
        stream = talk.sides[side]  # type: ignore[index]  # there until it is done
        if stream.is_over or stream.is_left:
            return
        end = (place + len(payload)) & ALL
        if place == stream.next and stream.waiting is None:
            stream.last = fresh = bytes(payload)
            stream.next = end
        elif not missing and (end - stream.next - 1) & ALL >= HALF:
            if stream.last:
                self._compare(talk, stream, place, bytes(payload))
            return
        else:
            fresh = stream.accept(place, bytes(payload), talk.now)
        if fresh:
            self._deliver(talk, side, stream, fresh)
        if missing:
            self._cut(talk, side, stream, (end, (end + missing) & ALL))
        if stream.waiting is not None:
            self._look_at_gap(talk, side, stream)
        if talk.weight or stream.held or stream.waiting is not None:
            self._weigh(talk)

    def end(self, talk: Conversation) -> None:
        """Read what waits behind gaps, and finish."""
        for side, stream in enumerate(talk.sides or ()):
            while not talk.is_done and stream.waiting is not None:
                self._pass_gap(talk, side, stream)
        if not talk.is_done:
            self._finish(talk)

    def _deliver(self, talk: Conversation, side: int, stream: Stream, fresh: bytes) -> None:
        """Offer bytes that follow what was there."""
        if stream.is_skipping:
            stream.is_skipping = False
            self._watching.everything(talk.slot, side)
        data = fresh
        if stream.held:
            data = stream.held + fresh
            stream.held = b""
        if talk.decoder is None:
            self._recognise(talk, side, stream, data)
        elif stream.is_lost:
            self._find_again(talk, side, stream, data)
        else:
            self._feed(talk, side, stream, data)

    def _recognise(self, talk: Conversation, side: int, stream: Stream, data: bytes) -> None:
        """Find out who speaks. What both sides said until then is read in the order in which they began."""
        if talk.speaker < 0:
            talk.speaker = side
        is_promising = False
        for kind in self._registry.candidates(TCP, data[0], talk.ends):
            verdict = kind.recognise(data, side, talk.ends)
            if verdict is Verdict.YES:
                self._begin(talk, side, kind, data)
                return
            is_promising |= verdict is Verdict.MORE
        stream.tries += 1
        is_from_start = talk.opening.opening_flags & _SYN
        if is_from_start or is_promising:
            stream.held = data[:MAX_UNKNOWN_BYTES]
        if stream.tries >= TRIES or len(data) >= MAX_UNKNOWN_BYTES:
            stream.is_left = True
            self._watching.nothing(talk.slot, side)
            if all(each.is_left or each.is_over for each in talk.sides or ()):
                self._leave(talk)

    def _begin(self, talk: Conversation, side: int, kind: ProtocolKind, data: bytes) -> None:
        talk.kind = kind
        talk.decoder = kind.decoder(talk.ends)
        order = (side, 1 - side) if talk.speaker == side else (1 - side, side)
        for each in order:
            if talk.sides is None or talk.decoder is None:
                return
            stream = talk.sides[each]
            first, stream.held = (data if each == side else stream.held), b""
            if first and not stream.is_over:
                self._feed(talk, each, stream, first)
            if stream.is_left and not talk.is_done:  # there is more of it, which was not watched
                stream.is_left = False
                self._watching.everything(talk.slot, each)
                self._lose(talk, each, stream)

    def _feed(self, talk: Conversation, side: int, stream: Stream, data: bytes) -> None:
        """Offer bytes to the decoder, again while there is more behind what it skips."""
        while data and talk.decoder is not None and talk.kind is not None:
            try:
                messages, consumed = talk.decoder.feed(side, data, talk.now)
            except Exception as error:  # noqa: BLE001  # a decoder's bug is met by a packet that somebody made for it
                self._refuse(talk, side, decoding.reason_of(error))
                return
            if messages:
                self._report(talk, messages)
            left = len(data) - consumed
            if left > talk.kind.buffer_bytes:
                self._refuse(talk, side, f"over {talk.kind.buffer_bytes} bytes without an end")
                return
            if left >= 0:
                stream.held = data[consumed:] if left else b""
                return
            if consumed >= AGAIN:
                self._turn(talk, consumed)
                return
            data = self._skip(talk, side, stream, -left)

    def _skip(self, talk: Conversation, side: int, stream: Stream, size: int) -> bytes:
        """Leave out bytes that follow; returns what waited behind them."""
        if size > _MAX_SKIP:
            self._close(talk, side)
            return b""
        fresh = stream.skip(size)
        if not fresh:
            stream.is_skipping = True
            self._watching.beyond(talk.slot, side, stream.next)
        return fresh

    def _turn(self, talk: Conversation, consumed: int) -> None:
        """End what the decoder does not want any more, or begin anew where another protocol follows."""
        if consumed >= DONE:
            self._leave(talk)
            return
        talk.hand_over()
        for stream in talk.sides or ():
            stream.tries = 0
            stream.is_lost = False

    def _refuse(self, talk: Conversation, side: int, reason: str) -> None:
        if talk.kind is not None:
            self._report(talk, (decoding.malformed(talk.kind, side, reason),))
        self._close(talk, side)

    def _close(self, talk: Conversation, side: int) -> None:
        """Give one side up; with both the conversation."""
        sides = talk.sides
        if sides is None:
            return
        sides[side].close()
        self._watching.nothing(talk.slot, side)
        if sides[1 - side].is_over:
            self._leave(talk)

    def _look_at_gap(self, talk: Conversation, side: int, stream: Stream) -> None:
        if stream.is_ambiguous:
            self._tell_ambiguity(talk, stream)
        while stream.is_stuck(talk.now) and not talk.is_done:
            self._pass_gap(talk, side, stream)

    def _pass_gap(self, talk: Conversation, side: int, stream: Stream) -> None:
        """Go on behind a gap."""
        stream.jump_to_waiting()
        self._go_on(talk, side, stream)

    def _cut(self, talk: Conversation, side: int, stream: Stream, missing: tuple[int, int]) -> None:
        """Go on behind bytes that were sent and not captured, unless nobody wants them."""
        begin, end = missing
        if talk.is_done or stream.is_over or (stream.next - begin) & ALL >= (end - begin) & ALL:
            return
        stream.jump(end)
        self._go_on(talk, side, stream)

    def _go_on(self, talk: Conversation, side: int, stream: Stream) -> None:
        """Read what waited behind bytes that will not come: piece by piece, since messages begin where packets do."""
        self._lose(talk, side, stream)
        while not (talk.is_done or stream.is_over) and (fresh := stream.piece()):
            self._deliver(talk, side, stream, fresh)

    def _lose(self, talk: Conversation, side: int, stream: Stream) -> None:
        """Account for bytes that will not come."""
        stream.held = b""
        if talk.decoder is None or talk.kind is None:
            return
        if talk.kind.resumes:
            stream.is_lost = True
            stream.tries = 0
        else:
            self._finish(talk)

    def _find_again(self, talk: Conversation, side: int, stream: Stream, data: bytes) -> None:
        """See whether a message begins behind a gap."""
        kind, old = talk.kind, talk.decoder
        if kind is None or old is None:
            return
        verdict = kind.recognise(data, side, talk.ends)
        if verdict is Verdict.YES:
            stream.is_lost = False
            self._report(talk, decoding.finish(kind, old))
            talk.decoder = kind.decoder(talk.ends)
            self._feed(talk, side, stream, data)
            return
        if verdict is Verdict.MORE and len(data) < MAX_UNKNOWN_BYTES:
            stream.held = data
        stream.tries += 1
        if stream.tries >= TRIES_BEHIND_A_GAP:
            self._close(talk, side)

    def _compare(self, talk: Conversation, stream: Stream, place: int, data: bytes) -> None:
        stream.compare((stream.next - place) & ALL, data)
        if stream.is_ambiguous:
            self._tell_ambiguity(talk, stream)

    def _tell_ambiguity(self, talk: Conversation, stream: Stream) -> None:
        stream.is_ambiguous = False
        self._object_to(talk, "tcp_overlap")

    def _finish(self, talk: Conversation) -> None:
        if talk.kind is not None and talk.decoder is not None:
            self._report(talk, decoding.finish(talk.kind, talk.decoder))
        self._leave(talk)

    def _leave(self, talk: Conversation) -> None:
        self._held -= talk.weight
        talk.weight = 0
        self._holding.pop(talk.slot, None)
        talk.leave(self._watching)

    def _weigh(self, talk: Conversation) -> None:
        """Keep what all streams hold within its bound."""
        weight = sum(len(stream.held) + stream.waiting_bytes for stream in talk.sides or ())
        self._held += weight - talk.weight
        talk.weight = weight
        if weight:
            self._holding.setdefault(talk.slot, talk)
        else:
            self._holding.pop(talk.slot, None)
        while self._held > self._max_held and self._holding:
            self.given_up += 1
            self._finish(next(iter(self._holding.values())))

"""All conversations that are going on, by the slot of their flow."""

from typing import Final

import numpy as np
import numpy.typing as npt

from sakimori_packet_sensor.domain.conversations import decoding
from sakimori_packet_sensor.domain.conversations.conversation import Conversation
from sakimori_packet_sensor.domain.conversations.rows import MarkRow, OpeningRows
from sakimori_packet_sensor.domain.conversations.stream import Stream
from sakimori_packet_sensor.domain.conversations.streams import Objection, Report, Streams
from sakimori_packet_sensor.domain.conversations.watching import Watching
from sakimori_packet_sensor.domain.protocols.contract import AGAIN, DONE, TCP, UDP, Verdict
from sakimori_packet_sensor.domain.protocols.registry import Registry

TRIES: Final = 4
"""Payloads of a flow that are looked at in vain before it is left alone."""
_MAX_MALFORMED: Final = 8
"""Datagrams of one flow that are reported as malformed before it is left alone."""


class Conversations:
    """Find each payload's conversation and decoder.

    There are as many as there are slots, and what their streams hold together is bounded (Streams). With
    `decoded_ports`, flows on other ports are not looked into.
    """

    def __init__(
        self,
        table: npt.NDArray[np.void],
        registry: Registry,
        report: Report,
        object_to: Objection,
        decoded_ports: frozenset[int] | None,
        *,
        held_bytes: int,
    ) -> None:
        self._openings = OpeningRows(table)
        self._watching = Watching(table)
        self._registry = registry
        self._report = report
        self._ports = decoded_ports
        self._talks: list[Conversation | None] = [None] * len(table)
        self.streams = Streams(registry, self._watching, report, object_to, held_bytes)

    def take(self, mark: MarkRow, data: memoryview) -> None:
        """Take the payload of one packet, which is in `data` where the mark says."""
        _, slot, side, place, begin, size, missing, time, number, _, _ = mark
        talk = self._talks[slot]
        if talk is None:
            talk = self._begin(slot)
        if talk.is_done:
            return
        talk.now, talk.number = time, number
        if talk.sides is not None:
            self.streams.take(talk, side, place, data[begin : begin + size], missing)
        else:
            self._datagram(talk, side, bytes(data[begin : begin + size]), missing)

    def end(self, slot: int) -> Conversation | None:
        """Finish the conversation of a flow that ended; returns what was known of it, None where nothing was said."""
        talk = self._talks[slot]
        self._talks[slot] = None
        if talk is None or talk.is_done:
            return talk
        if talk.sides is not None:
            self.streams.end(talk)
        elif talk.kind is not None and talk.decoder is not None:
            self._report(talk, decoding.finish(talk.kind, talk.decoder))
        return talk

    def known(self, slot: int) -> Conversation | None:
        """Look up the conversation of a flow that goes on."""
        return self._talks[slot]

    def _begin(self, slot: int) -> Conversation:
        talk = self._talks[slot] = Conversation(slot, self._openings.at(slot))
        is_wanted = self._ports is None or not self._ports.isdisjoint(talk.ends[2:])
        if talk.transport not in {TCP, UDP} or not is_wanted:
            talk.leave(self._watching)
        elif talk.transport == TCP:
            talk.sides = (Stream(), Stream())
        return talk

    def _datagram(self, talk: Conversation, side: int, data: bytes, missing: int) -> None:
        if talk.decoder is None and not self._recognise(talk, side, data):
            return
        try:
            messages, consumed = talk.decoder.feed(side, data, talk.now)  # type: ignore[union-attr]  # it is there now
        except Exception as error:  # noqa: BLE001  # a decoder's bug is met by a packet that somebody made for it
            self._refuse(talk, side, decoding.reason_of(error), missing)
            return
        if messages:
            self._report(talk, messages)
        if consumed >= DONE:
            talk.leave(self._watching)
        elif consumed >= AGAIN:
            talk.hand_over()

    def _recognise(self, talk: Conversation, side: int, data: bytes) -> bool:
        """Find out who speaks; a datagram stands for itself, so MORE is no answer here."""
        if data:
            for kind in self._registry.candidates(UDP, data[0], talk.ends):
                if kind.recognise(data, side, talk.ends) is Verdict.YES:
                    talk.kind = kind
                    talk.decoder = kind.decoder(talk.ends)
                    return True
        talk.tries += 1
        if talk.tries >= TRIES:
            talk.leave(self._watching)
        return False

    def _refuse(self, talk: Conversation, side: int, reason: str, missing: int) -> None:
        """Report a datagram that makes no sense, unless the capture cut it."""
        if talk.kind is not None and not missing:
            self._report(talk, (decoding.malformed(talk.kind, side, reason),))
        talk.malformed += 1
        if talk.malformed >= _MAX_MALFORMED:
            talk.leave(self._watching)

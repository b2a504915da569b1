"""A small protocol, and a sensor that speaks nothing else: for what all protocols have in common.

Lines of `say TEXT`, `body N` (N bytes follow that nobody wants), `again` (another protocol follows), `bye` (nothing is
wanted any more) and `crash` (a decoder with a bug).
"""

import io
from collections.abc import Sequence

from packets.frames import pcap_file
from sakimori_common.contracts import Event
from sakimori_packet_sensor.domain.capture.reader import read_capture
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sakimori_packet_sensor.domain.protocols.contract import (
    AGAIN,
    DONE,
    TCP,
    UDP,
    Ends,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.registry import Registry
from sakimori_packet_sensor.domain.sensor import Counts, Sensor

_WORDS = (b"say ", b"body ")


class TinyDecoder:
    """Each line is a message; the end of the conversation is another."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends

    def feed(self, side: int, data: bytes, time: int) -> Read:
        messages: list[Message] = []
        at = 0
        while (end := data.find(b"\n", at)) >= 0:
            word, _, rest = data[at:end].partition(b" ")
            at = end + 1
            if word == b"say":
                messages.append(Message("network.tiny", {"tiny.text": rest.decode(), "tiny.side": side}, side))
            elif word == b"body":
                at += int(rest)
                if at >= len(data):
                    break
            elif word in {b"bye", b"again"}:
                return Read(messages, DONE if word == b"bye" else AGAIN)
            elif word == b"crash":
                raise IndexError
            else:
                raise Malformed("no such word")
        return Read(messages, at)

    def finish(self) -> Sequence[Message]:
        return (Message("network.tiny", {"tiny.text": "(the end)"}),)


def recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    if data.startswith(_WORDS):
        return Verdict.YES
    return Verdict.MORE if any(word.startswith(data) for word in _WORDS) else Verdict.NO


def tiny(
    transport: int = TCP, name: str = "tiny", *, resumes: bool = False, is_encrypted: bool = False
) -> ProtocolKind:
    return ProtocolKind(
        name, transport, recognise, TinyDecoder, resumes=resumes, is_encrypted=is_encrypted, buffer_bytes=1000
    )


ONCE = Registry([tiny(), tiny(UDP)])
RESUMING = Registry([tiny(resumes=True)])


def sense(
    frames: Sequence[bytes], registry: Registry = ONCE, limits: FlowLimits | None = None, *, every: int = 1000
) -> tuple[list[Event], Counts]:
    sensor = Sensor({}, limits, registry=registry)
    capture = read_capture(io.BytesIO(pcap_file(frames, every=every)))
    return [event for events in sensor.events(capture) for event in events], sensor.counts


def texts(frames: Sequence[bytes], registry: Registry = ONCE, *, every: int = 1000) -> list[str]:
    """What was said, in order; what was malformed as its reason."""
    events, _ = sense(frames, registry, every=every)
    said = [event for event in events if event.dataset == "network.tiny"]
    return [str(event.fields.get("tiny.text", event.fields.get("error.message"))) for event in said]

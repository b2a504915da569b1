"""Reading messages one behind the other, which is what nearly every decoder of a stream does."""

from collections.abc import Callable

from sakimori_packet_sensor.domain.protocols.contract import DONE, Fields, Message, Read
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

Take = Callable[[int, bytes, int, list[Message]], int]
"""Takes the message of a side that begins at an offset of the data: adds what is to be said of it, returns where the
next one begins (also behind the data; DONE; AGAIN), or the same offset when more bytes are needed. Raises Malformed."""


def read_each(dataset: str, side: int, data: bytes, take: Take) -> Read:
    """Take all messages. When one is malformed, those before it are kept and the conversation ends."""
    messages: list[Message] = []
    at, end = 0, len(data)
    while at < end:
        try:
            behind = take(side, data, at, messages)
        except Malformed as problem:
            if not messages:
                raise
            messages.append(Message(dataset, malformed(problem), side))
            return Read(messages, DONE)
        if behind <= at:
            break
        at = behind
    return Read(messages, at)


def malformed(problem: object) -> Fields:
    """Say that a message is wrong, as an event does."""
    return {"error.code": "malformed", "error.message": str(problem)}

"""Every topic and every queue there is.

A topic is a durable exchange; a queue is one consumer group on it with any number of competing replicas. Publishers
declare the whole of it before their first message, so nothing is lost because a consumer has yet to start for the
first time (a message that fits no queue would be dropped by the broker without a word).
"""

from enum import StrEnum
from typing import Final


class Topic(StrEnum):
    """A stream of batches of one kind of struct."""

    EVENTS = "sakimori.events"
    FINDINGS = "sakimori.findings"
    DECISIONS = "sakimori.decisions"


class Queue(StrEnum):
    """A consumer group: `<service>.<what it takes>`."""

    STORE = "collector.events"
    DETECT = "detector.events"
    NOTIFY = "notifier.findings"
    ENFORCE = "chat.decisions"


QUEUES: Final[dict[Queue, Topic]] = {
    Queue.STORE: Topic.EVENTS,
    Queue.DETECT: Topic.EVENTS,
    Queue.NOTIFY: Topic.FINDINGS,
    Queue.ENFORCE: Topic.DECISIONS,
}


def dead_letters_of(queue: str) -> str:
    """Name the queue where what `queue` could not handle is kept."""
    return f"{queue}.dead"

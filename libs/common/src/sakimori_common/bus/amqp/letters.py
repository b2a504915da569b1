"""How a message stands in a dead-letter queue: what `bury` writes and what the broker itself writes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiormq.abc import DeliveredMessage

from sakimori_common.bus.handling import DELIVERY_LIMIT_REASON
from sakimori_common.bus.port import DeadLetter, Message
from sakimori_common.bus.topology import Queue
from sakimori_common.instants import format_instant, now_text, to_microseconds

REASON, DIED_AT = "dead-reason", "dead-at"
_OURS = {REASON, DIED_AT}

_BROKER_REASONS = {
    "delivery_limit": DELIVERY_LIMIT_REASON,
    "rejected": "rejected by a consumer",
    "expired": "expired in the queue",
    "maxlen": "the queue was full",
}
"""The broker's words (header x-death) in ours."""


def to_message(delivered: DeliveredMessage) -> Message:
    """Read a message as its publisher wrote it, without what the broker or `bury` added."""
    properties = delivered.header.properties
    headers = {
        key: value
        for key, value in (properties.headers or {}).items()
        if isinstance(value, str) and key not in _OURS and not key.startswith("x-")
    }
    return Message(properties.message_id or "", delivered.body, headers)


def redeliveries_of(delivered: DeliveredMessage) -> int:
    """Read how often the broker had this message back before."""
    count = (delivered.header.properties.headers or {}).get("x-delivery-count", 0)
    return count if isinstance(count, int) else 0


def headers_of_the_dead(message: Message, reason: str) -> dict[str, str]:
    """Write the headers of a message that is buried now."""
    return {**message.headers, REASON: reason, DIED_AT: now_text()}


def to_dead_letter(queue: Queue, delivered: DeliveredMessage) -> DeadLetter:
    """Read a dead letter, whoever buried it."""
    headers: Mapping[str, Any] = delivered.header.properties.headers or {}
    reason, died_at = headers.get(REASON), headers.get(DIED_AT)
    if not isinstance(reason, str):
        reason, died_at = _broker_says(headers)
    return DeadLetter(to_message(delivered), queue, reason, died_at if isinstance(died_at, str) else "")


def _broker_says(headers: Mapping[str, Any]) -> tuple[str, str]:
    deaths = headers.get("x-death")
    last = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
    word, died_at = last.get("reason"), last.get("time")
    at = format_instant(to_microseconds(died_at)) if isinstance(died_at, datetime) and died_at.tzinfo else ""
    return _BROKER_REASONS.get(str(word), str(word or "unknown")), at

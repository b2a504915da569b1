"""Events as rows of `collector.events`."""

import re
from datetime import datetime
from uuid import UUID

import msgspec

from sakimori_collector.domain.addresses import canonical_ip
from sakimori_collector.domain.severity import severity_of
from sakimori_collector.domain.text import storable, without_nul
from sakimori_common.contracts import Event, FieldValue
from sakimori_common.instants import to_datetime

Row = tuple[datetime, str, str, str | None, str | None, str | None, str | None, str, str, str | None]
"""time, id (UUID), dataset, action, outcome, source_ip (address), user_name, fields (JSON), severity, host."""

COLUMNS = ("time", "id", "dataset", "action", "outcome", "source_ip", "user_name", "fields", "severity", "host")

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_encoder = msgspec.json.Encoder()


def row_of(event: Event) -> Row:
    """Write an event as a row. Raises ValueError for an id that is no UUID or a time beyond the year 9999."""
    fields = event.fields
    encoded = _encoder.encode(fields)
    if b"\\u0000" in encoded:
        # jsonb has no NUL. Looked for in the JSON, since that is one search for the whole event.
        fields = {without_nul(name): storable(value) for name, value in fields.items()}
        encoded = _encoder.encode(fields)
    address = _text(fields, "source.ip")
    try:
        return (
            to_datetime(event.time),
            event.id if _UUID.fullmatch(event.id) else str(UUID(event.id)),
            without_nul(event.dataset),
            _text(fields, "event.action"),
            _text(fields, "event.outcome"),
            canonical_ip(address) if address is not None else None,
            _text(fields, "user.name"),
            encoded.decode(),
            severity_of(fields),
            _text(fields, "host.hostname") or _text(fields, "host.name") or _text(fields, "observer.name"),
        )
    except (ValueError, OverflowError) as error:
        raise ValueError(f"event {event.id[:64]}: {error}") from None


def _text(fields: dict[str, FieldValue], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) else None

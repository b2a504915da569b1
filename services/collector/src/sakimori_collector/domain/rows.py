"""Events as rows of `collector.events`."""

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from uuid import UUID

import msgspec

from sakimori_collector.domain.addresses import canonical_ip
from sakimori_collector.domain.text import storable, without_nul
from sakimori_common.contracts import Event, FieldValue
from sakimori_common.instants import to_datetime

Row = tuple[datetime, UUID, str, str | None, str | None, IPv4Address | IPv6Address | None, str | None, str]
"""time, id, dataset, action, outcome, source_ip, user_name, fields (JSON)."""

COLUMNS = ("time", "id", "dataset", "action", "outcome", "source_ip", "user_name", "fields")

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
    ip = canonical_ip(address) if address is not None else None
    try:
        return (
            to_datetime(event.time),
            UUID(event.id),
            without_nul(event.dataset),
            _text(fields, "event.action"),
            _text(fields, "event.outcome"),
            ip_address(ip) if ip is not None else None,
            _text(fields, "user.name"),
            encoded.decode(),
        )
    except (ValueError, OverflowError) as error:
        raise ValueError(f"event {event.id[:64]}: {error}") from None


def _text(fields: dict[str, FieldValue], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) else None

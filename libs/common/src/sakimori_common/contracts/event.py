"""One thing that happened, in Elastic Common Schema names."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from sakimori_common.ids import random_event_id
from sakimori_common.instants import EARLIEST, LATEST, format_instant, parse_instant

Scalar = str | int | float | bool | None
FieldValue = str | int | float | bool | list[str | int | float | bool | None] | None

MAX_FIELDS = 256
MAX_VALUE_CHARACTERS = 65_536
MAX_ID_CHARACTERS = 512
"""Windows and findings keep many ids: so they stay small."""
_SMALLEST = -(1 << 63)
_BEYOND = 1 << 64


class EventError(ValueError):
    """A flat object is not an event; the message says which key and why."""


class Event(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An event: flat fields under ECS names, everything but time, id and dataset.

    `id` is a UUIDv7 in text form, `time` the instant it happened in microseconds since the epoch (UTC), `dataset` the
    ECS `event.dataset` such as `nginx.access`. Encoded as a MessagePack array: 1-2 us an event of 25 fields.
    """

    id: str
    time: int
    dataset: str
    fields: dict[str, FieldValue]

    def get(self, name: str) -> FieldValue:
        """Read a field by its ECS name, the three of the envelope included; None when absent."""
        if name in self.fields:
            return self.fields[name]
        if name == "event.dataset":
            return self.dataset
        if name == "event.id":
            return self.id
        return format_instant(self.time) if name == "@timestamp" else None

    def to_flat(self) -> dict[str, Any]:
        """Write the flat JSON object of docs/reference/event.md."""
        return {
            "@timestamp": format_instant(self.time),
            "event.id": self.id,
            "event.dataset": self.dataset,
            **self.fields,
        }

    def to_line(self) -> bytes:
        """Write `to_flat` as a line of NDJSON, in a third of the time."""
        begin = _ENCODE(_Begin(format_instant(self.time), self.id, self.dataset))
        if not self.fields:
            return begin + b"\n"
        return b"%b,%b\n" % (begin[:-1], _ENCODE(self.fields)[1:])

    @classmethod
    def from_flat(cls, flat: Mapping[str, Any]) -> "Event":
        """Read a flat or nested JSON object; nested objects are flattened with dots, as ECS reads them.

        `event.id` is made up when absent. Raises EventError: missing or impossible `@timestamp`, missing
        `event.dataset`, an id of over 512 characters, over 256 fields, a value of over 65,536 characters or of a type
        that is no field value.
        """
        return cls._of_fields(flatten(flat))

    @classmethod
    def from_json(cls, text: bytes | str) -> "Event":
        """Read a JSON object as `from_flat` does, four times as fast where it is flat.

        Raises EventError, and msgspec.DecodeError for what is no JSON object.
        """
        fields = decode_flat(text)
        return cls._of_fields(fields) if fields is not None else cls.from_flat(_ANY.decode(text))

    @classmethod
    def _of_fields(cls, fields: dict[str, FieldValue]) -> "Event":
        time, dataset, identity = pop_envelope(fields)
        return cls(identity or random_event_id(time), time, dataset, fields)


def decode_flat(text: bytes | str) -> dict[str, FieldValue] | None:
    """Read a JSON object whose values are all fit for an event; None when it is nested, or one of them is not.

    Raises msgspec.DecodeError for what is no JSON.
    """
    try:
        fields = _FLAT.decode(text)
    except msgspec.ValidationError:
        return None
    return fields if len(fields) <= MAX_FIELDS else None


def flatten(value: Mapping[str, Any]) -> dict[str, FieldValue]:
    """Make flat fields of what is flat or nested. Raises EventError as `Event.from_flat` does."""
    fields: dict[str, FieldValue] = {}
    _flatten("", value, fields, depth=0)
    return fields


def pop_envelope(fields: dict[str, FieldValue]) -> tuple[int, str, str]:
    """Take time, dataset and id out of flat fields; the id is empty where there is none.

    Raises EventError when one is missing or impossible.
    """
    time = _instant(fields.pop("@timestamp", None))
    dataset = fields.pop("event.dataset", None)
    if not isinstance(dataset, str) or not dataset:
        raise EventError("event.dataset is missing: a name such as nginx.access")
    identity = fields.pop("event.id", None)
    if identity is None:
        return time, dataset, ""
    if not isinstance(identity, str) or not identity:
        raise EventError("event.id must be a non-empty string")
    if len(identity) > MAX_ID_CHARACTERS:
        raise EventError(f"event.id: over {MAX_ID_CHARACTERS} characters")
    return time, dataset, identity


class _Begin(msgspec.Struct, gc=False):
    """The envelope as a line has it; a dictionary is written a third slower."""

    time: str = msgspec.field(name="@timestamp")
    id: str = msgspec.field(name="event.id")
    dataset: str = msgspec.field(name="event.dataset")


_ENCODE = msgspec.json.Encoder().encode
_Text = Annotated[str, msgspec.Meta(max_length=MAX_VALUE_CHARACTERS)]
_Integer = Annotated[int, msgspec.Meta(ge=_SMALLEST, le=(1 << 63) - 1)]
_List = Annotated[list[_Text | _Integer | float | bool | None], msgspec.Meta(max_length=MAX_FIELDS)]
_FLAT: msgspec.json.Decoder[dict[str, FieldValue]] = msgspec.json.Decoder(
    dict[str, _Text | _Integer | float | bool | _List | None]
)
_ANY = msgspec.json.Decoder(dict[str, Any])


def _instant(value: FieldValue) -> int:
    if not isinstance(value, str):
        raise EventError("@timestamp is missing: an RFC 3339 time such as 2026-01-16T02:00:00.000Z")
    try:
        time = parse_instant(value)
    except (ValueError, OverflowError) as error:
        raise EventError(f"@timestamp: {error}") from None
    if not EARLIEST <= time <= LATEST:
        raise EventError("@timestamp must lie between 1970 and 9999")
    return time


def _flatten(prefix: str, value: Mapping[str, Any], into: dict[str, FieldValue], depth: int) -> None:
    if depth > 16:
        raise EventError(f"{prefix}: nested deeper than 16 objects")
    for key, item in value.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if type(item) is str and len(item) <= MAX_VALUE_CHARACTERS:  # most are; the checks below cost ten times as much
            into[name] = item
        elif isinstance(item, Mapping):
            _flatten(name, item, into, depth + 1)
        else:
            into[name] = _checked(name, item)
        if len(into) > MAX_FIELDS:
            raise EventError(f"over {MAX_FIELDS} fields")


def _checked(name: str, value: Any) -> FieldValue:
    if isinstance(value, list):
        return [_scalar(name, item) for item in value[:MAX_FIELDS]]
    return _scalar(name, value)


def _scalar(name: str, value: Any) -> Scalar:
    if isinstance(value, str):
        if len(value) > MAX_VALUE_CHARACTERS:
            raise EventError(f"{name}: over {MAX_VALUE_CHARACTERS} characters")
        return value
    if isinstance(value, int) and not _SMALLEST <= value < _BEYOND:
        raise EventError(f"{name}: an integer of over 64 bits")
    if value is None or isinstance(value, int | float):
        return value
    raise EventError(f"{name}: a {type(value).__name__} is no field value")

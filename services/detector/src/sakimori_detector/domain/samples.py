"""An event as it waits with a sign until its window is judged: short, but what a finding shows of it."""

from typing import Final

import msgspec

from sakimori_common.contracts import Event, FieldValue

MAX_CHARACTERS: Final = 4000
MAX_VALUE_CHARACTERS: Final = 500
_SAMPLE: Final = msgspec.json.Decoder(Event)


def sample_of(event: Event) -> str:
    """Write an event, long values cut; the longest fields are left out where it would be over 4,000 characters."""
    fields: dict[str, FieldValue] = {}
    left = MAX_CHARACTERS
    for name, value in sorted(event.fields.items(), key=lambda item: len(str(item[1]))):
        cut = value[:MAX_VALUE_CHARACTERS] if isinstance(value, str) else value
        left -= len(name) + len(str(cut))
        if left < 0:
            break
        fields[name] = cut
    return msgspec.json.encode(Event(event.id, event.time, event.dataset, fields)).decode()


def event_of(sample: str) -> Event:
    """Read a sample back."""
    return _SAMPLE.decode(sample)

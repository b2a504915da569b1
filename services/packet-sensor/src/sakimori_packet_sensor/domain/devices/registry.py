"""All devices of a network: events in, events out."""

from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Final

from sakimori_common.contracts import Event, FieldValue
from sakimori_common.ids import event_id
from sakimori_packet_sensor.domain.devices.device import Device
from sakimori_packet_sensor.domain.devices.knowledge import Knowledge, opinion
from sakimori_packet_sensor.domain.devices.neighbourhood import MAX_DEVICES, Neighbourhood
from sakimori_packet_sensor.domain.devices.opinion import RANDOM, Opinion, is_random
from sakimori_packet_sensor.domain.devices.reading import READERS, read_other
from sakimori_packet_sensor.domain.devices.record import DeviceRecord, Fields, fields_of, record_of, restored
from sakimori_packet_sensor.domain.devices.trust import Known, trust

SECOND: Final = 1_000_000
GATHER_SECONDS: Final = 10
"""Changes are gathered for so long before they are reported; twice as long each time, up to:"""
GATHER_MOST_SECONDS: Final = 300
OFFLINE_SECONDS: Final = 2400
"""After so long a silence a device counts as gone: longer than a flow may last unreported (FlowLimits: 30 minutes)."""
DISCOVERIES_A_MINUTE: Final = 1000
"""More new devices than that are a flood of made-up addresses: those that remain are reported in the next minutes."""

_DATASET: Final = "network.device"
_NO_NEWS: Final = frozenset(
    f"sakimori.device.{name}"
    for name in ("first_seen", "last_seen", "bytes_in", "bytes_out", "packets", "flows", "peers")
)
"""Fields that change all the time: their change alone is reported only at the end."""

Origin = Mapping[str, FieldValue]


class _Reported:
    """What was said of a device last, and when the next may be said."""

    __slots__ = ("fields", "is_waiting", "times")

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.times = 0
        self.is_waiting = False


class Devices:
    """The registry. A function of the events it is given; their own times are its clock, but for `tick`.

    Memory is bounded: so many devices, and so much of each. Not thread-safe.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        origin: Origin,
        *,
        max_devices: int = MAX_DEVICES,
        offline_seconds: int = OFFLINE_SECONDS,
    ) -> None:
        self._knowledge = knowledge
        self._origin = dict(origin)
        self._offline = offline_seconds * SECOND
        self._hood = Neighbourhood(self._manufacturer, max_devices)
        self._reported: dict[str, _Reported] = {}
        self._opinions: dict[str, tuple[int, Opinion]] = {}  # by MAC, with the number of signs it rests on
        self._fresh: dict[str, None] = {}  # seen, not reported yet
        self._due: list[tuple[int, str]] = []  # a heap: when changes of a device are reported
        self._dirty: set[str] = set()  # since take_changed
        self._now = 0
        self._minute, self._discovered = 0, 0

    @property
    def forgotten(self) -> int:
        """How many devices made room for others."""
        return self._hood.forgotten

    def __len__(self) -> int:
        return len(self._hood.devices)

    def observe(self, events: Sequence[Event]) -> list[Event]:
        """Take events; gives back those to publish: the same but for sightings, and what they tell about devices."""
        out: list[Event] = []
        hood, now = self._hood, self._now
        for event in events:
            dataset = event.dataset
            reader = READERS.get(dataset)
            if reader is not None or dataset.startswith("network."):
                now = max(now, event.time)
                (reader or read_other)(hood, event)
            if dataset != _DATASET:
                out.append(event)
        self._now = now
        for device in self._hood.touched.values():
            self._noted(device, out)
        self._hood.touched.clear()
        self._discover(out)
        self._report_due(out)
        return out

    def tick(self, now: int) -> list[Event]:
        """Let time pass, in microseconds since the epoch: reports what waited, and who went away."""
        out: list[Event] = []
        self._now = max(self._now, now)
        self._discover(out)
        self._report_due(out)
        for device in list(self._hood.silent(self._now - self._offline)):
            if device.is_online and device.mac in self._reported:
                device.is_online = False
                self._dirty.add(device.mac)
                out.append(self._event("device.offline", device, self._fields(device)))
        return out

    def finish(self) -> list[Event]:
        """Say all that was not said: afterwards the last event of each device holds everything known of it."""
        out: list[Event] = []
        self._minute, self._discovered = 0, -len(self._fresh)
        self._discover(out)
        for device in self._hood.devices.values():
            self._report_change(device, out, is_last=True)
        self._due.clear()
        return out

    def records(self) -> Iterable[DeviceRecord]:
        """Give all devices."""
        return [self._record(device) for device in self._hood.devices.values()]

    def take_changed(self) -> list[DeviceRecord]:
        """Give those of which anything is new since the last call."""
        changed = [self._record(device) for mac in sorted(self._dirty) if (device := self._hood.devices.get(mac))]
        self._dirty.clear()
        return changed

    def restore(self, records: Iterable[DeviceRecord]) -> None:
        """Take what was known when the sensor ran before, the most recent last; these are not discovered anew."""
        for record in records:
            device = restored(record)
            self._hood.put(device)
            self._reported[record.mac] = _Reported(self._fields(device))

    def _manufacturer(self, mac: str) -> str:
        return RANDOM if is_random(mac) else self._knowledge.manufacturer(mac)

    def _noted(self, device: Device, out: list[Event]) -> None:
        """See to it that what events told about a device is reported in time."""
        mac = device.mac
        self._dirty.add(mac)
        known = self._reported.get(mac)
        if known is None:
            self._fresh[mac] = None
            return
        if not device.is_online:
            device.is_online = True
            out.append(self._event("device.online", device, self._fields(device)))
        if device.has_news and not known.is_waiting:
            known.is_waiting = True
            wait = min(GATHER_SECONDS << min(known.times, 8), GATHER_MOST_SECONDS)
            heappush(self._due, (self._now + wait * SECOND, mac))

    def _discover(self, out: list[Event]) -> None:
        minute = self._now // (60 * SECOND)
        if minute != self._minute:
            self._minute, self._discovered = minute, min(self._discovered, 0)
        while self._fresh and self._discovered < DISCOVERIES_A_MINUTE:
            mac = next(iter(self._fresh))
            del self._fresh[mac]
            device = self._hood.devices.get(mac)
            if device is not None:
                self._discovered += 1
                fields = self._fields(device)
                device.has_news = False
                self._keep(mac, fields)
                out.append(self._event("device.discovered", device, fields))

    def _keep(self, mac: str, fields: Fields) -> None:
        self._reported[mac] = _Reported(fields)
        if len(self._reported) > 2 * len(self._hood.devices) + 64:
            self._reported = {mac: known for mac, known in self._reported.items() if mac in self._hood.devices}

    def _report_due(self, out: list[Event]) -> None:
        while self._due and self._due[0][0] <= self._now:
            _, mac = heappop(self._due)
            device = self._hood.devices.get(mac)
            if device is not None and mac in self._reported:
                self._reported[mac].is_waiting = False
                self._report_change(device, out)

    def _report_change(self, device: Device, out: list[Event], *, is_last: bool = False) -> None:
        known = self._reported.get(device.mac)
        if known is None:
            return
        fields = self._fields(device)
        device.has_news = False
        changed = sorted(
            name for name in fields.keys() | known.fields.keys() if fields.get(name) != known.fields.get(name)
        )
        if not changed or not (is_last or set(changed) - _NO_NEWS):
            return
        known.fields = fields
        known.times += 1
        out.append(self._event("device.changed", device, {**fields, "sakimori.device.changed": [*changed]}))

    def _opinion(self, device: Device) -> Opinion:
        """Give the opinion on a device; a new one only where there are new signs, of which none ever goes."""
        signs = sum(len(known) for known in device.signs.values())
        known = self._opinions.get(device.mac)
        if known is not None and known[0] == signs:
            return known[1]
        said = opinion(self._knowledge, device.all_signs(), device.manufacturer)
        if len(self._opinions) > 2 * len(self._hood.devices) + 64:
            self._opinions.clear()
        self._opinions[device.mac] = signs, said
        return said

    def _record(self, device: Device) -> DeviceRecord:
        said = self._opinion(device)
        score = trust(
            Known(
                type=said.type,
                is_random_mac=device.manufacturer == RANDOM,
                offered=tuple(device.offered),
                counts=device.counts,
            )
        )
        return record_of(device, said, score)

    def _fields(self, device: Device) -> Fields:
        return fields_of(self._record(device), max(self._now, device.last_seen))

    def _event(self, action: str, device: Device, fields: Fields) -> Event:
        """Write an event at the time the device was seen last; for its going, at the present."""
        time = (
            self._now
            if action == "device.offline"
            else device.first_seen
            if action == "device.discovered"
            else device.last_seen
        )
        content = {"event.category": "network", **self._origin, "event.action": action, **fields}
        known = self._reported.get(device.mac)
        identity = (device.mac, action, str(known.times if known is not None else 0))
        return Event(event_id(time, _DATASET, *identity), time, _DATASET, content)

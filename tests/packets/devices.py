"""Events as the sensor makes them, and a registry to give them to."""

from sakimori_common.contracts import Event, FieldValue
from sakimori_packet_sensor.adapters.knowledge import shipped_rules
from sakimori_packet_sensor.adapters.vendors import manufacturer
from sakimori_packet_sensor.domain.devices.knowledge import Knowledge
from sakimori_packet_sensor.domain.devices.record import DeviceRecord
from sakimori_packet_sensor.domain.devices.registry import Devices

START = 1_700_000_000_000_000
SECOND = 1_000_000
CAMERA, PHONE, ROUTER = "00-00-5E-00-53-01", "02-00-5E-00-53-02", "00-00-5E-00-53-FE"
CAMERA_IP, PHONE_IP, ROUTER_IP = "192.0.2.10", "192.0.2.20", "192.0.2.1"


KNOWLEDGE = Knowledge(shipped_rules(), None, manufacturer)
"""Rules and makers, no model."""


def event(dataset: str, at: float = 0.0, **fields: FieldValue) -> Event:
    """Make an event `at` seconds after START; two underscores in a name are a dot."""
    named = {name.replace("__", "."): value for name, value in fields.items()}
    return Event(f"{dataset} {at}", START + int(at * SECOND), dataset, named)


def sighting(mac: str, at: float = 0.0, ip: str | None = None) -> Event:
    extra: dict[str, FieldValue] = {"device__ip": ip} if ip else {}
    return event("network.device", at, event__action="device.sighted", device__mac=mac, **extra)


def arp(mac: str, ip: str, at: float = 0.0, **more: FieldValue) -> Event:
    return event("network.arp", at, arp__operation="request", arp__sender_mac=mac, arp__sender_ip=ip, **more)


def flow(source: tuple[str, str, int], destination: tuple[str, str, int], at: float = 0.0, **more: FieldValue) -> Event:
    fields: dict[str, FieldValue] = {
        "source__mac": source[0], "source__ip": source[1], "source__port": source[2], "source__bytes": 400,
        "source__packets": 4, "destination__mac": destination[0], "destination__ip": destination[1],
        "destination__port": destination[2], "destination__bytes": 3000, "destination__packets": 3,
        "network__transport": "tcp", "sakimori__flow__state": "closed", "sakimori__flow__tcp_flags": "FSPA",
    }  # fmt: skip
    return event("network.flow", at, **{**fields, **more})


def devices(**limits: int) -> Devices:
    """Make a registry that knows the rules and no model."""
    return Devices(KNOWLEDGE, {"observer.name": "test"}, **limits)


def told(events: list[Event]) -> list[tuple[FieldValue, FieldValue]]:
    """List what is said about which device."""
    return [
        (each.fields["event.action"], each.fields["device.mac"]) for each in events if each.dataset == "network.device"
    ]


def record(registry: Devices, mac: str) -> DeviceRecord:
    """Give the one device of a MAC address."""
    [found] = [each for each in registry.records() if each.mac == mac]
    return found

"""What multicast DNS says of the devices that offer services (RFC 6763): the parts of it that name a device."""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import Final

from sakimori_packet_sensor.domain.domain_names import unescaped
from sakimori_packet_sensor.domain.protocols.contract import Fields
from sakimori_packet_sensor.domain.protocols.dns_messages import DnsMessage
from sakimori_packet_sensor.domain.protocols.dns_records import Record

_MOST: Final = 64
_SERVICE: Final = re.compile(r"(?:(?P<instance>.+)\.)?(?P<service>_[^.]+\._(?:tcp|udp))\.[^_]+", re.DOTALL)
_SERVICE_KINDS: Final = frozenset({"PTR", "SRV", "TXT"})
_ENUMERATION: Final = "_services._dns-sd._udp"


def service_fields(message: DnsMessage) -> Fields:
    """Gather service types, instances, hosts, addresses and TXT strings of all records, each at most 64 times.

    They are the sender's own where the message is an answer; a question carries what the sender knows of others.
    """
    records = message.answers + message.additionals
    if not records:
        return {}
    services: dict[str, None] = {}
    instances: dict[str, None] = {}
    hosts: dict[str, None] = {}
    addresses: dict[str, None] = {}
    for record in records:
        _note_service(record, services, instances)
        if record.kind in {"A", "AAAA"}:
            hosts[record.name] = None
            addresses[record.data] = None
        elif record.kind == "SRV":
            hosts[record.data.rpartition(" ")[2]] = None
    found: dict[str, Iterable[str]] = {
        "mdns.services": services,
        "mdns.instances": instances,
        "mdns.hosts": hosts,
        "mdns.addresses": addresses,
        "mdns.txt": dict.fromkeys(text for text in message.texts if text),
    }
    return {name: [*islice(values, _MOST)] for name, values in found.items() if values}


def _note_service(record: Record, services: dict[str, None], instances: dict[str, None]) -> None:
    if record.kind in _SERVICE_KINDS:
        service, instance = _service_of(record.data if record.kind == "PTR" else record.name)
        if service:
            services[service] = None
        if instance:
            instances[instance] = None


@lru_cache(4096)
def _service_of(name: str) -> tuple[str, str]:
    """Split the name of a service into its type and its instance; "" for what is not there."""
    found = _SERVICE.fullmatch(name)
    if found is None:
        return "", ""
    service, instance = found["service"], found["instance"] or ""
    return "" if service == _ENUMERATION else service, "" if instance.startswith("_") else unescaped(instance)

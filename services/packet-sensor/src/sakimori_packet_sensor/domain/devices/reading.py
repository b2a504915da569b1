"""What events tell about devices, by dataset.

Each reader takes an event and changes what is known of the devices at its two ends. What is said by an address that
only passes through a device - a router's - is nobody's here.
"""

from collections.abc import Callable, Mapping
from typing import Final

from sakimori_common.contracts import Event
from sakimori_packet_sensor.domain.devices.claims import read_arp, read_dhcp, read_dhcpv6, read_neighbour
from sakimori_packet_sensor.domain.devices.neighbourhood import Neighbourhood
from sakimori_packet_sensor.domain.devices.talk import read_dns, read_http, read_mqtt, read_other, read_ssdp, read_tls
from sakimori_packet_sensor.domain.devices.traffic import read_anomaly, read_flow, read_sighting

Reader = Callable[[Neighbourhood, Event], None]

READERS: Final[Mapping[str, Reader]] = {
    "network.device": read_sighting,
    "network.flow": read_flow,
    "network.arp": read_arp,
    "network.ndp": read_neighbour,
    "network.dhcp": read_dhcp,
    "network.dhcpv6": read_dhcpv6,
    "network.dns": read_dns,
    "network.ssdp": read_ssdp,
    "network.http": read_http,
    "network.tls": read_tls,
    "network.quic": read_tls,
    "network.mqtt": read_mqtt,
    "network.anomaly": read_anomaly,
}
"""By dataset; `read_other` for the rest of `network.*`."""

__all__ = ["READERS", "read_other"]

"""Who is there: the devices by MAC address, and which of them has which IP address."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from sakimori_packet_sensor.domain.devices.device import Device

MAX_DEVICES: Final = 8192
"""About 20 KB each at most, 2 KB as a rule; of more, the one that was silent longest is forgotten."""
MAX_NETWORKS: Final = 256
MAX_TRAFFIC_ADDRESSES: Final = {4: 4, 6: 16}
"""Of more addresses than so many that a device only sends from, without claiming them, it carries traffic of others.
IPv6 hosts have many (RFC 8981: a new temporary one a day, kept for a week)."""
FOREIGN_ADDRESSES: Final = 3
"""From so many addresses of other networks on, a device is a router. One may be a stray packet after a move."""
RIVAL_SECONDS: Final = 60
"""An address that changes hands within so long was taken over; after longer, a lease was given to somebody else."""

Manufacturer = Callable[[str], str]
"""MAC address as text to the name of its maker, empty when unknown."""

_NOBODY: Final = frozenset({"00-00-00-00-00-00", "FF-FF-FF-FF-FF-FF"})
_GROUP: Final = frozenset("13579BDFbdf")
_LOCAL: Final = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "fe80::/10",
        "fc00::/7",
    )
)
"""RFC 1918, 6598, 3927, 4291 and 4193: a sender with one of these is on this side of the internet."""


class Neighbourhood:
    """All devices.

    An address belongs to the device that claimed it last (ARP, DHCP, neighbour discovery, mDNS), else to the one that
    sends from it, if the address is of a local network and the device no router.
    """

    def __init__(self, manufacturer: Manufacturer, max_devices: int = MAX_DEVICES) -> None:
        self.devices: OrderedDict[str, Device] = OrderedDict()  # the one seen last at the end
        self.forgotten = 0
        self.touched: dict[str, Device] = {}  # found since this was last emptied
        self._manufacturer = manufacturer
        self._max = max_devices
        self._owners: dict[str, str] = {}
        self._networks: OrderedDict[str, None] = OrderedDict()

    def find(self, mac: object, time: int) -> Device | None:
        """Give the device of a MAC address, a new one where there is none; None for what cannot be a device's."""
        if not isinstance(mac, str):
            return None
        device = self.devices.get(mac)
        if device is None:
            if len(mac) != 17 or mac[1] in _GROUP or mac in _NOBODY:
                return None
            device = self._add(mac, time)
        else:
            self.devices.move_to_end(mac)
        self.touched[mac] = device
        if time > device.last_seen:
            device.last_seen = time
        elif time < device.first_seen:
            device.first_seen = time
        return device

    def _add(self, mac: str, time: int) -> Device:
        while len(self.devices) >= self._max:
            self._forget(self.devices.popitem(last=False)[1])
        device = self.devices[mac] = Device(mac, time, self._manufacturer(mac))
        return device

    def put(self, device: Device) -> None:
        """Add one that was known before."""
        if len(self.devices) < self._max and device.mac not in self.devices:
            self.devices[device.mac] = device
            for ip, address in device.addresses.items():
                if address.is_claimed:
                    self._owners[ip] = device.mac
                    self._learn(ip)

    def _forget(self, device: Device) -> None:
        self.forgotten += 1
        for ip in device.addresses:
            if self._owners.get(ip) == device.mac:
                del self._owners[ip]

    def claim(self, device: Device, ip: object, time: int) -> bool:
        """A device says itself that it has an address. Says whether that is news."""
        if not isinstance(ip, str) or not _is_single(ip):
            return False
        owner = self._owners.get(ip)
        if owner is not None and owner != device.mac and (rival := self.devices.get(owner)) is not None:
            held = rival.addresses.pop(ip, None)
            if held is not None and held.is_claimed and time - held.last_seen < RIVAL_SECONDS * 1_000_000:
                device.trouble("address_taken", time)
        self._owners[ip] = device.mac
        self._learn(ip)
        device.foreign.discard(ip)
        return self._hold(device, ip, time, is_claimed=True)

    def belongs(self, device: Device, ip: object, time: int) -> bool:
        """Whether what was sent from (or to) an address is the device's own doing; takes the address if it can be."""
        if not isinstance(ip, str):
            return True
        known = device.addresses.get(ip)
        if known is not None:
            known.last_seen = max(known.last_seen, time)
            return True
        if not _is_single(ip):
            return True
        return ip not in self._owners and not device.is_carrier and self._taken(device, ip, time)

    def _taken(self, device: Device, ip: str, time: int) -> bool:
        """Take an address that nobody claimed and that a device sends from, unless it passes on what others send."""
        if not self.is_local(ip):
            self._carry(device, ip)
            return False
        is_six = ":" in ip
        held = [
            each for each, address in device.addresses.items() if not address.is_claimed and (":" in each) == is_six
        ]
        if len(held) >= MAX_TRAFFIC_ADDRESSES[6 if is_six else 4]:
            self._become_carrier(device, held)
            return False
        self._hold(device, ip, time, is_claimed=False)
        return True

    def is_local(self, ip: str) -> bool:
        """Whether an address is of a private network, or of one in which somebody claimed an address."""
        return _is_private(ip) or _network_of(ip) in self._networks

    def owner(self, ip: str) -> Device | None:
        """Give the device that claimed an address."""
        mac = self._owners.get(ip)
        return self.devices.get(mac) if mac is not None else None

    def _hold(self, device: Device, ip: str, time: int, *, is_claimed: bool) -> bool:
        held = set(device.addresses)
        is_new = device.hold(ip, time, is_claimed=is_claimed)
        for gone in held - set(device.addresses) if is_new else ():
            if self._owners.get(gone) == device.mac:
                del self._owners[gone]
        return is_new

    def _carry(self, device: Device, ip: str) -> None:
        if len(device.foreign) < FOREIGN_ADDRESSES:
            device.foreign.add(ip)
            if len(device.foreign) >= FOREIGN_ADDRESSES:
                self._become_carrier(device, [])

    def _become_carrier(self, device: Device, given_up: list[str]) -> None:
        device.is_carrier = True
        device.show("role:carrier")
        for ip in given_up:
            del device.addresses[ip]

    def _learn(self, ip: str) -> None:
        network = _network_of(ip)
        if network not in self._networks:
            while len(self._networks) >= MAX_NETWORKS:
                self._networks.popitem(last=False)
            self._networks[network] = None

    def silent(self, before: int) -> Iterator[Device]:
        """Give the devices not seen since, those silent longest first."""
        for device in self.devices.values():
            if device.last_seen < before:
                yield device


@lru_cache(16_384)
def _parsed(ip: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(ip)
    except ValueError:
        return None


@lru_cache(16_384)
def _is_single(ip: str) -> bool:
    """Whether it is one host's address: no group, not everybody, not nobody."""
    address = _parsed(ip)
    return address is not None and not (address.is_multicast or address.is_unspecified or ip == "255.255.255.255")


@lru_cache(16_384)
def _is_private(ip: str) -> bool:
    address = _parsed(ip)
    return address is not None and any(address in network for network in _LOCAL if network.version == address.version)


@lru_cache(16_384)
def _network_of(ip: str) -> str:
    """Name the network that neighbours of an address are likely to share: 24 or 64 bits of it."""
    if ":" in ip:
        return str(IPv6Network((ip, 64), strict=False))
    return ip.rpartition(".")[0]

"""Every protocol that the sensor speaks, and which of them to ask about a first payload."""

from collections.abc import Iterable, Sequence
from importlib import import_module
from types import ModuleType
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import Ends, ProtocolKind
from sakimori_packet_sensor.domain.protocols.ports import PORT_NAMES

_NAMES: Final = (
    "bacnet", "bittorrent", "coap", "dcerpc", "dhcp", "dhcpv6", "dnp3", "dns", "dtls", "edimax", "edonkey",
    "ftp", "http", "imap", "irc", "ldap", "modbus", "mqtt", "mysql", "netbios", "ntp", "pop3", "postgresql",
    "quic", "rdp", "redis", "rfb", "rtsp", "sip", "smb", "smtp", "snmp", "ssdp", "ssh", "stratum", "telnet",
    "tftp", "tls",
)  # fmt: skip
"""The modules here that speak a protocol, in alphabetical order: each has a PROTOCOL or PROTOCOLS. Where two recognise
a payload on a port that neither expects, the first wins."""
_MODULES: Final = tuple(import_module(f"sakimori_packet_sensor.domain.protocols.{name}") for name in _NAMES)

_REMEMBERED: Final = 16_384


def kinds_of(modules: Iterable[ModuleType]) -> tuple[ProtocolKind, ...]:
    """Collect what modules offer."""
    found: list[ProtocolKind] = []
    for module in modules:
        found += getattr(module, "PROTOCOLS", ()) or (module.PROTOCOL,)
    return tuple(found)


class Registry:
    """Protocols by what can be seen of a payload without understanding it: transport, first byte, ports."""

    def __init__(self, kinds: Sequence[ProtocolKind]) -> None:
        self.kinds = tuple(kinds)
        self._names = {(kind.transport, kind.name) for kind in kinds}
        self._expected = {(kind.transport, port) for kind in kinds for port in kind.ports}
        self._known: dict[tuple[int, int, int, int], tuple[ProtocolKind, ...]] = {}

    def candidates(self, transport: int, first: int, ends: Ends) -> tuple[ProtocolKind, ...]:
        """List whom to ask about a payload that begins with the byte `first`: those who expect a port of it first."""
        source = ends.source_port if (transport, ends.source_port) in self._expected else 0
        destination = ends.destination_port if (transport, ends.destination_port) in self._expected else 0
        key = (transport, first, source, destination)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[key] = self._ordered(transport, first, {source, destination})
        return known

    def _ordered(self, transport: int, first: int, ports: set[int]) -> tuple[ProtocolKind, ...]:
        fitting = [
            kind
            for kind in self.kinds
            if kind.transport == transport and (kind.first_bytes is None or first in kind.first_bytes)
        ]
        return tuple(sorted(fitting, key=lambda kind: kind.ports.isdisjoint(ports)))  # stable: the list's order remains

    def name_by_port(self, transport: int, ends: Ends, *, is_content_known: bool) -> str:
        """Name what a flow with payload probably is, whose content nobody recognised; "" where nothing says.

        Where the flow's beginning was seen (`is_content_known`), a protocol that is recognised by content is ruled out.
        """
        for port in (ends.destination_port, ends.source_port):
            name = PORT_NAMES.get((transport, port), "")
            if name and not (is_content_known and (transport, name) in self._names):
                return name
        return ""


PROTOCOLS: Final = Registry(kinds_of(_MODULES))
"""All that there are."""

"""Ports for fragments that do not carry them."""

from collections import OrderedDict
from typing import Final

from sakimori_packet_sensor.domain.decode.packet import NO_PORT, Fragment, IpPacket

_REMEMBERED: Final = 4096
"""First fragments that are remembered; the rest of a packet follows within milliseconds."""


class FragmentPorts:
    """Remember the ports of first fragments, the newest of them.

    A fragment that comes before its first, or long after it, has no ports: such packets make a flow of their own.
    """

    def __init__(self) -> None:
        self._ports: OrderedDict[tuple[bytes, bytes, int, int], tuple[int, int]] = OrderedDict()

    def ports(self, packet: IpPacket, fragment: Fragment) -> tuple[int, int]:
        """Tell source and destination port of a fragment, NO_PORT where unknown."""
        key = (packet.source, packet.destination, packet.protocol, fragment.identification)
        if not fragment.is_first:
            return self._ports.get(key, (NO_PORT, NO_PORT))
        while len(self._ports) >= _REMEMBERED:
            self._ports.popitem(last=False)
        self._ports[key] = (packet.source_port, packet.destination_port)
        return self._ports[key]

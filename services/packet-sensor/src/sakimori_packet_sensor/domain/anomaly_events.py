"""Headers and streams that are wrong, as events: a few for each source and reason, the rest counted."""

from collections import OrderedDict
from typing import Final

from sakimori_common.contracts import Event
from sakimori_common.ids import event_id
from sakimori_common.instants import MICROSECONDS
from sakimori_packet_sensor.domain.addresses import ip_text, mac_text
from sakimori_packet_sensor.domain.conversations.rows import Sender
from sakimori_packet_sensor.domain.headers import NOBODY, Fields, Origin

A_MINUTE: Final = 10
"""Events of one source and reason in a minute."""
_MINUTE: Final = 60 * MICROSECONDS
_REMEMBERED: Final = 4096


class AnomalyEvents:
    """Make them. What was not reported is said by the next event of that source and reason."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._seen: OrderedDict[tuple[bytes, str], list[int]] = OrderedDict()

    def of_packet(self, sender: Sender, reason: str, time: int, number: int) -> Event | None:
        """Report a packet; None when its source has had its share of this minute."""
        fields: Fields = {}
        if sender.address:
            fields["network.type"] = "ipv4" if len(sender.address) == 4 else "ipv6"
            fields["source.ip"] = ip_text(sender.address)
        if sender.mac != NOBODY:
            fields["source.mac"] = mac_text(sender.mac)
        if sender.vlan:
            fields["network.vlan.id"] = str(sender.vlan)
        return self.of(sender.address or sender.mac, reason, (time, number), fields)

    def of(self, source: bytes, reason: str, packet: tuple[int, int], fields: Fields) -> Event | None:
        """Report what is wrong with the packet whose time and number are given; None as above."""
        time, number = packet
        suppressed = self._suppressed(source, reason, time)
        if suppressed is None:
            return None
        fields = {"event.category": "network", **self._origin, **fields, "sakimori.anomaly.reason": reason}
        if suppressed:
            fields["sakimori.anomaly.suppressed"] = suppressed
        return Event(event_id(time, "network.anomaly", source, reason, str(number)), time, "network.anomaly", fields)

    def _suppressed(self, source: bytes, reason: str, time: int) -> int | None:
        """Count one; returns how many went unreported before it, None if it does, too."""
        key = (source, reason)
        state = self._seen.get(key)
        if state is None:
            if len(self._seen) >= _REMEMBERED:
                self._seen.popitem(last=False)
            state = self._seen[key] = [time, 0, 0]
        begun, reported, unreported = state
        if not 0 <= time - begun < _MINUTE:
            begun, reported = time, 0
        if reported >= A_MINUTE:
            state[2] += 1
            return None
        state[:] = begun, reported + 1, 0
        return unreported

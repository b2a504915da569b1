"""What went through a sensor, as numbers that can be sent, added and told apart."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:  # the sensor brings the compiler along, which the service's own process does without
    from sakimori_packet_sensor.domain.sensor import Counts

Numbers = dict[str, int]


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Totals of a capture, or of a worker since it began.

    `totals` has packets, bytes, flows, flows_evicted, flows_shed, packets_shed, streams_given_up and, of a worker,
    ring_drops, ring_freezes and events_lost. `undecoded` and `anomalies` are by reason, `malformed` by protocol.
    """

    totals: Numbers = {}
    undecoded: Numbers = {}
    malformed: Numbers = {}
    anomalies: Numbers = {}

    def since(self, earlier: "Tally") -> "Tally":
        """Tell what came after `earlier`."""
        return Tally(
            totals=_grown(self.totals, earlier.totals),
            undecoded=_grown(self.undecoded, earlier.undecoded),
            malformed=_grown(self.malformed, earlier.malformed),
            anomalies=_grown(self.anomalies, earlier.anomalies),
        )


def tally_of(counts: "Counts", **others: int) -> Tally:
    """Write a sensor's counts, and `others` beside its totals, as a tally."""
    totals = {
        "packets": counts.packets,
        "bytes": counts.bytes,
        "flows": counts.flows,
        "flows_evicted": counts.evicted,
        "flows_shed": counts.shed_flows,
        "packets_shed": counts.shed_packets,
        "streams_given_up": counts.streams_given_up,
        **others,
    }
    return Tally(
        totals=totals,
        undecoded=dict(counts.undecoded),
        malformed=dict(counts.malformed),
        anomalies=dict(counts.anomalies),
    )


def _grown(now: Mapping[str, int], before: Mapping[str, int]) -> Numbers:
    return {name: count - before.get(name, 0) for name, count in now.items()}

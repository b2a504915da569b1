"""Blocks of packets in; ended flows and the few packets worth a decoder out."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sakimori_packet_sensor.domain.capture.block import Block
from sakimori_packet_sensor.domain.fastpath import loop
from sakimori_packet_sensor.domain.fastpath.arrays import Array
from sakimori_packet_sensor.domain.fastpath.layout import FOLDED, Anomaly, Undecoded
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sakimori_packet_sensor.domain.fastpath.memory import allocate

_process: Final[Callable[..., int]] = loop.process
_TOTALS: Final = (
    "packets", "bytes", "started", "evicted", "folded", "shed_flows", "shed_packets", "stations_unmarked",
)  # fmt: skip
"""Of the record, in the order of FastCounts."""
_KINDS: Final = (np.uint8, np.int64, np.int32, np.int32, np.int64, np.int32)


class Ended(NamedTuple):
    """Flows that are to be reported, in the order of their ends: copies, their slots and why (Ending)."""

    flows: Array
    slot: npt.NDArray[np.int32]
    ending: npt.NDArray[np.uint8]


class FastCounts(NamedTuple):
    """What went through since the beginning. Bytes are those on the wire.

    `flows` counts parts as the reports do; `evicted` those that went for want of room, of which `folded` are reported
    together. `shed_flows` and `shed_packets` came while no flow might begin. `stations_unmarked` new stations were not
    marked because there were too many in a second.
    """

    packets: int
    bytes: int
    flows: int
    evicted: int
    folded: int
    shed_flows: int
    shed_packets: int
    stations_unmarked: int
    undecoded: Mapping[Undecoded, int]
    anomalies: Mapping[Anomaly, int]


class FastPath:
    """The flow table and the compiled loop that fills it; nothing in a block makes it raise.

    Making one compiles the loop unless that lies in the cache. `seed` should be secret where traffic may be hostile: it
    keys the hashes. Not to be used by two threads at once; the interpreter's lock is released while it works.
    """

    def __init__(self, limits: FlowLimits, seed: int = 0) -> None:
        self._memory = allocate(limits, seed)
        self._record = self._memory.record[0]
        self.table: Array = self._memory.flows
        """FLOW by slot; `watch` and `skip_to` are to be written by those who decode."""
        self._nothing = Block._make(np.zeros(0, kind) for kind in _KINDS)
        self.process(self._nothing, 0)

    def process(self, block: Block, first: int) -> int:
        """Handle packets from `first`; returns the next one not handled, less than n when an output table is full:
        take what ended, and call again."""
        done = self._run(block, first, 0, is_last=False)
        return len(block.at) if done < 0 else done

    def _run(self, block: Block, first: int, clock: int, *, is_last: bool) -> int:
        arrays = (_readable(array, kind) for array, kind in zip(block, _KINDS, strict=True))
        return int(_process(self._memory.record, self._memory.header, *arrays, first, clock, int(is_last)))

    def marks(self) -> Array:
        """Marks (MARK) of the last call of `process`, in the order of the packets: good until the next call."""
        return self._memory.marks[: self._record["marked"]]

    def take_ended(self) -> Ended:
        """Hand out the flows that ended. A slot is used again only after this and another call of `process`."""
        count = int(self._record["ended"])
        self._record["ended"] = 0
        memory = self._memory
        return Ended(memory.ended[:count].copy(), memory.ended_slots[:count].copy(), memory.ended_why[:count].copy())

    def take_folded(self) -> Array:
        """Hand out the attempts (FOLDED) that were given up for want of room since the last call."""
        folded, sketches = self._memory.folded, self._memory.sketches
        places = np.flatnonzero(folded["count"])
        taken = folded[places]
        for entry, place in zip(taken, places, strict=True):
            entry["sources"] = min(_estimate(sketches[place]), float(entry["count"]))
        folded[places] = np.zeros(1, FOLDED)
        sketches[places] = 0
        return taken

    def tick(self, now: int) -> bool:
        """Let time pass without a packet: `now` by the clock, in microseconds. Flows end that were idle for too long.

        False: there are more of them than can be taken at once; take what ended and call again.
        """
        return self._run(self._nothing, 0, now, is_last=False) >= 0

    def finish(self) -> bool:
        """End every flow that is left; False as for `tick`."""
        return self._run(self._nothing, 0, 0, is_last=True) >= 0

    @property
    def is_shedding(self) -> bool:
        """Whether no new flow begins: its packets are counted as shed, also those that come after this is over."""
        return bool(self._record["is_shedding"])

    @is_shedding.setter
    def is_shedding(self, is_shedding: bool) -> None:
        self._record["is_shedding"] = is_shedding

    @property
    def counts(self) -> FastCounts:
        """What went through until now."""
        record = self._record
        undecoded = {reason: int(record["undecoded"][reason]) for reason in Undecoded}
        anomalies = {reason: int(record["anomalies"][reason]) for reason in Anomaly if reason}
        return FastCounts._make([*(int(record[name]) for name in _TOTALS), undecoded, anomalies])


def _readable(array: Array, kind: type) -> Array:
    """Give every array one type, so that the loop is compiled once: contiguous and not to be written."""
    view: Array = np.ascontiguousarray(array, kind).view()
    view.flags.writeable = False
    return view


def _estimate(sketch: Array) -> float:
    """Estimate how many different values a HyperLogLog sketch saw, with linear counting where they are few."""
    registers = len(sketch)
    zeros = int(np.count_nonzero(sketch == 0))
    raw = 0.7213 / (1 + 1.079 / registers) * registers**2 / float(np.sum(np.exp2(-sketch.astype(np.float64))))
    if zeros and raw <= 2.5 * registers:
        return float(registers * np.log(registers / zeros))
    return raw

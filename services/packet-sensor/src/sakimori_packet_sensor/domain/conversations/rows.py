"""Rows of the fast path's tables as Python values.

NumPy hands out one field of one record in a tenth of a microsecond; `struct` unpacks a whole record in half of one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from struct import Struct
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sakimori_packet_sensor.domain.fastpath.layout import FLOW, FOLDED, MARK

_CODES: Final = {"u1": "B", "u2": "H", "u4": "I", "u8": "Q", "i2": "h", "i4": "i", "i8": "q", "f4": "f", "f8": "d"}


class _Columns:
    """Some columns of a table, read from the bytes of its records.

    A wanted name is a column's; `name.0` and `name.1` are the halves of one that has an entry a side. Columns of
    several bytes (addresses, heads, sizes) come as bytes, others as numbers.
    """

    def __init__(self, table: np.dtype[np.void], wanted: Sequence[str]) -> None:
        self.size = table.itemsize
        at, layout = 0, "<"
        places: dict[str, int] = {}
        fields: Mapping[str, Any] = table.fields or {}
        for name in sorted(table.names or (), key=lambda name: fields[name][1]):
            column, offset = fields[name][:2]
            layout += f"{offset - at}x"
            at = offset + column.itemsize
            halves = [f"{name}.{side}" for side in (0, 1)]
            if name in wanted:
                places[name] = len(places)
                layout += _CODES[column.base.str[1:]] if column.shape == () else f"{column.itemsize}s"
            elif halves[0] in wanted:
                is_number = column.shape == (2,)
                layout += 2 * (_CODES[column.base.str[1:]] if is_number else f"{column.itemsize // 2}s")
                places |= {half: len(places) + side for side, half in enumerate(halves)}
            else:
                layout += f"{column.itemsize}x"
        self._struct = Struct(f"{layout}{table.itemsize - at}x")
        self._in_order: Callable[[tuple[object, ...]], tuple[object, ...]]
        self._in_order = itemgetter(*(places[name] for name in wanted))

    def rows(self, table: npt.NDArray[np.void]) -> Iterator[tuple[object, ...]]:
        return map(self._in_order, self._struct.iter_unpack(table.tobytes()))

    def row(self, raw: memoryview, index: int) -> tuple[object, ...]:
        return self._in_order(self._struct.unpack_from(raw, index * self.size))


_made: Final[Any] = tuple.__new__
"""Make a named tuple of a tuple: a fifth of what its own constructor takes for thirty fields."""


def _cut(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Shorten the first two values, addresses of 16 bytes, if the third says that they are of IPv4."""
    if values[2] != 4:
        return values
    return (values[0][:4], values[1][:4], *values[2:])


class FlowRow(NamedTuple):
    """One flow; see layout.FLOW. Addresses are shortened to their 4 or 16 bytes; `sizes` are packed 16-bit integers."""

    source: bytes
    destination: bytes
    version: int
    start: int
    last: int
    number: int
    source_mac: bytes
    destination_mac: bytes
    source_port: int
    destination_port: int
    protocol: int
    vlan: int
    tunnel: int
    source_packets: int
    destination_packets: int
    source_bytes: int
    destination_bytes: int
    source_payload: int
    destination_payload: int
    source_flags: int
    destination_flags: int
    opening_flags: int
    gap_sum: float
    gap_squares: float
    small_packets: int
    large_packets: int
    sizes: bytes
    source_head: bytes
    destination_head: bytes
    source_head_bytes: int
    destination_head_bytes: int
    source_entropy: float
    destination_entropy: float
    source_sampled: int
    destination_sampled: int


_FLOW: Final = _Columns(
    FLOW,
    (
        "source", "destination", "version", "start", "last", "number", "source_mac", "destination_mac", "source_port",
        "destination_port", "protocol", "vlan", "tunnel", "packets.0", "packets.1", "bytes.0", "bytes.1",
        "payload_bytes.0", "payload_bytes.1", "flags.0", "flags.1", "opening_flags", "gap_sum", "gap_squares",
        "small_packets", "large_packets", "sizes", "head.0", "head.1", "head_bytes.0", "head_bytes.1",
        "entropy.0", "entropy.1", "sampled.0", "sampled.1",
    ),
)  # fmt: skip


def flow_rows(flows: npt.NDArray[np.void]) -> Iterator[FlowRow]:
    """Unpack flows, in order."""
    for values in _FLOW.rows(flows):
        yield _made(FlowRow, _cut(values))


class Opening(NamedTuple):
    """What a flow's first packet fixes."""

    source: bytes
    destination: bytes
    version: int
    source_port: int
    destination_port: int
    protocol: int
    source_mac: bytes
    destination_mac: bytes
    vlan: int
    tunnel: int
    opening_flags: int


_OPENING: Final = _Columns(
    FLOW,
    (
        "source", "destination", "version", "source_port", "destination_port", "protocol", "source_mac",
        "destination_mac", "vlan", "tunnel", "opening_flags",
    ),
)  # fmt: skip


class OpeningRows:
    """Read openings out of the flow table, by slot. The table stays where it is for the life of its fast path."""

    def __init__(self, table: npt.NDArray[np.void]) -> None:
        self._bytes = memoryview(table.view(np.uint8)).cast("B")  # type: ignore[arg-type]  # an array is a buffer

    def at(self, slot: int) -> Opening:
        """Read one."""
        opening: Opening = _made(Opening, _cut(_OPENING.row(self._bytes, slot)))
        return opening


MarkRow = tuple[int, int, int, int, int, int, int, int, int, int, int]
"""One mark: kind, flow, side, offset, payload_at, payload_bytes, missing, time, number, reason, index."""

_MARK: Final = _Columns(
    MARK,
    ("kind", "flow", "side", "offset", "payload_at", "payload_bytes", "missing", "time", "number", "reason", "index"),
)


def mark_rows(marks: npt.NDArray[np.void]) -> Iterator[MarkRow]:
    """Unpack marks, in order."""
    return _MARK.rows(marks)  # type: ignore[return-value]  # eleven integers


class Sender(NamedTuple):
    """Whom a mark is about, as far as its packet says: zeros for no MAC address, empty for no IP address."""

    mac: bytes
    address: bytes
    vlan: int


_SENDER: Final = _Columns(MARK, ("mac", "address", "vlan", "version"))


def sender_of(marks: npt.NDArray[np.void], index: int) -> Sender:
    """Read who sent the packet of the mark at `index`."""
    mac, address, vlan, version = _SENDER.row(memoryview(marks[index : index + 1].tobytes()), 0)
    return Sender(mac, address[: {4: 4, 6: 16}.get(version, 0)], vlan)  # type: ignore[arg-type,index,call-overload]


class FoldedRow(NamedTuple):
    """Attempts that were given up together; see layout.FOLDED. Version 0: to various destinations."""

    source: bytes
    destination: bytes
    version: int
    attempts: int
    packets: int
    ip_bytes: int
    first: int
    last: int
    number: int
    source_mac: bytes
    destination_mac: bytes
    source_port: int
    destination_port: int
    vlan: int
    protocol: int
    flags: int
    sources: float


_FOLDED: Final = _Columns(
    FOLDED, [{"attempts": "count", "ip_bytes": "bytes"}.get(name, name) for name in FoldedRow._fields]
)


def folded_rows(folded: npt.NDArray[np.void]) -> Iterator[FoldedRow]:
    """Unpack folded attempts, in order."""
    for values in _FOLDED.rows(folded):
        yield _made(FoldedRow, _cut(values))

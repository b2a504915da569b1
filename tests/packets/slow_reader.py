"""A reader of pcap and pcapng that is as plain as can be: the whole file in memory, one packet at a time.

What the compiled walkers are held against. `read` returns the packets up to where the file is cut or damaged, and
whether it was; None for what is no capture.
"""

from struct import unpack, unpack_from

from packets.blocks import Frame

LATEST = 253_402_300_799_999_999
MAX_FRAME = 262_144
MAGICS = {
    "d4c3b2a1": ("<", 1, 16),
    "a1b2c3d4": (">", 1, 16),
    "4d3cb2a1": ("<", 1000, 16),
    "a1b23c4d": (">", 1000, 16),
    "34cdb2a1": ("<", 1, 24),
    "a1b2cd34": (">", 1, 24),
}


class Damaged(Exception):
    """The rest cannot be read."""


def read(data: bytes) -> tuple[list[Frame], bool] | None:
    """Read a capture."""
    frames: list[Frame] = []
    if data[:4].hex() in MAGICS:
        if len(data) < 24:
            return None
        read_records = read_pcap
    elif data[:4].hex() == "0a0d0d0a":
        try:
            section_header(data, 0)
        except Damaged:
            return None
        read_records = read_pcapng
    else:
        return None
    try:
        read_records(data, frames)
    except Damaged:
        return frames, True
    return frames, False


def read_pcap(data: bytes, frames: list[Frame]) -> None:
    """Read records into `frames`."""
    order, fractions, header = MAGICS[data[:4].hex()]
    link_type = unpack(f"{order}I", data[20:24])[0] & 0xFFFF
    at = 24
    while at < len(data):
        if len(data) < at + header:
            raise Damaged
        seconds, fraction, captured, wire = unpack_from(f"{order}IIII", data, at)
        if captured > MAX_FRAME or len(data) < at + header + captured:
            raise Damaged
        time = seconds * 1_000_000 + fraction // fractions
        packet = data[at + header : at + header + captured]
        frames.append(Frame(time, link_type, min(wire, 2**31 - 1), packet))
        at += header + captured


def section_header(data: bytes, at: int) -> tuple[str, int]:
    """Return the byte order and where the next block begins."""
    order = {"4d3c2b1a": "<", "1a2b3c4d": ">"}.get(data[at + 8 : at + 12].hex())
    if order is None:
        raise Damaged
    (length,) = unpack_from(f"{order}I", data, at + 4)
    end = at + (length + 3) // 4 * 4
    if not 28 <= length <= 2**24 or len(data) < end:
        raise Damaged
    return order, end


def read_pcapng(data: bytes, frames: list[Frame]) -> None:
    """Read blocks, putting packets into `frames`."""
    at, order, interfaces = 0, "<", list[tuple[int, int, int, int]]()
    while at < len(data):
        if len(data) < at + 8:
            raise Damaged
        if data[at : at + 4].hex() == "0a0d0d0a":
            (order, at), interfaces = section_header(data, at), []
            continue
        kind, length = unpack_from(f"{order}II", data, at)
        end = at + (length + 3) // 4 * 4
        if not 12 <= length <= 2**24 or len(data) < end or unpack_from(f"{order}I", data, end - 4) != (length,):
            raise Damaged
        body = data[at + 8 : end - 4]
        if kind == 1:
            if len(body) < 8 or len(interfaces) >= 65_536:
                raise Damaged
            interfaces.append(interface(order, body))
        elif kind in (2, 3, 6):
            frames.append(packet(order, kind, body, interfaces, frames[-1].time if frames else 0))
        at = end


def interface(order: str, body: bytes) -> tuple[int, int, int, int]:
    """Return link type, snap length, ticks a second, offset in seconds."""
    link_type, _, snap = unpack_from(f"{order}HHI", body)
    at, per_second, offset = 8, 1_000_000, 0
    while at + 4 <= len(body):
        code, length = unpack_from(f"{order}HH", body, at)
        value = body[at + 4 : at + 4 + length]
        if code == 0:
            break
        if code == 9 and value:
            per_second = (2 if value[0] & 0x80 else 10) ** (value[0] & 0x7F)
        if code == 14 and len(value) == 8:
            (offset,) = unpack(f"{order}q", value)
        at += 4 + (length + 3) // 4 * 4
    return link_type, snap, per_second, offset


def packet(order: str, kind: int, body: bytes, interfaces: list[tuple[int, int, int, int]], before: int) -> Frame:
    """Read one of the three packet blocks."""
    if kind == 3:
        if len(body) < 4:
            raise Damaged
        (wire,) = unpack_from(f"{order}I", body)
        link_type, snap, *_ = interfaces[0] if interfaces else (-1, 0, 0, 0)
        size = min(wire, snap or wire, MAX_FRAME)
        return Frame(before, link_type, min(wire, 2**31 - 1), body[4 : 4 + size])
    if len(body) < 20:
        raise Damaged
    number, high, low, captured, wire = unpack_from(f"{order}IIIII", body)
    if kind == 2:
        (number,) = unpack_from(f"{order}H", body)
    if captured > min(len(body) - 20, MAX_FRAME):
        raise Damaged
    link_type, _, per_second, offset = interfaces[number] if number < len(interfaces) else (-1, 0, 1_000_000, 0)
    since = bounded((high << 32 | low) * 1_000_000 // per_second)
    ahead = bounded(abs(offset) * 1_000_000) * (1 if offset >= 0 else -1)
    return Frame(bounded(since + ahead), link_type, min(wire, 2**31 - 1), body[20 : 20 + captured])


def bounded(time: int) -> int:
    """Keep a time between 1970 and 9999."""
    return min(max(time, 0), LATEST)

"""From a packet's ends to the slot of its flow: a keyed hash, open addressing with linear probing."""

# ruff: noqa: PLR0917  # compiled functions take words, by position

import numpy as np

from sakimori_packet_sensor.compiled import called, inlined
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int, Record
from sakimori_packet_sensor.domain.fastpath.memory import flows, index_of
from sakimori_packet_sensor.domain.fastpath.reading import be32, be64

_32: np.uint64 = np.uint64(32)
_LOW: np.uint64 = np.uint64(0xFFFFFFFF)
_MIX: np.uint64 = np.uint64(0x9E3779B97F4A7C15)


@inlined
def both_ends(data: Array, head: Record) -> tuple[Int, Int, Int, Int, Int, Int]:
    """Make the key of a flow, five words, and tell whether the packet goes from its second end to its first.

    The lower address comes first, of equal ones the lower port, so that both directions have the same key.
    """
    one_at, other_at = head.source_at, head.destination_at
    low, high = head.source_port + 1, head.destination_port + 1
    if head.version == 4:
        a, b, c, d = np.uint64(0), np.uint64(be32(data, one_at)), np.uint64(0), np.uint64(be32(data, other_at))
    else:
        a, b = be64(data, one_at), be64(data, one_at + 8)
        c, d = be64(data, other_at), be64(data, other_at + 8)
    is_turned = a > c or (a == c and (b > d or (b == d and low > high)))
    if is_turned:
        a, b, c, d = c, d, a, b
        low, high = high, low
    rest = (low << 40) | (high << 16) | (head.protocol << 8) | head.version
    return a, b, c, d, np.uint64(rest), np.int64(is_turned)


@inlined
def hashed(m: Record, a: Int, b: Int, c: Int, d: Int, rest: Int) -> Int:
    """Hash a key with secret multipliers, so that nobody can choose flows that collide.

    Multilinear hashing (Lemire and Kaser, "Strongly universal string hashing is fast", 2014) over halves of words,
    then mixed: all 64 bits are good.
    """
    k = m.secrets
    value = k[8] + k[0] * (b & _LOW) + k[1] * (d & _LOW) + k[2] * (rest & _LOW) + k[3] * (rest >> _32)
    if (a | c | (b >> _32) | (d >> _32)) != np.uint64(0):
        value += k[4] * (a & _LOW) + k[5] * (a >> _32) + k[6] * (c & _LOW) + k[7] * (c >> _32)
        value += k[9] * (b >> _32) + k[10] * (d >> _32)
    value ^= value >> _32
    value *= _MIX
    return value ^ (value >> _32)


@inlined
def find(m: Record, value: Int, a: Int, b: Int, c: Int, d: Int, rest: Int) -> Int:
    """Find the slot of a key, -1 if there is none."""
    index = index_of(m)
    mask = np.int64(len(index) - 1)
    tag = value >> _32
    place = np.int64(tag) & mask
    while True:
        entry = index[place]
        if entry == np.uint64(0):
            return -1
        if entry >> _32 == tag:
            slot = np.int64(entry & _LOW) - 1
            key = flows(m)[slot].key
            if key[4] == rest and key[1] == b and key[3] == d and key[0] == a and key[2] == c:
                return slot
        place = (place + 1) & mask


@inlined
def insert(m: Record, value: Int, slot: Int) -> None:
    """Enter a slot under its hash; there is always room."""
    index = index_of(m)
    mask = np.int64(len(index) - 1)
    tag = value >> _32
    place = np.int64(tag) & mask
    while index[place] != np.uint64(0):
        place = (place + 1) & mask
    index[place] = (tag << _32) | np.uint64(slot + 1)


@called
def remove(m: Record, slot: Int) -> None:
    """Take a slot out, and close the gap (Knuth, volume 3, 6.4, algorithm R)."""
    index = index_of(m)
    mask = np.int64(len(index) - 1)
    key = flows(m)[slot].key
    tag = hashed(m, key[0], key[1], key[2], key[3], key[4]) >> _32
    wanted = (tag << _32) | np.uint64(slot + 1)
    place = np.int64(tag) & mask
    while index[place] != wanted:
        place = (place + 1) & mask
    gap = place
    while True:
        place = (place + 1) & mask
        entry = index[place]
        if entry == np.uint64(0):
            break
        home = np.int64(entry >> _32) & mask
        if ((place - home) & mask) >= ((place - gap) & mask):
            index[gap] = entry
            gap = place
    index[gap] = np.uint64(0)

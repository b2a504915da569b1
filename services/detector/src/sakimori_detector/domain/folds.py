"""Analytics with a memory: a pure step from what is remembered and what came to what is remembered next.

Whoever keeps the memory (a dictionary, Valkey) reads the keys, calls the step, and writes the result back only if
nobody else wrote in between; otherwise it calls the step again. So replicas share it without a lock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sakimori_detector.sigma.windows import Group


class Write(NamedTuple):
    """A key's next value, forgotten after `ttl_seconds`; None leaves it as it is."""

    value: bytes
    ttl_seconds: int


class Step(NamedTuple):
    """What a fold comes to: one write per key, in their order, and the signs that follow."""

    writes: list[Write | None]
    groups: list[Group]


@dataclass(frozen=True, slots=True)
class Fold:
    """A step over the values of some keys; None is a value that is not there. `time` is that of the latest event."""

    keys: tuple[str, ...]
    time: int
    step: Callable[[Sequence[bytes | None]], Step]

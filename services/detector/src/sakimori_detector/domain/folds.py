"""Analytics with a memory: a pure step from what is remembered and what came to what is remembered next.

Whoever keeps the memory (a dictionary, Valkey) reads the keys, calls the step, and writes the result back only if
nobody else wrote in between; otherwise it calls the step again. So replicas share it without a lock.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

import msgspec

from sakimori_common.ids import digest
from sakimori_detector.sigma.windows import Group

T = TypeVar("T")

MAX_NAME_CHARACTERS: Final = 128


def key_of_memory(area: str, *names: str) -> str:
    """Name a key `detector:<area>:<name>:...`; a name of over 128 characters, which no entity has, by its digest."""
    short = [name if len(name) <= MAX_NAME_CHARACTERS else digest(name).hex() for name in names]
    return ":".join(["detector", area, *short])


def recall(value: bytes | None, kind: type[T]) -> T | None:
    """Read what was remembered; None where nothing was, or what another version or somebody by hand has written."""
    if value is None:
        return None
    try:
        return msgspec.msgpack.decode(value, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


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
    """A step over the values of some keys; None is a value that is not there. One batch has one fold a key, at most.

    `time` is that of the latest event, from which on lives what is written. `since` is that of the earliest, None if
    they are one: what was forgotten before it is not there.
    """

    keys: tuple[str, ...]
    time: int
    step: Callable[[Sequence[bytes | None]], Step]
    since: int | None = None


def fold_over(times: Iterable[int], keys: tuple[str, ...], step: Callable[[Sequence[bytes | None]], Step]) -> Fold:
    """Make a fold over events at these times."""
    known = list(times)
    return Fold(keys, max(known), step, min(known))

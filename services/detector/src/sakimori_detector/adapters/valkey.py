"""The state that all replicas share: one script call a batch.

Memory in Valkey: a window is one string of at most `MAX_UNSETTLED` and `Window.retained` entries of a key (48 bytes
each), twice if there are latecomers, for as long as they can matter plus `GRACE_SECONDS`; a batch keeps its outcomes,
mostly none, for `BATCH_TTL_SECONDS`. Packed strings rather than sorted sets: one read and one write a key and batch,
however many signs. The script makes the names of windows itself: hundreds of declared keys a batch cost the client as
much as all the rest (so: no cluster).
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final, cast

import msgspec
from redis.exceptions import MasterDownError, OutOfMemoryError, ReadOnlyError, ResponseError

from sakimori_common.bus import Retry
from sakimori_common.context import Valkey
from sakimori_common.ids import digest
from sakimori_common.instants import MICROSECONDS
from sakimori_common.valkey import CONNECTION_ERRORS, unavailable
from sakimori_detector.domain.folds import Step
from sakimori_detector.ports import Batch
from sakimori_detector.sigma.windows import LATENESS, Group, Outcome, Window, merged

BATCH_TTL_SECONDS: Final = 3600
"""A broker hands a batch out again as soon as whoever held it is gone; an hour covers a stuck replica."""
GRACE_SECONDS: Final = 900
"""How long events may be held up (the detector was down) before a window forgets what came before them."""
MAX_CONFLICTS: Final = 20
MAX_MEMBER_CHARACTERS: Final = 64
_PASSING_TROUBLES: Final = ("BUSY", "MISCONF", "NOREPLICAS")
"""What Valkey answers when it cannot write now but will; there are no exceptions of their own for these."""

_SCRIPT: Final = files("sakimori_detector.adapters").joinpath("state.lua").read_text(encoding="utf-8")
_OUTCOMES: Final = msgspec.msgpack.Decoder(list[Outcome])


class ValkeyState:
    """Implements `ports.DetectionState` in Valkey."""

    def __init__(self, valkey: Valkey, lateness: int = LATENESS) -> None:
        self._valkey = valkey
        self._lateness = lateness
        self._script = valkey.register_script(_SCRIPT)

    async def apply(self, batch: Batch) -> list[Outcome]:
        """See `ports.DetectionState.apply`. Raises Retry when replicas kept writing the same memory all the while."""
        try:
            for _ in range(MAX_CONFLICTS):
                answer = await self._attempt(batch)
                if answer is not None:
                    return _OUTCOMES.decode(answer)
        except (*CONNECTION_ERRORS, OutOfMemoryError, ReadOnlyError, MasterDownError) as error:
            raise unavailable(error) from error
        except ResponseError as error:
            if str(error).startswith(_PASSING_TROUBLES):
                raise unavailable(error) from error
            raise
        raise Retry("other replicas changed the same memory in every attempt")

    async def _attempt(self, batch: Batch) -> bytes | None:
        """Run the folds on what is there now and commit; None when somebody else wrote in between."""
        fold_keys = [key for fold in batch.folds for key in fold.keys]
        values = cast("list[bytes | None]", await self._valkey.mget(fold_keys)) if fold_keys else []
        steps = _steps(batch, values)
        groups = merged([*batch.groups, *(group for step in steps for group in step.groups)])
        keys = [f"detector:batch:{batch.id}", *fold_keys]
        status, *packed = await self._script(keys=keys, args=_arguments(values, steps, _packed(groups, self._lateness)))
        return packed[0] if status == 0 else None


def _steps(batch: Batch, values: Sequence[bytes | None]) -> list[Step]:
    steps, at = [], 0
    for fold in batch.folds:
        steps.append(fold.step(values[at : at + len(fold.keys)]))
        at += len(fold.keys)
    return steps


def _arguments(
    values: Sequence[bytes | None], steps: Sequence[Step], groups: tuple[list[Any], list[Any]]
) -> list[bytes | str]:
    packed = msgspec.msgpack.encode((BATCH_TTL_SECONDS, len(values), *groups))
    arguments: list[bytes | str] = [packed]
    writes = [write for step in steps for write in step.writes]
    for value, write in zip(values, writes, strict=True):
        arguments.append("-" if value is None else b"=" + value)
        arguments += ["", "0"] if write is None else [write.value, str(write.ttl_seconds)]
    return arguments


def _packed(groups: Sequence[Group], lateness: int) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Write the constants of each rule once; groups name them by their place, from 1."""
    places: dict[str, int] = {}
    windows, packed = [], []
    for window, key, found in groups:
        place = places.get(window.rule_id)
        if place is None:
            windows.append(_constants(window, lateness))
            place = places[window.rule_id] = len(windows)
        signs = [sign[:4] for sign in found]
        if window.counts_values:
            signs = [(time, event, _member(value), note) for time, event, value, note in signs]
        packed.append((place, key, _member(key), signs))
    return windows, packed


def _constants(window: Window, lateness: int) -> tuple[Any, ...]:
    return (
        window.rule_id,
        _kind(window),
        window.threshold,
        window.timespan,
        window.hold,
        window.reach(lateness),
        window.retained,
        window.remembered,
        window.is_strict,
        window.ways,
        _ttl_seconds(window),
    )


def _kind(window: Window) -> int:
    """Number the way of counting as state.lua does."""
    if window.ways:
        return 4 if window.is_ordered else 3
    return 2 if window.sums_values else 1 if window.counts_values else 0


def _member(value: str) -> str:
    """Keep long values out of Valkey's memory: only whether they differ matters."""
    return value if len(value) <= MAX_MEMBER_CHARACTERS else digest(value).hex()


def _ttl_seconds(window: Window) -> int:
    return (window.timespan + window.hold) // MICROSECONDS + GRACE_SECONDS

"""The state that all replicas share: one script call a batch.

Memory in Valkey: a window is one string of at most `MAX_UNSETTLED` and `Window.retained` entries of a key (48 bytes
each), twice if there are latecomers, for as long as they can matter plus `GRACE_SECONDS`; a batch keeps its outcomes,
mostly none, for `BATCH_TTL_SECONDS`. Packed strings rather than sorted sets: one read and one write a key and batch,
however many signs. The script makes the names of windows itself: hundreds of declared keys a batch cost the client as
much as all the rest (so: no cluster).
"""

from collections.abc import Callable, Sequence
from functools import partial
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
from sakimori_detector.sigma.judging import MAX_WAITING, Held, Judged, Ripe, Settled, reach_of, slot_of
from sakimori_detector.sigma.windows import LATENESS, Group, Outcome, Sign, Window, merged

BATCH_TTL_SECONDS: Final = 3600
"""A broker hands a batch out again as soon as whoever held it is gone; an hour covers a stuck replica."""
GRACE_SECONDS: Final = 900
"""How long events may be held up (the detector was down) before a window forgets what came before them."""
MAX_CONFLICTS: Final = 20
MAX_RIPE: Final = 100
"""Keys that are handed out to be judged at a time."""
DEADLINES: Final = "detector:deadlines"
MAX_MEMBER_CHARACTERS: Final = 64
_PASSING_TROUBLES: Final = ("BUSY", "MISCONF", "NOREPLICAS")
"""What Valkey answers when it cannot write now but will; there are no exceptions of their own for these."""

_SCRIPT: Final = files("sakimori_detector.adapters").joinpath("state.lua").read_text(encoding="utf-8")
_SETTLE: Final = files("sakimori_detector.adapters").joinpath("settle.lua").read_text(encoding="utf-8")
_STATE: Final = msgspec.msgpack.Decoder(list[Any])
_SIGN: Final = msgspec.msgpack.Decoder(tuple[int, str, str, str, str])
_OUTCOMES: Final = msgspec.msgpack.Decoder(list[Outcome])


class ValkeyState:
    """Implements `ports.DetectionState` in Valkey."""

    def __init__(self, valkey: Valkey, lateness: int = LATENESS) -> None:
        self._valkey = valkey
        self._lateness = lateness
        self._script = valkey.register_script(_SCRIPT)
        self._settling = valkey.register_script(_SETTLE)

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
        status, *packed = await self._script(keys=keys, args=_arguments(values, steps, self._packed(groups, batch)))
        return packed[0] if status == 0 else None

    def _packed(self, groups: Sequence[Group], batch: Batch) -> tuple[Any, ...]:
        sliding = [group for group in groups if not group.window.is_judged]
        judged = [group for group in groups if group.window.is_judged] if len(sliding) < len(groups) else []
        return (
            *_packed(sliding, partial(_constants, lateness=self._lateness), _counted),
            *_packed(judged, partial(_constants_of_judged, lateness=self._lateness), _waiting),
            batch.arrived_at,
        )

    @property
    def lateness(self) -> int:
        """See `ports.DetectionState.lateness`."""
        return self._lateness

    async def ripe(self, now: int) -> list[Ripe]:
        """See `ports.DetectionState.ripe`."""
        try:
            due = self._valkey.zrangebyscore(DEADLINES, "-inf", now, start=0, num=MAX_RIPE)
            names = cast("list[bytes]", await due)
            if not names:
                return []
            async with self._valkey.pipeline(transaction=True) as pipeline:
                for name in names:
                    pipeline.get(name + b":state")
                    pipeline.lrange(name, 0, -1)
                answers = await pipeline.execute()
        except CONNECTION_ERRORS as error:
            raise unavailable(error) from error
        pairs = zip(names, answers[::2], answers[1::2], strict=True)
        return [_ripe(name, stored, signs, now) for name, stored, signs in pairs]

    async def settle(self, settled: Sequence[Settled]) -> None:
        """See `ports.DetectionState.settle`."""
        try:
            async with self._valkey.pipeline(transaction=False) as pipeline:
                for each in settled:
                    await self._settling(keys=[each.ripe.name], args=_settling(each, self._lateness), client=pipeline)
                await pipeline.execute()
        except CONNECTION_ERRORS as error:
            raise unavailable(error) from error


def _ripe(name: bytes, stored: bytes | None, signs: Sequence[bytes], now: int) -> Ripe:
    """Read what waits for a key; of one that was forgotten only the name is left, to be settled away."""
    if stored is None:
        return Ripe("", "", name.decode(), -1, (), Judged(), now)
    rule, key, _, newest, arrived, version, until, held, *_ = _STATE.decode(stored)
    judged = Judged(until, msgspec.convert(held, Held) if held else None)
    found = [
        Sign(time, event, value, "", sample, replaces)
        for time, event, value, sample, replaces in map(_SIGN.decode, signs)
    ]
    return Ripe(rule, key, name.decode(), version, found, judged, newest + now - arrived)


def _settling(settled: Settled, lateness: int) -> list[bytes | str | int]:
    window, ripe, (_, judged, waiting) = settled
    held = b"" if judged.held is None else msgspec.msgpack.encode(judged.held)
    seconds = GRACE_SECONDS if window is None else _ttl_seconds(window, lateness)
    signs = [] if window is None else [msgspec.msgpack.encode(each) for each in _waiting(window, waiting)]
    return [ripe.version, len(ripe.signs), judged.until, held, seconds, *signs]


def _steps(batch: Batch, values: Sequence[bytes | None]) -> list[Step]:
    steps, at = [], 0
    for fold in batch.folds:
        steps.append(fold.step(values[at : at + len(fold.keys)]))
        at += len(fold.keys)
    return steps


def _arguments(values: Sequence[bytes | None], steps: Sequence[Step], groups: tuple[Any, ...]) -> list[bytes | str]:
    packed = msgspec.msgpack.encode((BATCH_TTL_SECONDS, len(values), *groups))
    arguments: list[bytes | str] = [packed]
    writes = [write for step in steps for write in step.writes]
    for value, write in zip(values, writes, strict=True):
        arguments.append("-" if value is None else b"=" + value)
        arguments += ["", "0"] if write is None else [write.value, str(write.ttl_seconds)]
    return arguments


def _packed(
    groups: Sequence[Group],
    constants: Callable[[Window], tuple[Any, ...]],
    signs_of: Callable[[Window, Sequence[Sign]], list[Any]],
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Write the constants of each rule once; groups name them by their place, from 1."""
    places: dict[str, int] = {}
    windows, packed = [], []
    for window, key, found in groups:
        place = places.get(window.rule_id)
        if place is None:
            windows.append(constants(window))
            place = places[window.rule_id] = len(windows)
        packed.append((place, key, _member(key), signs_of(window, found)))
    return windows, packed


def _counted(window: Window, signs: Sequence[Sign]) -> list[Any]:
    if window.counts_values:
        return [(time, event, _member(value), note, replaces) for time, event, value, note, _, replaces in signs]
    return [(time, event, value, note, replaces) for time, event, value, note, _, replaces in signs]


def _waiting(window: Window, signs: Sequence[Sign]) -> list[Any]:
    return [(time, event, _member(value), sample, replaces) for time, event, value, _, sample, replaces in signs]


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
        _ttl_seconds(window, lateness),
    )


def _constants_of_judged(window: Window, lateness: int) -> tuple[Any, ...]:
    reach = reach_of(window, lateness)
    return window.rule_id, window.timespan, reach, _ttl_seconds(window, lateness), slot_of(window), MAX_WAITING


def _kind(window: Window) -> int:
    """Number the way of counting as state.lua does."""
    if window.ways:
        return 4 if window.is_ordered else 3
    return 2 if window.sums_values else 1 if window.counts_values else 0


def _member(value: str) -> str:
    """Keep long values out of Valkey's memory: only whether they differ matters."""
    return value if len(value) <= MAX_MEMBER_CHARACTERS else digest(value).hex()


def _ttl_seconds(window: Window, lateness: int) -> int:
    return (window.timespan + window.hold + reach_of(window, lateness)) // MICROSECONDS + GRACE_SECONDS

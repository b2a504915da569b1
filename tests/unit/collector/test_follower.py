"""A followed path through whatever happens to files: no line is lost, none is stored twice."""

import asyncio
import contextlib
import gzip
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sakimori_collector.domain.wire.joining import NoJoiner
from sakimori_collector.inputs.follower import Follower, Part
from sakimori_collector.ports import Checkpoint

T = TypeVar("T")


class Killed(Exception):
    """The process ends here."""


@dataclass
class Store:
    """What outlives the process: stored lines by id, and checkpoints. `dies_in` counts the writes until it ends."""

    stored: dict[tuple[str, int, bytes], str] = field(default_factory=dict)
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    dies_in: int | None = None

    async def load(self, path: str) -> Checkpoint | None:
        return self.checkpoints.get(path)

    async def save(self, checkpoint: Checkpoint) -> None:
        self._live()
        self.checkpoints[checkpoint.path] = checkpoint

    async def deliver(self, part: Part) -> Checkpoint:
        for line in part.lines:
            self._live()
            self.stored[part.identity, line.offset, line.raw] = line.raw.decode()
        await self.save(part.reached)
        return part.reached

    def note(self, event: str, path: str, **facts: object) -> None:
        pass

    def _live(self) -> None:
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in < 0:
                self.dies_in = None
                raise Killed


class Rotations(RuleBasedStateMachine):
    """A writer, a logrotate and a collector that is killed, against the list of all that was written."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="follower-"))
        self.log = self.folder / "app.log"
        self.store = Store()
        self.now = 0.0
        self.modified = 1_768_528_800_000_000_000
        self.written: list[str] = []
        self.follower: Follower | None = None
        self.has_half = False
        self.append(1)
        self.run(self._follower().step())  # a file is met once; what was rotated away before that is not read

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @rule(count=st.integers(1, 5))
    def append(self, count: int) -> None:
        with self.log.open("a") as file:
            for _ in range(count):
                text = f"line {len(self.written)} " + "x" * (len(self.written) % 90)
                self.written.append(text)
                file.write(("\n" if self.has_half else "") + text + "\n")
                self.has_half = False
        self._touch(self.log)

    @rule()
    @precondition(lambda self: not self.has_half and self.log.exists() and self.log.stat().st_size)
    def append_half(self) -> None:
        text = f"half {len(self.written)}"
        self.written.append(text)
        with self.log.open("a") as file:
            file.write(text)
        self.has_half = True
        self._touch(self.log)

    def _touch(self, path: Path) -> None:
        """Writes follow one another in time, as far as the file system can tell."""
        self.modified += 10_000_000
        os.utime(path, ns=(self.modified, self.modified))

    def _shift(self) -> None:
        for number in range(20, 0, -1):
            for end in ("", ".gz"):
                old = self.log.with_name(f"app.log.{number}{end}")
                if old.exists():
                    old.rename(self.log.with_name(f"app.log.{number + 1}{end}"))

    @rule(is_packed=st.booleans())
    @precondition(lambda self: self.log.exists() and self.log.stat().st_size)
    def rotate(self, is_packed: bool) -> None:
        self._shift()
        first = self.log.with_name("app.log.1")
        self.log.rename(first)
        self.has_half = False
        if is_packed:
            self._pack(first)

    def _pack(self, path: Path) -> None:
        status = path.stat()
        packed = path.with_name(path.name + ".gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
        path.unlink()

    @rule()
    @precondition(lambda self: (self.folder / "app.log.1").exists())
    def pack_later(self) -> None:
        self._pack(self.log.with_name("app.log.1"))

    @rule()
    @precondition(lambda self: self.log.exists() and self.log.stat().st_size and not self.has_half)
    def copy_and_truncate(self) -> None:
        self._shift()
        shutil.copy2(self.log, self.log.with_name("app.log.1"))
        os.truncate(self.log, 0)
        self._touch(self.log)

    @rule(steps=st.integers(1, 4), seconds=st.sampled_from([0.0, 0.3, 2.0]))
    def collect(self, steps: int, seconds: float) -> None:
        with contextlib.suppress(Killed):
            for _ in range(steps):
                self.now += seconds
                self.run(self._follower().step())
            return
        self._kill()

    @rule(writes=st.integers(0, 8))
    def die_soon(self, writes: int) -> None:
        self.store.dies_in = writes

    @rule()
    def kill(self) -> None:
        self._kill()

    def _kill(self) -> None:
        if self.follower is not None:
            self.follower.close()
        self.follower = None

    def _follower(self) -> Follower:
        if self.follower is None:
            self.follower = Follower(str(self.log), NoJoiner, self.store, lambda: self.now)
        return self.follower

    @invariant()
    def nothing_is_stored_twice_or_made_up(self) -> None:
        counts = Counter(self.store.stored.values())
        assert set(counts) <= set(self.written)
        assert not [text for text, count in counts.items() if count > 1]

    def teardown(self) -> None:
        """In the end, with nobody in the way, every line is there."""
        self.store.dies_in = None
        self.append(1)  # half a line is known to be all there will be once another file has come
        for _ in range(4 * len(self.written) + 40):
            self.now += 2.0
            self.run(self._follower().step())
        self.nothing_is_stored_twice_or_made_up()
        self._kill()
        shutil.rmtree(self.folder)
        self.loop.close()
        assert sorted(self.store.stored.values()) == sorted(self.written)


Rotations.TestCase.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)
TestRotations = Rotations.TestCase

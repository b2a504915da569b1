"""The inventory of sources: when each was last seen, and an event when one that speaks regularly falls silent."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from sakimori_collector.domain.silence import SilentSource, resumed, went_silent
from sakimori_collector.metrics import CollectorMetrics
from sakimori_collector.ports import Publisher, SourceActivity
from sakimori_common.bus import BusUnavailable, Unavailable

NOTE_SECONDS: Final = 3.0
_ROUNDS: Final = 5
"""Silence is looked for every so many rounds: it counts in minutes."""


class Inventory:
    """Notes what the counters of lines say, which all ways in count alike; nothing is done for a line."""

    def __init__(
        self,
        *,
        activity: SourceActivity,
        publisher: Publisher,
        metrics: CollectorMetrics,
        log: structlog.stdlib.BoundLogger,
        observer: str,
        silent_after_minutes: int,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._activity = activity
        self._publisher = publisher
        self._metrics = metrics
        self._log = log
        self._observer = observer
        self._patience_minutes = silent_after_minutes
        self._clock = clock
        self._noted: dict[str, int] = {}

    async def run(self) -> None:
        """Note every few seconds what was seen, until cancelled."""
        number = 0
        while True:
            try:
                await self.note()
                if number % _ROUNDS == 0:
                    await self.look_for_silence()
            except (BusUnavailable, Unavailable) as error:
                self._log.warning("sources_not_noted", reason=str(error))
            number += 1
            await asyncio.sleep(NOTE_SECONDS)

    async def note(self) -> None:
        """Note sources whose lines have become more. Raises Unavailable, BusUnavailable: it is made up for later."""
        counted = self._counted()
        more = {name: count - self._noted.get(name, 0) for name, count in counted.items()}
        more = {name: lines for name, lines in more.items() if lines > 0}
        if more:
            await self._activity.seen(more, self._clock(), self._tell_resumed)
        self._noted = counted

    async def look_for_silence(self) -> None:
        """Tell of sources that fell silent. Raises Unavailable, BusUnavailable."""
        await self._activity.silent(self._patience_minutes, self._clock(), self._tell_silent)

    def _counted(self) -> dict[str, int]:
        return {
            sample.labels["source"]: int(sample.value)
            for family in self._metrics.lines_received_total.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        }

    async def _tell_silent(self, sources: Sequence[SilentSource]) -> None:
        now = self._clock()
        await self._publisher.publish([went_silent(source, now, self._observer) for source in sources])
        self._log.warning("sources_silent", sources=[source.name for source in sources])

    async def _tell_resumed(self, sources: Sequence[SilentSource]) -> None:
        now = self._clock()
        await self._publisher.publish([resumed(source, now, self._observer) for source in sources])
        self._log.info("sources_resumed", sources=[source.name for source in sources])

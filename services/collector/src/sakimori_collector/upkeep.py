"""Keeps the event store in order: days, counts, retention, indexes."""

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from sakimori_collector.ports import Upkeep
from sakimori_common.bus import Unavailable

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_RETRY: Final = 60.0


async def keep_going(upkeep: Upkeep, log: structlog.stdlib.BoundLogger) -> None:
    """Prepare the store for what comes, once a minute."""
    while True:
        try:
            await upkeep.prepare()
        except Unavailable as error:
            log.warning("store_upkeep_postponed", what="days_and_counts", reason=str(error))
        await asyncio.sleep(_MINUTE)


async def keep_tidy(
    upkeep: Upkeep, retention: Mapping[str, int], rejected_days: int, log: structlog.stdlib.BoundLogger
) -> None:
    """Say once how long everything is kept, then delete what is too old and make indexes, once an hour."""
    is_said = False
    while True:
        try:
            if not is_said:
                if await upkeep.set_retention(retention):
                    log.info("retention_changed", days=dict(retention))
                is_said = True
            done = await upkeep.tidy(rejected_days)
        except Unavailable as error:
            log.warning("store_upkeep_postponed", what="retention", reason=str(error))
            await asyncio.sleep(_RETRY)
            continue
        if done is not None and any((done.days_dropped, done.events_deleted, done.lines_deleted, done.indexes_made)):
            log.info(
                "store_tidied",
                days_dropped=done.days_dropped,
                events_deleted=done.events_deleted,
                rejected_lines_deleted=done.lines_deleted,
                indexes_made=done.indexes_made,
            )
        await asyncio.sleep(_HOUR)

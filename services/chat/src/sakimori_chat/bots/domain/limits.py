"""How much a bot may do: three fixed windows of the clock (UTC), as X-08 of the requirements has them."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Period(StrEnum):
    """A window, by its name in events and headers."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def seconds(self) -> int:
        """Its length."""
        return _SECONDS[self]


_SECONDS: Final = {Period.MINUTE: 60, Period.HOUR: 3600, Period.DAY: 86_400}
_STAMPS: Final = {Period.MINUTE: "%Y%m%d%H%M", Period.HOUR: "%Y%m%d%H", Period.DAY: "%Y%m%d"}


@dataclass(frozen=True, slots=True)
class BotLimits:
    """Requests and frames of one bot in each window; the next one is refused."""

    minute: int = 300
    hour: int = 10_000
    day: int = 100_000

    def of(self, period: Period) -> int:
        """Say how many fit in a window."""
        return {Period.MINUTE: self.minute, Period.HOUR: self.hour, Period.DAY: self.day}[period]


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of a window: `remaining` requests until it ends in `reset_seconds`."""

    period: Period
    limit: int
    remaining: int
    reset_seconds: int


class BotOutcome(StrEnum):
    """What the gate says to a bot's request; the first that applies, in this order."""

    REPLAYED = "replayed"
    DECIDED = "decided"
    LIMITED = "limited"
    ADMITTED = "admitted"


@dataclass(frozen=True, slots=True)
class BotVerdict:
    """The gate's answer. `seconds` is until another try makes sense; `period` the window that is full."""

    outcome: BotOutcome
    quotas: tuple[Quota, ...] = ()
    period: Period | None = None
    seconds: int = 0


def rate_key(bot_id: str, period: Period, now: float) -> str:
    """Name the counter of a window: `rate:<bot>:202601160200` (minute, UTC)."""
    return f"rate:{bot_id}:{time.strftime(_STAMPS[period], time.gmtime(now))}"


def quotas_of(limits: BotLimits, counts: Sequence[int], now: float) -> tuple[Quota, ...]:
    """Say what is left of each window after so many requests (in the order of Period)."""
    return tuple(
        Quota(period, limits.of(period), max(0, limits.of(period) - count), seconds_left(period, now))
        for period, count in zip(Period, counts, strict=True)
    )


def seconds_left(period: Period, now: float) -> int:
    """Count the whole seconds until a window ends, at least one."""
    return max(1, math.ceil(period.seconds - now % period.seconds))

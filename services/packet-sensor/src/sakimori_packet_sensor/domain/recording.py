"""Captures that operators start: bounded in time and size, kept for a while."""

from enum import StrEnum

import msgspec


class RecordingState(StrEnum):
    """How far one is."""

    RUNNING = "running"
    DONE = "done"
    """Over: its time, its size, or somebody stopped it."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """The sensor ended meanwhile; what was written by then is there."""


class RecordingOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What to capture into which file."""

    interface: str
    path: str
    seconds: float
    max_bytes: int
    packet_filter: str | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it; `lost` packets found no room in the ring, `is_full` when the size ended it."""

    packets: int = 0
    bytes: int = 0
    lost: int = 0
    is_full: bool = False
    error: str | None = None


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One capture, as the API shows it."""

    id: str
    interface: str
    packet_filter: str | None
    seconds: float
    max_bytes: int
    started_at: str
    state: RecordingState
    ended_at: str | None = None
    outcome: Outcome | None = None

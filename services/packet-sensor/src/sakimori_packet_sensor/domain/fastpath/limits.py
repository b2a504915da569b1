"""Bounds of the flow table; apart from it, so that settings need not import Numba."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FlowLimits:
    """When a flow is reported: after so long without a packet, at the latest after so long, or when there are too many.

    A flow takes about 400 bytes, 1,400 once it had payload.
    """

    idle_seconds: int = 300
    active_seconds: int = 1800
    flows: int = 100_000

"""What a flow is called in other tools, and what became of it."""

from sakimori_packet_sensor.domain.flows.community import community_id
from sakimori_packet_sensor.domain.flows.state import FlowState

__all__ = ["FlowState", "community_id"]

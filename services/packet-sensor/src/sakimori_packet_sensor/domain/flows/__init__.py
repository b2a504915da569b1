"""Flows: packets of one conversation, both ways, counted together."""

from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sakimori_packet_sensor.domain.flows.community import community_id
from sakimori_packet_sensor.domain.flows.flow import Flow
from sakimori_packet_sensor.domain.flows.state import FlowState
from sakimori_packet_sensor.domain.flows.table import FlowTable

__all__ = ["Flow", "FlowLimits", "FlowState", "FlowTable", "community_id"]

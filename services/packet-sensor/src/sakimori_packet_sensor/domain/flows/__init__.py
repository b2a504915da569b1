"""Flows: packets of one conversation, both ways, counted together."""

from sakimori_packet_sensor.domain.flows.community import community_id
from sakimori_packet_sensor.domain.flows.flow import Flow, FlowState
from sakimori_packet_sensor.domain.flows.table import FlowLimits, FlowTable

__all__ = ["Flow", "FlowLimits", "FlowState", "FlowTable", "community_id"]

"""Ended flows as events (docs/reference/fields.md, Flow)."""

from struct import Struct
from typing import Final

from sakimori_common.contracts import Event
from sakimori_common.ids import event_id, numbered_event_id
from sakimori_common.instants import MICROSECONDS, format_instant
from sakimori_packet_sensor.domain.addresses import ip_text
from sakimori_packet_sensor.domain.conversations.conversation import Conversation
from sakimori_packet_sensor.domain.conversations.rows import FlowRow, FoldedRow
from sakimori_packet_sensor.domain.fastpath.layout import HEAD_BYTES, NO_PORT, SIZES, Ending
from sakimori_packet_sensor.domain.flows.state import FlowState, flag_letters, tcp_state
from sakimori_packet_sensor.domain.headers import Fields, Origin, header, identity, transport
from sakimori_packet_sensor.domain.protocols.contract import TCP, Ends
from sakimori_packet_sensor.domain.protocols.registry import Registry
from sakimori_packet_sensor.domain.randomness import MIN_BYTES, looks_random

_SIZES: Final = Struct(f"<{SIZES}h")
_SYN: Final = 2
_MIN_RANDOM_BYTES: Final = 256
"""Of both sides together, to call a flow encrypted by nothing but its bytes."""
_ENDINGS: Final = {int(ending): ending.name.lower() for ending in Ending}


class FlowEvents:
    """Make them. `registry` names by port what content did not."""

    def __init__(self, origin: Origin, registry: Registry) -> None:
        self._origin = origin
        self._registry = registry

    def of(self, row: FlowRow, ending: int, talk: Conversation | None) -> Event:
        """Report a flow; its time is that of its first packet. `talk` is what was recognised in it."""
        fields = header(row, self._origin) if talk is None or talk.header is None else dict(talk.header)
        fields["source.bytes"] = row.source_bytes
        fields["source.packets"] = row.source_packets
        fields["destination.bytes"] = row.destination_bytes
        fields["destination.packets"] = row.destination_packets
        fields["network.bytes"] = row.source_bytes + row.destination_bytes
        fields["network.packets"] = row.source_packets + row.destination_packets
        fields["event.start"] = format_instant(row.start)
        fields["event.end"] = format_instant(row.last)
        fields["event.duration"] = (row.last - row.start) * 1000
        fields["sakimori.flow.state"] = _state(row).value
        fields["sakimori.flow.ending"] = _ENDINGS[ending]
        if row.protocol == TCP and (flags := row.source_flags | row.destination_flags):
            fields["sakimori.flow.tcp_flags"] = flag_letters(flags)
        _add_shape(fields, row)
        if row.source_payload or row.destination_payload:
            self._add_content(fields, row, talk)
        identifier = numbered_event_id(row.start, identity(row, row.start), row.number << 1 | 1)
        return Event(identifier, row.start, "network.flow", fields)

    def _add_content(self, fields: Fields, row: FlowRow, talk: Conversation | None) -> None:
        """Say what was in the payload."""
        fields["sakimori.flow.source_payload_bytes"] = row.source_payload
        fields["sakimori.flow.destination_payload_bytes"] = row.destination_payload
        if row.source_sampled >= MIN_BYTES:
            fields["sakimori.flow.source_entropy"] = round(row.source_entropy, 3)
        if row.destination_sampled >= MIN_BYTES:
            fields["sakimori.flow.destination_entropy"] = round(row.destination_entropy, 3)
        if talk is not None and talk.kind is not None:
            first, last = talk.first or talk.kind, talk.kind
            fields["network.protocol"] = first.name
            if last is not first:
                fields["sakimori.protocol.then"] = last.name
            fields["sakimori.protocol.evidence"] = "content"
            fields["sakimori.flow.is_encrypted"] = first.is_encrypted or last.is_encrypted
            fields["sakimori.flow.encryption_evidence"] = "protocol"
            return
        self._add_guesses(fields, row)

    def _add_guesses(self, fields: Fields, row: FlowRow) -> None:
        """Say what there is to say of a payload that nobody recognised."""
        is_whole = row.protocol != TCP or bool(row.opening_flags & _SYN)
        ends = Ends(row.source, row.destination, row.source_port, row.destination_port)
        if name := self._registry.name_by_port(row.protocol, ends, is_content_known=is_whole):
            fields["network.protocol"] = name
            fields["sakimori.protocol.evidence"] = "port"
        if row.source_head_bytes:
            fields["sakimori.flow.source_head"] = row.source_head[: min(row.source_head_bytes, HEAD_BYTES)].hex()
        if row.destination_head_bytes:
            head = row.destination_head[: min(row.destination_head_bytes, HEAD_BYTES)]
            fields["sakimori.flow.destination_head"] = head.hex()
        measured = [
            (entropy, size)
            for entropy, size in (
                (row.source_entropy, row.source_sampled),
                (row.destination_entropy, row.destination_sampled),
            )
            if size >= MIN_BYTES
        ]
        if sum(size for _, size in measured) >= _MIN_RANDOM_BYTES:
            fields["sakimori.flow.is_encrypted"] = all(looks_random(entropy, size) for entropy, size in measured)
            fields["sakimori.flow.encryption_evidence"] = "entropy"

    def folded(self, row: FoldedRow) -> Event:
        """Report attempts that were given up together for want of room: a flood. With many sources it names none."""
        fields: Fields = {**self._origin, "event.category": "network", "network.transport": transport(row.protocol)}
        if row.version:
            fields["network.type"] = "ipv4" if row.version == 4 else "ipv6"
            fields["destination.ip"] = ip_text(row.destination)
            if row.destination_port != NO_PORT:
                fields["destination.port"] = row.destination_port
        sources = max(1, round(row.sources))
        if row.version and sources == 1:
            fields["source.ip"] = ip_text(row.source)
        fields |= _attempts(row, sources)
        identifier = event_id(row.first, "network.flow", row.source, row.destination, f"folded {row[3:]}")
        return Event(identifier, row.first, "network.flow", fields)


def _state(row: FlowRow) -> FlowState:
    if row.protocol != TCP or row.source_port == NO_PORT:
        return FlowState.ACTIVE
    is_answered = row.destination_packets > 0
    return tcp_state(row.opening_flags, row.source_flags, row.destination_flags, is_answered=is_answered)


def _add_shape(fields: Fields, row: FlowRow) -> None:
    """Say how its packets came: of one packet there is nothing to say."""
    packets = row.source_packets + row.destination_packets
    if packets < 2:
        return
    mean = row.gap_sum / (packets - 1)
    variance = max(row.gap_squares / (packets - 1) - mean * mean, 0.0)
    fields["sakimori.flow.gap_mean_seconds"] = round(mean / MICROSECONDS, 6)
    fields["sakimori.flow.gap_deviation_seconds"] = round(variance**0.5 / MICROSECONDS, 6)
    fields["sakimori.flow.small_packets"] = row.small_packets
    fields["sakimori.flow.large_packets"] = row.large_packets
    sizes = _SIZES.unpack(row.sizes)
    fields["sakimori.flow.sizes"] = list(sizes if packets >= SIZES else sizes[:packets])


def _attempts(row: FoldedRow, sources: int) -> Fields:
    return {
        "source.packets": row.packets,
        "source.bytes": row.ip_bytes,
        "destination.packets": 0,
        "destination.bytes": 0,
        "network.packets": row.packets,
        "network.bytes": row.ip_bytes,
        "event.start": format_instant(row.first),
        "event.end": format_instant(row.last),
        "event.duration": (row.last - row.first) * 1000,
        "sakimori.flow.state": (FlowState.ATTEMPTED if row.protocol == TCP else FlowState.ACTIVE).value,
        "sakimori.flow.ending": _ENDINGS[Ending.EVICTED],
        "sakimori.flow.attempts": row.attempts,
        "sakimori.flow.attempt_sources": sources,
    }

"""What the gateway does with what it watches on the bus."""

from collections.abc import Awaitable, Callable

import structlog

from sakimori_api_gateway.api.enforcement import Enforcement
from sakimori_api_gateway.api.hub import LiveHub
from sakimori_api_gateway.domain.records import TriagedFinding
from sakimori_api_gateway.ports import FindingStore
from sakimori_common.bus import Message, Unavailable
from sakimori_common.contracts import DECISIONS, FINDINGS, Finding, FindingStatus, WireError
from sakimori_common.instants import MICROSECONDS, format_instant, parse_instant

Handler = Callable[[Message], Awaitable[None]]


def on_findings(hub: LiveHub, findings: FindingStore, log: structlog.stdlib.BoundLogger) -> Handler:
    """Make the handler that shows findings live, each with its status."""

    async def handle(message: Message) -> None:
        try:
            batch = FINDINGS.decode(message.body)
        except WireError as error:
            log.warning("message_not_understood", topic="findings", reason=str(error))
            return
        try:
            statuses = await findings.statuses([finding.id for finding in batch])
        except Unavailable:
            statuses = {}  # better shown with the status it was published with than not at all
        for finding in batch:
            hub.send(with_status(finding, statuses.get(finding.id, finding.status)))

    return handle


def on_decisions(enforcement: Enforcement, log: structlog.stdlib.BoundLogger) -> Handler:
    """Make the handler that enforces decisions at the edge."""

    async def handle(message: Message) -> None:
        try:
            batch = DECISIONS.decode(message.body)
        except WireError as error:
            log.warning("message_not_understood", topic="decisions", reason=str(error))
            return
        for decision in batch:
            enforcement.hear(decision)

    return handle


def with_status(finding: Finding, status: FindingStatus) -> TriagedFinding:
    """Show a finding as the API does, from what the bus carries."""
    values = {name: getattr(finding, name) for name in Finding.__struct_fields__} | {"status": status}
    seconds = finding.severity.response_seconds
    due_at = None
    if seconds is not None:
        due_at = format_instant(parse_instant(finding.created_at) + seconds * MICROSECONDS)
    return TriagedFinding(**values, due_at=due_at)

"""What the gateway needs of the world. Stores raise `Unavailable` when their server is away."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from sakimori_api_gateway.domain.events import EventQuery, EventRows
from sakimori_api_gateway.domain.network import (
    Device,
    DeviceActivity,
    DeviceChange,
    DeviceQuery,
    DeviceStats,
    Session,
    SessionQuery,
    SessionStats,
)
from sakimori_api_gateway.domain.records import (
    AuditEntry,
    AuditPage,
    Delivery,
    FindingQuery,
    FindingStats,
    RecordedDecision,
    TriagedFinding,
    User,
    UserChange,
)
from sakimori_api_gateway.domain.sources import LogSource, NewLogSource
from sakimori_common.contracts import FindingStatus

Clock = Callable[[], int]
"""Now, in microseconds since the epoch."""


class NotFound(Exception):
    """What was asked for does not exist; the message names it."""


class Conflict(Exception):
    """It cannot be done as things stand; the message says why."""


class UserStore(Protocol):
    """Operators. Every change is written together with its audit entry."""

    async def find(self, name: str) -> tuple[User, str] | None:
        """Look up an operator and the hash of the password."""

    async def all(self) -> list[User]:
        """List operators by name."""

    async def add(self, user: User, password_hash: str, entry: AuditEntry) -> None:
        """Add an operator. Raises Conflict when the name is taken."""

    async def add_first(self, user: User, password_hash: str, entry: AuditEntry) -> bool:
        """Add an operator if there is none at all; tells whether it did."""

    async def change(self, name: str, change: UserChange, entry: AuditEntry) -> User:
        """Change an operator; `old` of the entry is filled in. Raises NotFound; Conflict for the last active admin."""


class FindingStore(Protocol):
    """Findings with their triage."""

    async def page(self, query: FindingQuery) -> list[TriagedFinding]:
        """List up to `query.limit` findings in its order."""

    async def total(self, query: FindingQuery) -> int:
        """Count what the query's filters match."""

    async def find(self, finding_id: str) -> TriagedFinding | None:
        """Look up one finding."""

    async def deliveries(self, finding_id: str) -> list[Delivery]:
        """List what the notifier sent about a finding."""

    async def stats(self) -> FindingStats:
        """Count findings by severity and status, those overdue, and false positives by rule."""

    async def statuses(self, finding_ids: Sequence[str]) -> dict[str, FindingStatus]:
        """Look up the status of those findings that somebody has triaged."""

    async def change_status(
        self, finding_id: str, status: FindingStatus, note: str | None, entry: AuditEntry
    ) -> TriagedFinding:
        """Change a status with its audit entry. Raises NotFound, or TriageConflict where the state machine says no."""


class DecisionStore(Protocol):
    """Decisions of the detector and of operators."""

    async def active(self, entity_type: str | None = None) -> list[RecordedDecision]:
        """List the decisions in force, newest first, at most 10,000."""

    async def recent(self, limit: int) -> list[RecordedDecision]:
        """List the latest decisions, in force or not."""

    async def find(self, decision_id: str) -> RecordedDecision | None:
        """Look up one decision."""

    async def following(self, finding_id: str) -> list[RecordedDecision]:
        """List the decisions that a finding is the reason of."""

    async def add(self, decision: RecordedDecision, entry: AuditEntry) -> None:
        """Store an operator's decision, unpublished, with its audit entry."""

    async def unpublished(self) -> list[RecordedDecision]:
        """List operators' decisions that the bus has yet to take, oldest first."""

    async def mark_published(self, decision_id: str) -> None:
        """Note that the bus has a decision."""


class DeviceStore(Protocol):
    """Devices with their trust and what operators say about them."""

    async def page(self, query: DeviceQuery) -> list[Device]:
        """List up to `query.limit` devices by MAC address."""

    async def total(self, query: DeviceQuery) -> int:
        """Count what the query's filters match."""

    async def find(self, mac: str) -> Device | None:
        """Look up one device."""

    async def stats(self) -> DeviceStats:
        """Count devices."""

    async def activity(self, mac: str) -> DeviceActivity | None:
        """Tell a device's history."""

    async def change(self, mac: str, change: DeviceChange, entry: AuditEntry) -> Device:
        """Note what an operator says, with its audit entry. Raises NotFound."""


class LogSourceStore(Protocol):
    """Sources of logs and their tokens. Every change is written together with its audit entry."""

    async def all(self) -> list[LogSource]:
        """List sources by name, those that were revoked last."""

    async def add(self, new: NewLogSource, entry: AuditEntry) -> LogSource:
        """Add a source. Raises Conflict when one of that name has a valid token."""

    async def revoke(self, name: str, entry: AuditEntry) -> LogSource:
        """Revoke a source's token. Raises NotFound when it has none that is valid."""


class SessionStore(Protocol):
    """Flows of the network."""

    async def page(self, query: SessionQuery) -> list[Session]:
        """List up to `query.limit` sessions, the latest first."""

    async def stats(self, since: int, until: int) -> SessionStats:
        """Add up the sessions that began in the span, in microseconds."""


class EventSearch(Protocol):
    """All events that are stored."""

    async def page(self, query: EventQuery) -> EventRows:
        """List up to `query.limit` events, the latest first, and say how far the search came."""


WriteEntry = Callable[[AuditEntry], Awaitable[None]]
"""Adds an entry to the audit."""


class AuditLog(Protocol):
    """What operators did."""

    def recording(self) -> AbstractAsyncContextManager[WriteEntry]:
        """Open the audit for something that is done elsewhere within the block; the entry counts once it has ended.

        Nothing is written when the block raises.
        """

    async def write(self, entry: AuditEntry) -> None:
        """Add an entry for something that changed no table of the gateway's."""

    async def history(self, target: str) -> list[AuditEntry]:
        """List the entries about one thing, oldest first."""

    async def page(self, before: int | None, limit: int) -> AuditPage:
        """List entries, newest first, below the number `before`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operator asks of the chat, by whom and from where; `path` below its inner API, body as JSON."""

    method: str
    path: str
    body: object
    operator: str
    address: str
    request_id: str


class OfficeRefused(Exception):
    """The chat refuses what was asked for: HTTP status, stable code, words for a person."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code


class ChatOffice(Protocol):
    """The chat's side of what operators do to it."""

    async def ask(self, asked: Asked) -> bytes:
        """Ask, and return the answer as JSON. Raises OfficeRefused, or Unavailable when the chat is away."""


class LoginLimit(Protocol):
    """How often somebody may try to log in. Raises `Unavailable` when it cannot know."""

    async def take(self, address: str, user: str | None) -> int:
        """Count an attempt of an address and, unless None, one against a user; 0, or seconds to wait when refused."""

    async def forgive(self, user: str) -> None:
        """Forget the attempts against a user: the password was right."""


class Passwords(Protocol):
    """Hash and verify passwords, slowly on purpose and off the event loop."""

    async def hash(self, password: str) -> str:
        """Hash a password with a fresh salt."""

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Compare; None (no such user) costs the same work and is False."""

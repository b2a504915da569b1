"""What the gateway stores and shows. Instants are RFC 3339 in UTC, as in the contracts."""

from typing import Any

import msgspec

from sakimori_api_gateway.domain.cursor import Cursor, Sort
from sakimori_api_gateway.domain.roles import Role
from sakimori_common.contracts import Decision, Finding, FindingStatus, Severity


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An operator."""

    name: str
    role: Role
    created_at: str
    disabled_at: str | None = None
    password_changed_at: str


class UserChange(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of an operator; None leaves it as it is."""

    role: Role | None = None
    disabled: bool | None = None
    password_hash: str | None = None


class Triage(msgspec.Struct, frozen=True, kw_only=True):
    """Who last changed the status of a finding."""

    changed_by: str
    changed_at: str
    note: str | None = None


class TriagedFinding(Finding, frozen=True, kw_only=True):
    """A finding with its status. `due_at`: when somebody must have acknowledged it; None where nobody has to."""

    due_at: str | None = None
    triage: Triage | None = None


class FindingPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of findings. `next_cursor` is None on the last page; `total` is there where it was asked for."""

    findings: list[TriagedFinding]
    next_cursor: str | None = None
    total: int | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one notice: channel, state (pending, sent, suppressed, dead) and how often it was tried."""

    channel: str
    reminder: int
    status: str
    attempts: int
    last_error: str | None
    created_at: str
    delivered_at: str | None


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator did: to what, from what, to what, from where."""

    actor: str
    action: str
    target: str
    old: dict[str, Any] | None = None
    new: dict[str, Any] | None = None
    address: str | None = None
    at: str


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of the audit, newest first; `before` is what to ask for next, None at the end."""

    entries: list[AuditEntry]
    before: int | None = None


class RecordedDecision(Decision, frozen=True, kw_only=True):
    """A decision with the operator's reason, where an operator took it, and when it was lifted."""

    reason: str | None = None
    lifted_at: str | None = None


class DecisionList(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions, newest first."""

    decisions: list[RecordedDecision]


class UserList(msgspec.Struct, frozen=True, kw_only=True):
    """Operators by name."""

    users: list[User]


class FindingDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A finding with all that followed from it."""

    finding: TriagedFinding
    deliveries: list[Delivery]
    decisions: list[RecordedDecision]
    history: list[AuditEntry]


class FindingStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of findings. `overdue`: open past their response time; `false_positives` by rule."""

    by_severity: dict[str, int]
    by_status: dict[str, int]
    overdue: int
    false_positives: dict[str, int]


class FindingQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which findings to list; several filters must all hold. `since`/`until` bound `created_at`, in microseconds."""

    severity: tuple[Severity, ...] = ()
    status: tuple[FindingStatus, ...] = ()
    rule_id: str | None = None
    entity_type: str | None = None
    entity: str | None = None
    dataset: str | None = None
    since: int | None = None
    until: int | None = None
    text: str | None = None
    is_overdue: bool | None = None
    sort: Sort = Sort.SEVERITY
    after: Cursor | None = None
    limit: int = 100


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """A signed token and what it is good for."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105  # RFC 6750
    expires_at: str
    role: Role

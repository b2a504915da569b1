"""Sources of logs as the API shows them: those that have a token, and whatever else the collector has seen."""

from typing import Final, Literal

import msgspec

TOKEN_PREFIX: Final = "sakimori_"  # noqa: S105  # what begins every token, so that scanners for leaked secrets know one
NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9._-]{0,62}$"
RESERVED: Final = frozenset({"http", "gelf", "journald", "docker", "files", "syslog"})
"""What the collector counts its own ways in under."""


class LogSource(msgspec.Struct, frozen=True, kw_only=True):
    """A source of logs. Of one without a token (a file, a port of syslog) there is only what the collector has seen.

    `silent_since`: when it was last seen, if it used to be seen regularly and is not now. `lines` counts all of them.
    """

    name: str
    kind: Literal["token", "seen"]
    format: str | None = None
    lines_per_second: int | None = None
    max_body_bytes: int | None = None
    silent_after_minutes: int | None = None
    created_by: str | None = None
    created_at: str | None = None
    revoked_by: str | None = None
    revoked_at: str | None = None
    first_seen_at: str | None = None
    last_seen_at: str | None = None
    lines: int = 0
    silent_since: str | None = None


class LogSourceList(msgspec.Struct, frozen=True, kw_only=True):
    """Sources by name, revoked ones after those in force; at most 2,000."""

    sources: list[LogSource]


class IssuedSource(LogSource, frozen=True, kw_only=True):
    """A source as it is issued: this once with its token."""

    token: str


class NewLogSource(msgspec.Struct, frozen=True, kw_only=True):
    """What a source is to be; None leaves a limit to the deployment."""

    id: str
    name: str
    token_sha256: bytes
    format: str
    lines_per_second: int | None
    max_body_bytes: int | None
    silent_after_minutes: int | None

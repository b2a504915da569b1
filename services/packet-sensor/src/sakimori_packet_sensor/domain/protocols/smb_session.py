"""What one SMB conversation has agreed on and opened: dialect, users, shares, files. Bounded, oldest out first."""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

from sakimori_packet_sensor.domain.protocols.contract import Fields
from sakimori_packet_sensor.domain.protocols.dcerpc import RpcCalls
from sakimori_packet_sensor.domain.protocols.ntlm import ntlm_fields

_K = TypeVar("_K")
_V = TypeVar("_V")

MAX_REQUESTS: Final = 256
"""Requests that wait for their answer."""
MAX_FILES: Final = 512
_MAX_SHARES: Final = 128
_MAX_USERS: Final = 64


class Remembered(OrderedDict[_K, _V], Generic[_K, _V]):
    """A mapping of limited size: what was put in first leaves first."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def put(self, key: _K, value: _V) -> None:
        """Add or replace an entry."""
        if key not in self and len(self) >= self._limit:
            self.popitem(last=False)
        self[key] = value


class File:
    """A file or named pipe that is open."""

    __slots__ = ("calls", "id", "is_read", "is_written", "name", "share")

    def __init__(self, name: str, share: str) -> None:
        self.name = name
        self.share = share
        self.id = ""
        self.is_read = False
        self.is_written = False
        self.calls: RpcCalls | None = RpcCalls() if share.upper().endswith("\\IPC$") or not share else None
        """What is called over it, if it may be a pipe."""

    def fields(self) -> Fields:
        """Name the file, and where it lies."""
        fields: Fields = {"smb.filename": self.name or "<share_root>"}
        if self.id:
            fields["smb.fuid"] = self.id
        return fields | share_fields(self.share)


class Request:
    """A request that waits for its answer."""

    __slots__ = ("command", "fields", "file", "time")

    def __init__(self, command: int, time: int, fields: Fields, file: File | None = None) -> None:
        self.command = command
        self.time = time
        self.fields = fields
        self.file = file


class Session:
    """The state of a conversation."""

    def __init__(self) -> None:
        self.dialect = "unknown"
        self.requests: Remembered[int, Request] = Remembered(MAX_REQUESTS)
        self.shares: Remembered[tuple[int, int], str] = Remembered(_MAX_SHARES)
        self.users: Remembered[int, Fields] = Remembered(_MAX_USERS)
        self.files: Remembered[bytes, File] = Remembered(MAX_FILES)

    def login(self, blob: bytes, session: int) -> Fields:
        """Read a security blob; who logs in is remembered for the session."""
        fields = ntlm_fields(blob)
        if "ntlmssp.user" in fields:
            fields["user.name"] = fields["ntlmssp.user"]
            if "ntlmssp.domain" in fields:
                fields["user.domain"] = fields["ntlmssp.domain"]
            self.users.put(session, {name: fields[name] for name in ("user.name", "user.domain") if name in fields})
        return fields


def guid_text(raw: bytes) -> str:
    """Write a GUID or file id as eve.json does: as numbers of four, two, two, two, two and four bytes."""
    first, *groups = (
        raw[start:end][::-1].hex() for start, end in ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 16))
    )
    return f"{first}-{'-'.join(groups[:4])}{groups[4]}"


def share_fields(share: str) -> Fields:
    """Name a share; that of named pipes has a field of its own, as in eve.json."""
    if not share:
        return {}
    return {"smb.named_pipe" if share.upper().endswith("\\IPC$") else "smb.share": share}

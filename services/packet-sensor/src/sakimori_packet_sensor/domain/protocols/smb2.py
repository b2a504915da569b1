"""Messages of SMB 2 and 3 (MS-SMB2, 2.2), each request joined with its answer."""

from collections.abc import Callable
from struct import Struct, error
from typing import Final, NamedTuple

from sakimori_packet_sensor.domain.protocols.contract import Fields, Message
from sakimori_packet_sensor.domain.protocols.dcerpc import DATASET as RPC_DATASET
from sakimori_packet_sensor.domain.protocols.dcerpc import is_unit
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.ntlm import wide_text
from sakimori_packet_sensor.domain.protocols.smb_names import COMMANDS, DIALECTS, DISPOSITIONS, status_name
from sakimori_packet_sensor.domain.protocols.smb_session import File, Request, Session, guid_text, share_fields

DATASET: Final = "network.smb"
HEADER_BYTES: Final = 64
_HEADER: Final = Struct("<4sHHIHHIIQIIQ")
_SHORT: Final = Struct("<H")
_LONG: Final = Struct("<I")
_SPAN: Final = Struct("<HH")
_IS_ANSWER, _IS_ASYNC = 1, 2
NEGOTIATE, SESSION_SETUP, LOGOFF, TREE_CONNECT, TREE_DISCONNECT, CREATE, CLOSE = range(7)
_READ, _WRITE, _IOCTL, _FIND, _SET_INFO = 8, 9, 11, 14, 17
_MOST: Final = (1 << 63) - 1
"""Integers of an event have a sign; servers do not use that bit."""
_PENDING: Final = 0x103
_GO_ON: Final = 0xC0000016
"""More processing required: an error by its number only."""
_TOLD: Final = frozenset(
    {
        NEGOTIATE,
        SESSION_SETUP,
        LOGOFF,
        TREE_CONNECT,
        TREE_DISCONNECT,
        CREATE,
        CLOSE,
        _READ,
        _WRITE,
        _IOCTL,
        _FIND,
        _SET_INFO,
    }
)
"""Commands that are an event each; of reading and writing only the first of a file. Others when they fail."""
_SILENT: Final = frozenset({0, _PENDING, 0x80000005, 0x80000006, 0xC0000011})
"""Success, and what is none but usual: more data, no more files, end of file."""
_PIPE_CALL: Final = 0x0011C017
_CONTROLS: Final = {
    _PIPE_CALL: "FSCTL_PIPE_TRANSCEIVE", 0x00060194: "FSCTL_DFS_GET_REFERRALS", 0x00110018: "FSCTL_PIPE_WAIT",
    0x001401FC: "FSCTL_QUERY_NETWORK_INTERFACE_INFO", 0x00140204: "FSCTL_VALIDATE_NEGOTIATE_INFO",
    0x001440F2: "FSCTL_SRV_COPYCHUNK", 0x00144064: "FSCTL_SRV_ENUMERATE_SNAPSHOTS",
    0x000900A4: "FSCTL_SET_REPARSE_POINT",
}  # fmt: skip
_SHARE_TYPES: Final = {1: "FILE", 2: "PIPE", 3: "PRINT"}
_RENAME, _DISPOSITION = 10, 13
_MAX_DIALECTS: Final = 16
_CREATED_BYTES: Final = 144
_CREATE: Final = Struct("<IIIII")
_WRITES: Final = 0x000D0156 | 0x52000000
"""Rights of an access mask that change something (MS-SMB2, 2.2.13.1): data, attributes, permissions, owner, name."""
_FILE_ID_AT: Final = {CLOSE: 72, 7: 72, _READ: 80, _WRITE: 80, _IOCTL: 72, _FIND: 72, 16: 88, _SET_INFO: 80}
"""Where each command's request has the id of its file."""
_RELATED: Final = b"\xff" * 16
"""File id of a related request: that of the one before it in the same message."""


class Header(NamedTuple):
    """What of a header matters."""

    status: int
    command: int
    flags: int
    id: int
    tree: int
    session: int


class Smb2:
    """Reads the messages of one conversation."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._last: File | None = None
        """File of the request before in the same message."""

    def take(self, side: int, data: bytes, time: int, messages: list[Message]) -> None:
        """Take a message, or its beginning, with all that are chained in it. Raises Malformed."""
        at = 0
        self._last = None
        try:
            while at + HEADER_BYTES <= len(data):
                _, size, _, status, command, _, flags, behind, number, _, tree, session = _HEADER.unpack_from(data, at)
                if size != HEADER_BYTES or data[at : at + 4] != b"\xfeSMB":
                    raise Malformed("no header of SMB 2")
                header = Header(status, command, flags, number, tree, session & _MOST)
                body = data[at : at + behind] if behind else data[at:]
                if flags & _IS_ANSWER:
                    self._answer(header, body, side, messages)
                else:
                    self._request(header, body, side, time, messages)
                if behind < HEADER_BYTES:
                    break
                at += behind
        except (error, IndexError) as problem:
            raise Malformed("a message of SMB 2 is cut") from problem

    def _request(self, header: Header, body: bytes, side: int, time: int, messages: list[Message]) -> None:
        reader = _REQUESTS.get(header.command)
        fields = reader(body, self._session, header) if reader else {}
        file = self._file_of(header, body)
        if header.command == CREATE:
            share = self._session.shares.get((header.session, header.tree), "")
            file = self._last = File(str(fields.pop("smb.filename")), share)
        if file is not None:
            fields |= file.fields()
            self._call(header, body, file, side, messages)
        elif header.command not in {TREE_CONNECT, NEGOTIATE, SESSION_SETUP}:
            fields |= share_fields(self._session.shares.get((header.session, header.tree), ""))
        self._session.requests.put(header.id, Request(header.command, time, fields, file))

    def _file_of(self, header: Header, body: bytes) -> File | None:
        place = _FILE_ID_AT.get(header.command)
        if place is None:
            return None
        identity = body[place : place + 16]
        if identity != _RELATED:
            self._last = self._session.files.get(identity)
        return self._last

    def _call(self, header: Header, body: bytes, file: File, side: int, messages: list[Message]) -> None:
        """Read a call of DCE/RPC that is written to a named pipe."""
        start = 0
        if header.command == _WRITE:
            (start,) = _SHORT.unpack_from(body, 66)
        elif header.command == _IOCTL and _LONG.unpack_from(body, 68)[0] == _PIPE_CALL:
            (start,) = _LONG.unpack_from(body, 88)
        if start >= HEADER_BYTES and file.calls is not None and is_unit(unit := body[start:]):
            fields = file.calls.take(unit)
            if fields:
                user = self._session.users.get(header.session, {})
                messages.append(Message(RPC_DATASET, {**file.fields(), **user, **fields}, side))

    def _answer(self, header: Header, body: bytes, side: int, messages: list[Message]) -> None:
        if header.status == _PENDING:
            return
        request = self._session.requests.pop(header.id, None)
        if request is None:
            request = Request(header.command, 0, {})
            is_told = header.command in {NEGOTIATE, SESSION_SETUP}
        else:
            is_told = header.command in _TOLD and self._is_first(header, request, body)
        reader = _ANSWERS.get(header.command)
        if reader is not None and (header.status >> 30 != 3 or header.status == _GO_ON):
            request.fields |= reader(body, self._session, header)
        if header.command == TREE_CONNECT and not header.status and "smb.path" in request.fields:
            self._session.shares.put((header.session, header.tree), str(request.fields["smb.path"]))
        path = request.fields.pop("smb.path", None)
        if path is not None:
            request.fields |= share_fields(str(path))
        if is_told or header.status not in _SILENT:
            messages.append(Message(DATASET, self._common(header) | request.fields, 1 - side, request.time))

    def _is_first(self, header: Header, request: Request, body: bytes) -> bool:
        """Say whether this is not just the next piece of a file; a file that is opened is kept in mind."""
        file = request.file
        if file is None:
            return True
        if header.command == CREATE and not header.status and len(body) >= _CREATED_BYTES:
            identity = body[128:144]
            file.id = guid_text(identity)
            request.fields["smb.fuid"] = file.id
            self._session.files.put(identity, file)
        elif header.command == _READ:
            was, file.is_read = file.is_read, True
            return not was
        elif header.command in {_WRITE, _IOCTL}:
            was, file.is_written = file.is_written, True
            return not was
        return True

    def _common(self, header: Header) -> Fields:
        command = COMMANDS[header.command] if header.command < len(COMMANDS) else str(header.command)
        return {
            "smb.version": 2,
            "smb.command": f"SMB2_COMMAND_{command}",
            "smb.dialect": self._session.dialect,
            "smb.status": status_name(header.status),
            "smb.status_code": f"0x{header.status:x}",
            "smb.session_id": header.session,
            "smb.tree_id": 0 if header.flags & _IS_ASYNC else header.tree,
            **self._session.users.get(header.session, {}),
        }


def _span(body: bytes, at: int) -> bytes:
    """Cut out what an offset and a length, two bytes each, point to."""
    start, size = _SPAN.unpack_from(body, at)
    return body[start : start + size]


def _negotiate(body: bytes, session: Session, header: Header) -> Fields:
    (count,) = _SHORT.unpack_from(body, 66)
    offered = [_SHORT.unpack_from(body, 100 + 2 * index)[0] for index in range(min(count, _MAX_DIALECTS))]
    return {"smb.client_dialects": [DIALECTS.get(number, f"0x{number:04x}") for number in offered]}


def _negotiated(body: bytes, session: Session, header: Header) -> Fields:
    (number,) = _SHORT.unpack_from(body, 68)
    session.dialect = DIALECTS.get(number, f"0x{number:04x}")
    signing = body[66]
    return {
        "smb.dialect": session.dialect,
        "smb.server_guid": guid_text(body[72:88]),
        "smb.is_signing_required": bool(signing & 2),
    }


def _set_up(body: bytes, session: Session, header: Header) -> Fields:
    return session.login(_span(body, 76), header.session)


def _is_set_up(body: bytes, session: Session, header: Header) -> Fields:
    fields: Fields = dict(session.login(_span(body, 68), header.session))
    if header.status == 0 and (flags := _SHORT.unpack_from(body, 66)[0] & 3):
        fields["smb.session_kind"] = "guest" if flags & 1 else "anonymous"
    return fields


def _tree_connect(body: bytes, session: Session, header: Header) -> Fields:
    return {"smb.path": wide_text(_span(body, 68))}


def _tree_connected(body: bytes, session: Session, header: Header) -> Fields:
    return {"smb.share_type": _SHARE_TYPES.get(body[66], str(body[66]))}


def _create(body: bytes, session: Session, header: Header) -> Fields:
    access, _, _, disposition, options = _CREATE.unpack_from(body, 88)
    return {
        "smb.filename": wide_text(_span(body, 108)),
        "smb.disposition": DISPOSITIONS[disposition] if disposition < len(DISPOSITIONS) else str(disposition),
        "smb.access": "delete" if access & 0x10000 and options & 0x1000 else "write" if access & _WRITES else "read",
    }


def _created(body: bytes, session: Session, header: Header) -> Fields:
    return {"smb.size": int.from_bytes(body[112:120], "little") & _MOST}


def _find(body: bytes, session: Session, header: Header) -> Fields:
    return {"smb.pattern": wide_text(_span(body, 88))}


def _control(body: bytes, session: Session, header: Header) -> Fields:
    (code,) = _LONG.unpack_from(body, 68)
    return {"smb.function": _CONTROLS.get(code, f"0x{code:08x}")}


def _set_info(body: bytes, session: Session, header: Header) -> Fields:
    size, start = _LONG.unpack_from(body, 68)[0], _SHORT.unpack_from(body, 72)[0]
    data = body[start : start + size]
    if body[66] != 1:
        return {}
    if body[67] == _RENAME and len(data) >= 20:
        return {"smb.rename.to": wide_text(data[20 : 20 + _LONG.unpack_from(data, 16)[0]])}
    return {"smb.is_deleted": bool(data[:1] != b"\x00")} if body[67] == _DISPOSITION and data else {}


_Reader = Callable[[bytes, Session, Header], Fields]
_REQUESTS: Final[dict[int, _Reader]] = {
    NEGOTIATE: _negotiate,
    SESSION_SETUP: _set_up,
    TREE_CONNECT: _tree_connect,
    CREATE: _create,
    _IOCTL: _control,
    _FIND: _find,
    _SET_INFO: _set_info,
}
_ANSWERS: Final[dict[int, _Reader]] = {
    NEGOTIATE: _negotiated,
    SESSION_SETUP: _is_set_up,
    TREE_CONNECT: _tree_connected,
    CREATE: _created,
}

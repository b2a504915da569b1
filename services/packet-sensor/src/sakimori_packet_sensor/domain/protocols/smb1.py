"""Messages of SMB 1 (MS-CIFS, 2.2; MS-SMB, 2.2), each request joined with its answer."""

from collections.abc import Callable
from struct import Struct, error
from typing import Final, NamedTuple

from sakimori_packet_sensor.domain.protocols.contract import Fields, Message
from sakimori_packet_sensor.domain.protocols.dcerpc import DATASET as RPC_DATASET
from sakimori_packet_sensor.domain.protocols.dcerpc import is_unit
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.smb2 import DATASET
from sakimori_packet_sensor.domain.protocols.smb_names import DISPOSITIONS, OLD_COMMANDS, OLD_ERRORS, status_name
from sakimori_packet_sensor.domain.protocols.smb_session import File, Request, Session, guid_text, share_fields
from sakimori_packet_sensor.domain.protocols.text import text_of

HEADER_BYTES: Final = 32
_HEADER: Final = Struct("<4sBIBHHQHHHHH")
_SHORT: Final = Struct("<H")
_LONG: Final = Struct("<I")
_IS_ANSWER: Final = 0x80
_HAS_NT_STATUS, _IS_WIDE = 0x4000, 0x8000
_NEGOTIATE, _SESSION_SETUP, _LOGOFF, _TREE_CONNECT, _TREE_DISCONNECT = 0x72, 0x73, 0x74, 0x75, 0x71
_NT_CREATE, _CLOSE, _READ, _WRITE, _TRANSACTION, _DELETE, _RENAME = 0xA2, 0x04, 0x2E, 0x2F, 0x25, 0x06, 0x07
_CHAINED: Final = frozenset({0x24, 0x2D, 0x2E, 0x2F, _SESSION_SETUP, _LOGOFF, _TREE_CONNECT, _NT_CREATE})
_TOLD: Final = frozenset(
    {
        _NEGOTIATE,
        _SESSION_SETUP,
        _LOGOFF,
        _TREE_CONNECT,
        _TREE_DISCONNECT,
        _NT_CREATE,
        _CLOSE,
        _READ,
        _WRITE,
        _DELETE,
        _RENAME,
    }
)
_SILENT: Final = frozenset({0, 0x80000005, 0x80000006, 0xC0000011})
_NO_MORE: Final = 0xFF
_MAX_CHAIN: Final = 8
_MAX_DIALECTS: Final = 16
_IS_EXTENDED: Final = 0x80000000
"""Capability: logins are security blobs, and the server tells its GUID."""
_WRITES: Final = 0x000D0156 | 0x52000000
"""See smb2."""


class Header(NamedTuple):
    """What of a header matters. `id` is of the request, of process and multiplex ids."""

    status: int
    command: int
    flags: int
    tree: int
    user: int
    id: int

    @property
    def status_code(self) -> int:
        """Give the code alone, of an answer with class and code."""
        return self.status if self.flags & _HAS_NT_STATUS else self.status >> 16

    @property
    def status_name(self) -> str:
        """Name what became of a request."""
        if self.flags & _HAS_NT_STATUS or not self.status:
            return status_name(self.status)
        return OLD_ERRORS.get((self.status & 0xFF, self.status >> 16)) or f"0x{self.status:08x}"


class Part(NamedTuple):
    """One command of a message: its words, its bytes, and where in the message those begin."""

    command: int
    words: bytes
    data: bytes
    at: int


class Smb1:
    """Reads the messages of one conversation."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def take(self, side: int, data: bytes, time: int, messages: list[Message]) -> None:
        """Take a message, or its beginning. Raises Malformed."""
        try:
            _, command, status, kind, flags, _, _, _, tree, process, user, number = _HEADER.unpack_from(data)
            header = Header(status, command, flags, tree, user, process << 16 | number)
            if kind & _IS_ANSWER:
                self._answer(header, data, side, messages)
            else:
                self._request(header, data, side, time, messages)
        except (error, IndexError) as problem:
            raise Malformed("a message of SMB 1 is cut") from problem

    def _request(self, header: Header, data: bytes, side: int, time: int, messages: list[Message]) -> None:
        fields: Fields = {}
        file: File | None = None
        for part in _parts(header.command, data):
            reader = _REQUESTS.get(part.command)
            if reader is not None:
                fields |= reader(part, self._session, header)
            if (place := _FILE_AT.get(part.command)) is not None:
                file = self._session.files.get(part.words[place : place + 2])
        if header.command == _NT_CREATE:
            share = self._session.shares.get((0, header.tree), "")
            file = File(str(fields.pop("smb.filename", "")), share)
        elif header.command == _TRANSACTION:
            file = self._pipe(data)
        if file is not None:
            fields |= file.fields()
            self._call(header, data, file, side, messages)
        self._session.requests.put(header.id, Request(header.command, time, fields, file))

    def _pipe(self, data: bytes) -> File | None:
        """Find the named pipe of a transaction, by its setup words."""
        return (
            self._session.files.get(data[HEADER_BYTES + 31 : HEADER_BYTES + 33]) if data[HEADER_BYTES] >= 16 else None
        )

    def _call(self, header: Header, data: bytes, file: File, side: int, messages: list[Message]) -> None:
        """Read a call of DCE/RPC that is written to a named pipe."""
        start = 0
        if header.command == _TRANSACTION:
            (start,) = _SHORT.unpack_from(data, HEADER_BYTES + 25)
        elif header.command == _WRITE:
            (start,) = _SHORT.unpack_from(data, HEADER_BYTES + 23)
        if start and file.calls is not None and is_unit(unit := data[start:]) and (fields := file.calls.take(unit)):
            user = self._session.users.get(header.user, {})
            messages.append(Message(RPC_DATASET, {**file.fields(), **user, **fields}, side))

    def _answer(self, header: Header, data: bytes, side: int, messages: list[Message]) -> None:
        request = self._session.requests.pop(header.id, None)
        if request is None:
            return
        fields = request.fields
        is_told = header.command in _TOLD and _is_first(header.command, request.file)
        for part in _parts(header.command, data):
            reader = _ANSWERS.get(part.command)
            if reader is not None and part.words:
                fields |= reader(part, self._session, header)
            if part.command == _NT_CREATE and request.file and len(part.words) > 7 and not header.status:
                self._session.files.put(part.words[5:7], request.file)
        if header.command == _NEGOTIATE:
            self._agree(fields)
        path = fields.pop("smb.path", None)
        if path is not None:
            if not header.status:
                self._session.shares.put((0, header.tree), str(path))
            fields |= share_fields(str(path))
        if is_told or header.status not in _SILENT:
            messages.append(Message(DATASET, self._common(header) | fields, 1 - side, request.time))

    def _agree(self, fields: Fields) -> None:
        """Find the dialect that the server chose among those that were offered."""
        index, offered = fields.pop("smb.dialect_index", None), fields.get("smb.client_dialects")
        if isinstance(index, int) and isinstance(offered, list) and index < len(offered):
            self._session.dialect = str(offered[index])

    def _common(self, header: Header) -> Fields:
        command = OLD_COMMANDS.get(header.command, f"0x{header.command:02x}")
        code = header.status_code
        return {
            "smb.version": 1,
            "smb.command": f"SMB1_COMMAND_{command}",
            "smb.dialect": self._session.dialect,
            "smb.status": header.status_name,
            "smb.status_code": f"0x{code:x}" if header.flags & _HAS_NT_STATUS or not code else f"0x{code:04x}",
            "smb.session_id": header.user,
            "smb.tree_id": header.tree,
            **self._session.users.get(header.user, {}),
        }


def _is_first(command: int, file: File | None) -> bool:
    """Say whether this is not just the next piece of a file."""
    if file is None or command not in {_READ, _WRITE}:
        return True
    was = file.is_read if command == _READ else file.is_written
    file.is_read |= command == _READ
    file.is_written |= command == _WRITE
    return not was


def _parts(command: int, data: bytes) -> list[Part]:
    """List the commands that are chained in a message. Raises Malformed when the chain runs backwards or too long."""
    found: list[Part] = []
    at = HEADER_BYTES
    while command != _NO_MORE:
        if len(found) >= _MAX_CHAIN:
            raise Malformed(f"more than {_MAX_CHAIN} commands in a chain")
        words = data[at + 1 : at + 1 + 2 * data[at]]
        start = at + 3 + 2 * data[at]
        size = _SHORT.unpack_from(data, start - 2)[0] if start <= len(data) else 0
        found.append(Part(command, words, data[start : start + size], start))
        if command not in _CHAINED or len(words) < 4:
            break
        command = words[0]
        behind = words[2] | words[3] << 8
        if command == _NO_MORE or behind >= len(data):
            break
        if behind <= at:
            raise Malformed("a chain of commands runs backwards")
        at = behind
    return found


def _texts(part: Part, start: int, wide: int) -> list[str]:
    """Read the strings behind an offset of a command's bytes, each ended by a zero; UTF-16 begins at an even place."""
    data = part.data
    if not wide:
        return [text_of(each) for each in data[start:].split(b"\x00")[:5]]
    start += (part.at + start) & 1
    raw = data[start:]
    return [
        text_of(each.encode("utf-8", "replace"))
        for each in raw[: len(raw) & ~1].decode("utf-16-le", "replace").split("\x00")[:5]
    ]


def _negotiate(part: Part, session: Session, header: Header) -> Fields:
    offered = [text_of(name.lstrip(b"\x02"), 64) for name in part.data.split(b"\x00") if name][:_MAX_DIALECTS]
    return {"smb.client_dialects": [*offered]}


def _negotiated(part: Part, session: Session, header: Header) -> Fields:
    fields: Fields = {"smb.dialect_index": _SHORT.unpack_from(part.words)[0]}
    if len(part.words) >= 34 and len(part.data) >= 16 and _LONG.unpack_from(part.words, 19)[0] & _IS_EXTENDED:
        fields["smb.server_guid"] = guid_text(part.data[:16])
    return fields


def _set_up(part: Part, session: Session, header: Header) -> Fields:
    words, wide = part.words, header.flags & _IS_WIDE
    if len(words) == 24:
        (size,) = _SHORT.unpack_from(words, 14)
        return session.login(part.data[:size], header.user) | _native("request", _texts(part, size, wide))
    if len(words) == 26:
        start = sum(_SHORT.unpack_from(words, place)[0] for place in (14, 16))
        user, domain, *native = [*_texts(part, start, wide), "", ""]
        fields: Fields = {"user.name": user, "user.domain": domain} if user else {}
        session.users.put(header.user, dict(fields))
        return fields | _native("request", native)
    return {}


def _is_set_up(part: Part, session: Session, header: Header) -> Fields:
    wide = header.flags & _IS_WIDE
    size = _SHORT.unpack_from(part.words, 6)[0] if len(part.words) >= 8 else 0
    fields = session.login(part.data[:size], header.user) | _native("response", _texts(part, size, wide))
    if len(part.words) >= 6 and part.words[4] & 1:
        fields["smb.session_kind"] = "guest"
    return fields


def _native(whose: str, texts: list[str]) -> Fields:
    names = (f"smb.{whose}.native_os", f"smb.{whose}.native_lm")
    return {name: value for name, value in zip(names, texts, strict=False) if value}


def _tree_connect(part: Part, session: Session, header: Header) -> Fields:
    (size,) = _SHORT.unpack_from(part.words, 6)
    return {"smb.path": next(iter(_texts(part, size, header.flags & _IS_WIDE)), "")}


def _create(part: Part, session: Session, header: Header) -> Fields:
    (access,), (disposition,) = _LONG.unpack_from(part.words, 15), _LONG.unpack_from(part.words, 35)
    return {
        "smb.filename": next(iter(_texts(part, 0, header.flags & _IS_WIDE)), ""),
        "smb.disposition": DISPOSITIONS[disposition] if disposition < len(DISPOSITIONS) else str(disposition),
        "smb.access": "write" if access & _WRITES else "read",
    }


def _named(part: Part, session: Session, header: Header) -> Fields:
    """Read the name, or the two names, that stand behind a byte that says so."""
    names = [name for name in _texts(part, 1, header.flags & _IS_WIDE) if name]
    fields: Fields = {"smb.filename": names[0]} if names else {}
    return fields | ({"smb.rename.to": names[1].lstrip("\x04")} if part.command == _RENAME and len(names) > 1 else {})


_Reader = Callable[[Part, Session, Header], Fields]
_REQUESTS: Final[dict[int, _Reader]] = {
    _NEGOTIATE: _negotiate,
    _SESSION_SETUP: _set_up,
    _TREE_CONNECT: _tree_connect,
    _NT_CREATE: _create,
    _DELETE: _named,
    _RENAME: _named,
}
_ANSWERS: Final[dict[int, _Reader]] = {_NEGOTIATE: _negotiated, _SESSION_SETUP: _is_set_up}
_FILE_AT: Final = {_CLOSE: 0, _READ: 4, _WRITE: 4}
"""Where each command's words have the number of its file."""

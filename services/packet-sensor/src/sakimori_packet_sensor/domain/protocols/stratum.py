"""Stratum, the miners' protocol: JSON-RPC a line. Also its relatives for Monero (`login`) and Ethereum (`eth_...`)."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from sakimori_packet_sensor.domain.protocols.contract import (
    CLIENT,
    TCP,
    Ends,
    Fields,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.lines import GO_ON, Lines, read_lines
from sakimori_packet_sensor.domain.protocols.text import text_of

_DATASET: Final = "network.stratum"
_MOST_LINE: Final = 8_192
_MOST_PENDING: Final = 8
_MOST_METHODS: Final = 32

_SIGNS: Final = (b'"mining.', b'"eth_submitLogin"', b'"eth_getWork"', b'"eth_submitWork"')
_LOGINS: Final = frozenset({"mining.authorize", "login", "eth_submitLogin"})
_METHOD: Final = re.compile(r"(?:mining\.|eth_|client\.)[A-Za-z_.]{1,32}|login|job|submit|getjob|keepalived")


def recognise(data: bytes, _side: int, _ends: Ends) -> Verdict:
    """JSON with a method that only miners or pools call."""
    head = data[:1024]
    if any(sign in head for sign in _SIGNS):
        return Verdict.YES
    if b'"login"' in head and b'"method"' in head and (b'"agent"' in head or b'"pass"' in head):
        return Verdict.YES
    return Verdict.MORE if b"\n" not in head and len(head) < 1024 else Verdict.NO


class StratumDecoder:
    """An event for the first call of each method, and one for each login with its answer; the rest is counted."""

    __slots__ = ("_agent", "_counts", "_lines", "_pending")

    def __init__(self, _ends: Ends) -> None:
        self._lines = (Lines(_MOST_LINE), Lines(_MOST_LINE))
        self._pending: dict[str, Fields] = {}
        self._counts: Counter[str] = Counter()
        self._agent: str | None = None

    def feed(self, side: int, data: bytes, _time: int) -> Read:
        """Take bytes of a side."""
        return read_lines(self._lines[side], side, data, self._line)

    def finish(self) -> Sequence[Message]:
        """Report logins without answer, and how often what was called."""
        counts: Fields = {f"stratum.count.{name}": many for name, many in self._counts.items()}
        left = [Message(_DATASET, {**fields, "event.outcome": "unknown"}) for fields in self._pending.values()]
        return [*left, Message(_DATASET, {"stratum.method": "summary", **counts})]

    def _line(self, side: int, line: bytes, messages: list[Message]) -> int:
        try:
            call = json.loads(line)
        except (ValueError, RecursionError):
            if line.strip():
                self._counts["malformed"] += 1
            return GO_ON
        if not isinstance(call, dict):
            return GO_ON
        method, identity = call.get("method"), call.get("id")
        number = str(identity)[:64] if isinstance(identity, str | int) else ""
        if isinstance(method, str):
            self._call(side, method, number, call.get("params"), messages)
        elif side != CLIENT and number in self._pending:
            is_good = call.get("error") is None and call.get("result") not in (None, False)
            fields = self._pending.pop(number)
            messages.append(Message(_DATASET, {**fields, "event.outcome": "success" if is_good else "failure"}))
        return GO_ON

    def _call(self, side: int, method: str, number: str, params: Any, messages: list[Message]) -> None:
        if not _METHOD.fullmatch(method):
            method = "other"
        name = method.lower()
        if len(self._counts) >= _MOST_METHODS and name not in self._counts:
            return
        self._counts[name] += 1
        is_login = method in _LOGINS
        if self._counts[name] > 1 and not is_login:
            return
        fields: Fields = {"stratum.method": name, **_said(method, params)}
        if "stratum.agent" in fields:
            self._agent = str(fields["stratum.agent"])
        elif self._agent is not None:
            fields["stratum.agent"] = self._agent
        if is_login and side == CLIENT and len(self._pending) < _MOST_PENDING:
            self._pending[number] = fields
        else:
            messages.append(Message(_DATASET, fields, side))


def _said(method: str, params: Any) -> Fields:
    """What the arguments say of the miner: its software, its worker's name (often a wallet), never a password."""
    fields: Fields = {}
    first: Any = None
    if isinstance(params, list) and params:
        first = params[0]
    elif isinstance(params, dict):
        first = params.get("login")
        _text(params.get("agent"), "stratum.agent", fields)
    if method in _LOGINS:
        _text(first, "stratum.worker", fields)
        has_second = isinstance(params, list) and len(params) > 1 and bool(params[1])
        fields["stratum.has_password"] = has_second or (isinstance(params, dict) and bool(params.get("pass")))
    elif method == "mining.subscribe":
        _text(first, "stratum.agent", fields)
    elif method == "mining.set_difficulty" and isinstance(first, int | float):
        fields["stratum.difficulty"] = first if abs(first) < 1 << 63 else 0
    return fields


def _text(value: Any, name: str, into: Fields) -> None:
    if isinstance(value, str) and value:
        into[name] = text_of(value.encode("utf-8", "replace"), 256)


PROTOCOL: Final = ProtocolKind(
    name="stratum",
    transport=TCP,
    recognise=recognise,
    decoder=StratumDecoder,
    ports=frozenset({3333, 4444, 14444}),
    first_bytes=frozenset(b"{"),
    resumes=True,
)

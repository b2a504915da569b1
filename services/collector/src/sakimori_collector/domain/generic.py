"""Fields of a source that nobody knows: what the usual names mean, the others as they are."""

import re
from typing import Final

from sakimori_collector.domain.addresses import canonical_ip
from sakimori_collector.domain.datasets import OWN_DATASETS
from sakimori_collector.domain.flat import Fields
from sakimori_collector.domain.format import LineRejected, Record, Reference
from sakimori_collector.domain.json_kind import number_of
from sakimori_collector.domain.requests import put_target
from sakimori_collector.domain.timestamps import time_of
from sakimori_common.contracts import FieldValue

OF_ARRIVAL: Final = "sakimori.time.is_of_arrival"
"""True where a line carries no time, so that of its reading has to do."""

_TIMES: Final = (
    "@timestamp", "timestamp", "Timestamp", "time", "ts", "datetime", "date", "t", "asctime", "eventTime", "event_time",
    "event.created", "logtime", "log_time", "created_at", "_time", "start_time",
)  # fmt: skip
"""Where logs keep their time, the surer names first."""
_ADDRESSES: Final = frozenset(
    {"client_ip", "clientip", "clientIp", "remote_ip", "remote_addr", "remoteAddr", "remote_address", "src_ip", "srcip"}
    | {"source_ip", "sourceIp", "ip_address", "ipAddress", "ip", "peer", "client", "remote", "src", "addr", "rhost"}
    | {"remip", "clientAddress", "clientIP", "remoteIp", "remoteIP", "visitor_ip", "downstream_remote_address"}
)
_PLAIN: Final = {
    **dict.fromkeys(("msg", "event", "MESSAGE", "Message"), "message"),
    **dict.fromkeys(("level", "severity", "lvl", "levelname", "loglevel", "log_level", "Level"), "log.level"),
    **dict.fromkeys(("user", "username", "user_name", "uname"), "user.name"),
    **dict.fromkeys(("host", "hostname"), "host.hostname"),
    **dict.fromkeys(("method", "http_method", "request_method"), "http.request.method"),
    **dict.fromkeys(("user_agent", "userAgent", "http_user_agent", "user-agent"), "user_agent.original"),
    **dict.fromkeys(("uri", "request_uri", "http_path", "x-envoy-origin-path"), "url.original"),
    **dict.fromkeys((":authority", "http_host"), "url.domain"),
    **dict.fromkeys(("logger", "logger_name", "loggerName"), "log.logger"),
    **dict.fromkeys(("trace_id", "traceId", "traceID"), "trace.id"),
}
"""Names that mean one thing wherever they are met; only texts are taken, as `user` may be a number elsewhere."""
_STATUS: Final = ("status", "status_code", "http_status", "statusCode", "response_code")
_OFFSET: Final = re.compile(r"[+-]\d\d:?\d\d")
_LEVELS: Final = {10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal"}
"""Of bunyan and pino."""


def record_of(fields: Fields, reference: Reference) -> Record:
    """Make a record of flat fields, in place. Raises LineRejected: an impossible time, a dataset that is not theirs."""
    time = _take_time(fields, reference)
    _refuse_own(fields)
    if "event.id" in fields:
        fields["sakimori.log.event_id"] = fields.pop("event.id")  # the id of the event is made here
    if "@timestamp" in fields:
        fields["sakimori.log.timestamp"] = fields.pop("@timestamp")  # no time, but another field is one
    for name in [name for name in fields if name in _PLAIN or name in _ADDRESSES]:
        _rename(fields, name)
    level = fields.get("level")
    if isinstance(level, int) and level in _LEVELS and "log.level" not in fields:
        fields["log.level"] = _LEVELS[level]
        del fields["level"]
    if "http.request.method" in fields:
        _read_web(fields)
    fields.setdefault("event.category", "host")
    return time, fields


def _rename(fields: Fields, name: str) -> None:
    value = fields[name]
    if not isinstance(value, str):
        return
    if name in _PLAIN:
        to = _PLAIN[name]
        if to not in fields and value:
            fields[to] = value.lower()[:64] if to == "log.level" else value
            del fields[name]
    elif "source.ip" not in fields:
        _take_address(fields, name, value)


def _take_address(fields: Fields, name: str, value: str) -> None:
    """An address, perhaps with its port; a name that looks like one of addresses may hold anything else."""
    host, _, port = value.rpartition(":") if value.count(":") == 1 or value[:1] == "[" else (value, "", "")
    ip = canonical_ip(host.strip("[]")) or canonical_ip(value.strip("[]"))
    if ip is None:
        return
    fields["source.ip"] = ip
    number = number_of(port)
    if number is not None and 0 < number <= 65_535:
        fields["source.port"] = number
    del fields[name]


def _read_web(fields: Fields) -> None:
    target = fields.get("url.original", fields.get("url"))
    if isinstance(target, str) and target.startswith(("/", "http")):
        fields.pop("url", None)
        put_target(fields, target)
    for name in _STATUS:
        code = number_of(fields.get(name))
        if code is not None and 100 <= code <= 599 and "http.response.status_code" not in fields:
            fields["http.response.status_code"] = code
            del fields[name]
    code = number_of(fields.get("http.response.status_code"))
    if code is not None:
        fields.setdefault("event.category", "web")
        fields.setdefault("event.outcome", "success" if code < 400 else "failure")


def _take_time(fields: Fields, reference: Reference) -> int:
    """The first field that is a time; one that is none (a duration is called `time`, too) stays."""
    problem: LineRejected | None = None
    for name in _TIMES:
        value = fields.get(name)
        if value is None or isinstance(value, bool | list):
            continue
        try:
            time = time_of(_with_clock(fields, name, value), reference)
        except LineRejected as error:
            problem = problem or error
            continue
        del fields[name]
        if name == "date" and value != _with_clock(fields, name, value):
            del fields["time"]
        return time
    if problem is not None:
        raise problem
    fields[OF_ARRIVAL] = True
    return reference.now


def _with_clock(fields: Fields, name: str, value: FieldValue) -> FieldValue:
    """Some write the day, the time of day and the zone in fields of their own."""
    clock, zone = fields.get("time"), fields.get("tz")
    if name == "date" and isinstance(value, str) and len(value) == 10 and isinstance(clock, str):
        return f"{value} {clock}{zone if isinstance(zone, str) and _OFFSET.fullmatch(zone) else ''}"
    return value


def _refuse_own(fields: Fields) -> None:
    dataset = fields.get("event.dataset")
    if isinstance(dataset, str) and dataset.startswith(OWN_DATASETS):
        raise LineRejected(f"{dataset[:64]}: only the service itself reports this dataset")
    if dataset is not None and not (isinstance(dataset, str) and 0 < len(dataset) <= 128):
        del fields["event.dataset"]

"""Flow logs of AWS VPCs (https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html).

Version 2 has fourteen columns, known without a header; files in a bucket begin with a line that names theirs.
"""

import re
from functools import lru_cache
from typing import Final

from sakimori_collector.domain.ends import put_end, put_transport
from sakimori_collector.domain.flat import Fields
from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.json_kind import number_of
from sakimori_collector.domain.requests import put_number, put_text
from sakimori_collector.domain.timestamps import time_of
from sakimori_common.instants import MICROSECONDS, format_instant

_DEFAULT: Final = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
)
_COLUMNS: Final = frozenset(_DEFAULT.split()) | {
    "vpc-id", "subnet-id", "instance-id", "tcp-flags", "type", "pkt-srcaddr", "pkt-dstaddr", "region", "az-id",
    "sublocation-type", "sublocation-id", "pkt-src-aws-service", "pkt-dst-aws-service", "flow-direction",
    "traffic-path", "ecs-cluster-arn", "ecs-cluster-name", "ecs-container-instance-arn",
    "ecs-container-instance-id", "ecs-container-id", "ecs-second-container-id", "ecs-service-name",
    "ecs-task-definition-arn", "ecs-task-arn", "ecs-task-id", "reject-reason", "resource-id", "encryption-status",
}  # fmt: skip
_MAX_COLUMNS: Final = 64
_MAX_HEADER: Final = 4096
_LINE: Final = re.compile(r"2 \d{12} eni-[0-9a-z]{1,32} (?:\S+ ){10}(?:OK|NODATA|SKIPDATA)\s*\Z")
_NAMED: Final = {
    "account-id": "cloud.account.id",
    "instance-id": "cloud.instance.id",
    "region": "cloud.region",
    "az-id": "cloud.availability_zone",
    "flow-direction": "network.direction",
}
_READ: Final = frozenset({
    "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end", "action", "type",
    "tcp-flags", "version",
})  # fmt: skip


def learn(line: str, context: str) -> str | None:
    """Take the header: a line of nothing but names of columns, hyphens or underscores in them."""
    names = line[:_MAX_HEADER].replace("_", "-").split()
    if 2 < len(names) <= _MAX_COLUMNS and all(name in _COLUMNS for name in names):
        return " ".join(names)
    return None


@lru_cache(maxsize=64)
def _columns(context: str) -> tuple[str, ...]:
    return tuple((context or _DEFAULT).split())


def _parse(line: str, reference: Reference) -> list[Record]:
    names = _columns(reference.context)
    values = line.split(maxsplit=len(names))
    if len(values) != len(names):
        raise LineRejected(f"{len(values)} columns, {len(names)} are expected")
    columns = {name: value for name, value in zip(names, values, strict=True) if value != "-"}
    start = number_of(columns.get("start"))
    if start is None and number_of(columns.get("end")) is None:
        raise LineRejected("a flow without a time: neither start nor end")
    time = time_of(start if start is not None else columns["end"], reference)
    return [(time, _fields_of(columns))]


def _fields_of(columns: dict[str, str]) -> Fields:
    fields: Fields = {"event.category": "network"}
    put_end(fields, "source", columns.get("srcaddr"), columns.get("srcport"))
    put_end(fields, "destination", columns.get("dstaddr"), columns.get("dstport"))
    if "protocol" in columns:
        put_transport(fields, columns["protocol"])
    put_number(fields, "source.bytes", columns.get("bytes"))
    put_number(fields, "source.packets", columns.get("packets"))
    for name, to in (("bytes", "network.bytes"), ("packets", "network.packets")):
        put_number(fields, to, columns.get(name))
    for name in ("start", "end"):
        seconds = number_of(columns.get(name))
        if seconds is not None and seconds < 10**11:
            fields[f"event.{name}"] = format_instant(seconds * MICROSECONDS)
    action = columns.get("action", "").lower()
    if action:
        fields["event.action"] = action
        fields["event.outcome"] = "success" if action == "accept" else "failure"
    put_text(fields, "network.type", columns.get("type", "").lower())
    put_number(fields, "aws.vpcflow.tcp_flags", columns.get("tcp-flags"))
    for name, value in columns.items():
        if name not in _READ:
            fields[_NAMED.get(name) or f"aws.vpcflow.{name.replace('-', '_')}"] = value
    return fields


def _recognises(line: str, path: str) -> bool:
    return _LINE.match(line) is not None or (
        line.startswith(("version ", "account-id ")) and learn(line, "") is not None
    )


VPCFLOW: Final = Format("aws.vpcflow", _parse, _recognises, learn=learn)

"""Kubernetes audit events (https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/), alone or in a list.

Fields without a place in ECS keep their own names under `kubernetes.audit.`.
"""

from typing import Final

from sakimori_collector.domain.ends import put_end
from sakimori_collector.domain.flat import Fields, json_text, put_flat, rename
from sakimori_collector.domain.format import LineRejected, Record, Reference
from sakimori_collector.domain.json_kind import JsonKind, Object, nested, number_of
from sakimori_collector.domain.requests import put_target
from sakimori_collector.domain.timestamps import time_of

_PREFIX: Final = "kubernetes.audit."
_NAMED: Final = {
    f"{_PREFIX}user.username": "user.name",
    f"{_PREFIX}user.uid": "user.id",
    f"{_PREFIX}user.groups": "user.group.name",
    f"{_PREFIX}userAgent": "user_agent.original",
}
_BODIES: Final = ("requestObject", "responseObject")
"""Whole manifests: kept as JSON, as their fields have any names there are."""
_TAKEN: Final = frozenset({"kind", "apiVersion", "requestReceivedTimestamp", *_BODIES})


def _is_meant(read: Object, path: str) -> bool:
    return "verb" in read or "stage" in read


def _read(read: Object, reference: Reference) -> list[Record]:
    time = time_of(read.get("requestReceivedTimestamp") or read.get("stageTimestamp"), reference)
    verb = read.get("verb")
    fields: Fields = {"event.category": "api", "event.outcome": _outcome(read)}
    if isinstance(verb, str):
        fields["event.action"] = verb
    addresses = read.get("sourceIPs")
    if isinstance(addresses, list) and addresses:
        put_end(fields, "source", addresses[0])
    target = read.get("requestURI")
    if isinstance(target, str):
        put_target(fields, target)
    for name in _BODIES:
        if read.get(name):
            fields[_PREFIX + name] = json_text(read[name])
    put_flat(fields, _PREFIX, {name: value for name, value in read.items() if name not in _TAKEN})
    rename(fields, _NAMED)
    return [(time, fields)]


def _outcome(read: Object) -> str:
    code = number_of(nested(read, "responseStatus", "code"))
    if nested(read, "annotations", "authorization.k8s.io/decision") == "forbid":
        return "failure"
    return "unknown" if code is None else "success" if code < 400 else "failure"


def _is_list(read: Object, path: str) -> bool:
    return read.get("kind") == "EventList" and str(read.get("apiVersion")).startswith("audit.k8s.io/")


def _read_list(read: Object, reference: Reference) -> list[Record]:
    records: list[Record] = []
    items = read["items"]
    for number, each in enumerate(items if isinstance(items, list) else []):
        if not (isinstance(each, dict) and "auditID" in each):
            raise LineRejected(f"item {number} is no audit event")
        records += _read(each, reference)
    return records


KUBERNETES: Final = JsonKind("kubernetes.audit", "auditID", _is_meant, _read)
KUBERNETES_LIST: Final = JsonKind("kubernetes.audit", "items", _is_list, _read_list)

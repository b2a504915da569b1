"""Lines of Docker's `json-file` driver, `{"log": ..., "stream": ..., "time": ...}`, and of CRI (containerd, CRI-O).

https://docs.docker.com/engine/logging/drivers/json-file/,
https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md. What stands inside is read
by its content, as if the container had written to a file; what is of no known format is kept as the message. Pieces of
long lines are joined by the input.
"""

import re
from dataclasses import replace
from typing import Final

from sakimori_collector.domain.flat import Fields, put_flat
from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.formats.payload import read_any
from sakimori_collector.domain.generic import OF_ARRIVAL
from sakimori_collector.domain.json_kind import JsonKind, Object
from sakimori_collector.domain.text import without_nul
from sakimori_collector.domain.timestamps import time_of

_CRI: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) [FP](?::\S{0,64})? (.*+)\Z",
    re.DOTALL,
)
_CONTAINER: Final = re.compile(r"/containers/(?:[^/]{1,64}/)*?([0-9a-f]{64})(?:/|-json\.log)")
_POD: Final = re.compile(r"/containers/([^/_]{1,253})_([^/_]{1,253})_([^/]{1,253}?)-([0-9a-f]{64})\.log\Z")
"""kubelet's links: `<pod>_<namespace>_<container>-<id>.log`."""


def _is_meant(read: Object, path: str) -> bool:
    return "stream" in read and "time" in read and isinstance(read["log"], str)


def _read(read: Object, reference: Reference) -> list[Record]:
    time = time_of(read["time"], reference)
    stream = read["stream"]
    about: Fields = {"stream": stream} if isinstance(stream, str) and len(stream) <= 16 else {}
    if isinstance(read.get("attrs"), dict):
        put_flat(about, "container.labels.", read["attrs"])
    return _inner(without_nul(read["log"]).rstrip("\r\n"), time, about, reference)


def _inner(text: str, time: int, about: Fields, reference: Reference) -> list[Record]:
    about.update(_names(reference.path))
    try:
        # The runtime took the line when it was written, so its clock is what the line's own is measured by.
        records = read_any(text, replace(reference, now=time, path=""))
    except LineRejected:
        records = [(time, {"event.dataset": "container.log", "event.category": "host", "message": text})]
    for _, fields in records:
        fields.pop(OF_ARRIVAL, None)
        for name, value in about.items():
            fields.setdefault(name, value)
    return records


def _names(path: str) -> Fields:
    """What the path of the file says of the container."""
    pod = _POD.search(path)
    if pod is not None:
        return {
            "kubernetes.pod.name": pod[1],
            "kubernetes.namespace": pod[2],
            "kubernetes.container.name": pod[3],
            "container.id": pod[4],
        }
    container = _CONTAINER.search(path)
    return {"container.id": container[1]} if container is not None else {}


def _parse_cri(line: str, reference: Reference) -> list[Record]:
    match = _CRI.match(line)
    if match is None:
        raise LineRejected("not a line of CRI: <time> <stream> <F or P> <text>")
    return _inner(match[3], time_of(match[1], reference), {"stream": match[2]}, reference)


DOCKER: Final = JsonKind("docker", "log", _is_meant, _read)
CRI: Final = Format("cri", _parse_cri, lambda line, _: _CRI.match(line) is not None)

"""The formats of feeds: one module each, named as in feeds.yml, each with `read(document, reading)`."""

from collections.abc import Callable, Iterator
from typing import Final

from sakimori_detector.domain.intelligence.entries import Entry, Reading, Skipped
from sakimori_detector.domain.intelligence.formats import csv, hosts, misp, plain, stix

Reader = Callable[[bytes, Reading], Iterator[Entry | Skipped]]
"""Reads a document. Raises DocumentRefused, maybe only after some entries."""

FORMATS: Final[dict[str, Reader]] = {
    "csv": csv.read,
    "hosts": hosts.read,
    "misp": misp.read,
    "plain": plain.read,
    "stix": stix.read,
}

"""MMDB files: where addresses are and whose."""

import os
import sys
from pathlib import Path
from typing import Final

import maxminddb
import structlog

from sakimori_collector.adapters.watched_file import WatchedFile
from sakimori_collector.domain.enrichment.facts import NOTHING, Address, Facts
from sakimori_collector.domain.enrichment.geo import facts_of
from sakimori_collector.domain.enrichment.networks import INTERNAL, Networks
from sakimori_common.contracts import FieldValue

MAX_BYTES: Final = 2 << 30
_WRONG: Final = (OSError, ValueError, maxminddb.InvalidDatabaseError)
"""What maxminddb raises for what is no database, a damaged one, or an IPv6 address where there are only IPv4 ones."""


class GeoDatabase:
    """One MMDB file, opened anew when it changes; a bad one is said once, and the last good one stays in use.

    A copy in memory is mapped: a file that somebody writes over while it is mapped would end the process.
    """

    def __init__(self, path: Path, log: structlog.stdlib.BoundLogger) -> None:
        self._path = path
        self._file = WatchedFile(path)
        self._log = log
        self._reader: maxminddb.Reader | None = None
        self._is_damaged = False

    def refresh(self) -> bool:
        """Look whether the file changed, and open it if so; tells whether other answers are to be expected."""
        if not self._file.has_changed():
            return False
        try:
            reader = _opened(self._path)
        except _WRONG as error:
            self._log.warning("geoip_file_unusable", path=str(self._path), reason=str(error)[:200])
            return False
        self._reader, self._is_damaged = reader, False
        made = reader.metadata()
        self._log.info("geoip_file_read", path=str(self._path), type=made.database_type, built=made.build_epoch)
        return True

    def facts(self, address: Address) -> Facts:
        """Say what the file says of an address."""
        if self._reader is None:
            return NOTHING
        try:
            return facts_of(self._reader.get(address))
        except ValueError:
            return NOTHING
        except maxminddb.InvalidDatabaseError as error:
            if not self._is_damaged:
                self._is_damaged = True
                self._log.warning("geoip_file_damaged", path=str(self._path), reason=str(error)[:200])
            return NOTHING


class GeoFacts:
    """What several files say together; nothing of addresses that are nowhere in the world."""

    def __init__(self, databases: list[GeoDatabase]) -> None:
        self._databases = databases
        self._networks = Networks(())

    def refresh(self) -> bool:
        """Open what changed; tells whether anything did."""
        changed = [database.refresh() for database in self._databases]
        return any(changed)

    def facts(self, address: Address) -> Facts:
        """Say it: `source.geo.*`, `source.as.*`."""
        if self._networks.class_of(address) in INTERNAL:
            return NOTHING
        found: dict[str, FieldValue] = {}
        for database in self._databases:
            found.update(database.facts(address))
        return found


def _opened(path: Path) -> maxminddb.Reader:
    """Open a copy in memory. Raises what _WRONG lists."""
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"over {MAX_BYTES} bytes")
    if sys.platform != "linux":
        return maxminddb.open_database(path, maxminddb.MODE_MEMORY)
    copy = os.memfd_create("geoip")
    try:
        with path.open("rb") as source:
            while os.sendfile(copy, source.fileno(), None, 1 << 24):
                pass
        return maxminddb.open_database(f"/proc/self/fd/{copy}", maxminddb.MODE_MMAP_EXT)
    finally:
        os.close(copy)

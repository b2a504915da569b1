"""A folder where captures appear."""

import json
from pathlib import Path
from typing import Final

SUFFIXES: Final = (".pcap", ".pcapng", ".cap", ".pcap.gz", ".pcapng.gz", ".cap.gz")
"""What a capture is called; other files and hidden ones are left alone."""

Fingerprint = list[int]
"""Size, and times of the last change of content and of permissions."""


class CaptureFolder:
    """Find captures that are finished: unchanged between two looks.

    What was read is remembered in a file of the sensor's own, since the folder may be read-only. Should that be lost,
    captures are read again; their events have the ids they had, so nothing is stored twice.
    """

    def __init__(self, folder: Path, memory: Path) -> None:
        self._folder = folder
        self._memory = memory
        self._read: dict[str, Fingerprint] = _load(memory)
        self._seen: dict[str, Fingerprint] = {}

    def finished(self) -> list[Path]:
        """List what is new and as it was at the last look, oldest first. A folder that is away is empty."""
        found = self._look()
        new = {name: fingerprint for name, fingerprint in found.items() if self._read.get(name) != fingerprint}
        finished = [name for name, fingerprint in new.items() if self._seen.get(name) == fingerprint]
        self._seen = new
        return [self._folder / name for name in sorted(finished, key=lambda name: (new[name][1], name))]

    def remember(self, capture: Path) -> None:
        """Never list the capture again as it was at the last look, and forget what has gone from the folder."""
        fingerprint = self._seen.pop(capture.name, None)
        if fingerprint is not None:
            self._read[capture.name] = fingerprint
        present = self._look()
        if present:
            self._read = {name: value for name, value in self._read.items() if name in present}
        temporary = self._memory.with_suffix(".partial")
        temporary.write_text(json.dumps(self._read))
        temporary.replace(self._memory)

    def _look(self) -> dict[str, Fingerprint]:
        found = {}
        try:
            for path in self._folder.iterdir():
                if path.name.endswith(SUFFIXES) and not path.name.startswith(".") and path.is_file():
                    status = path.stat()
                    found[path.name] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        except OSError:  # unmounted, or a file that went while we looked: the next look will tell
            return {}
        return found


def _load(memory: Path) -> dict[str, Fingerprint]:
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}

"""Whether a file is still the one that was read."""

from pathlib import Path


class WatchedFile:
    """Tells changes of a file that somebody else writes: another one in its place, another size, another time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: object = None

    def has_changed(self) -> bool:
        """Look; each change is told once, also that the file went, or may not be looked at any more."""
        try:
            status = self.path.stat()
            seen: object = (status.st_ino, status.st_size, status.st_mtime_ns)
        except OSError as error:
            seen = type(error).__name__
        is_new, self._seen = seen != self._seen, seen
        return is_new

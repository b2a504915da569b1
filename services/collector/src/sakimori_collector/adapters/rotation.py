"""The files that a path led to, oldest first, and which of them is to be read. Everything here blocks."""

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sakimori_collector.adapters.contents import Damaged, GzipContent, content_of, head_of
from sakimori_collector.adapters.log_file import LogFile
from sakimori_collector.ports import Checkpoint

_MARK: Final = r"(\d[\d._:T+-]{0,40}|old|prev)"
_ROTATED: Final = re.compile(rf"[._-]{_MARK}(\.gz)?")
"""What rotation puts behind a name: `.1`, `.2.gz`, `-20260116`, `-20260116.gz`, `.old`."""
_LEAST_BYTES: Final = 64
"""By so few bytes in common nobody tells a copy."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file beside a path. `mark` is what rotation put into its name, `""` for the path itself."""

    path: Path
    device: int
    inode: int
    size: int
    modified_ns: int
    mark: str

    @property
    def place(self) -> tuple[int, int]:
        """Device and inode."""
        return self.device, self.inode


def rotated_from(path: str) -> str | None:
    """Name the file that a path is a rotated one of, by its name alone; None when it looks like none."""
    match = re.fullmatch(rf"(.*[^._-])[._-]{_MARK}(\.gz)?", Path(path).name)
    return str(Path(path).with_name(match[1])) if match is not None else None


def entries_of(path: str) -> list[Entry]:
    """List the files that rotation made of a path, oldest first, and at the end the path itself if it is there."""
    given = Path(path)
    rotated = _rotated(given)
    if given.is_symlink():
        rotated += _rotated(given.resolve())
    found = _entry(given, "")
    known = {entry.place: entry for entry in _in_order(rotated)}
    if found is not None:
        known.pop(found.place, None)
    return [*known.values(), *([found] if found is not None else [])]


def open_log(path: str, checkpoint: Checkpoint | None) -> LogFile | None:
    """Open what is to be read next for a path: the file of the checkpoint, whatever became of it, else one after it.

    None where there is nothing to read yet. Raises OSError.
    """
    entries = entries_of(path)
    if checkpoint is None:
        return _fresh(path, entries[-1], None) if entries and not entries[-1].mark else None
    index = _index_of(entries, checkpoint)
    if index is not None:
        opened = _open_same(entries[index], checkpoint)
        if opened is not None:
            return opened
    elsewhere = _moved(path, checkpoint, entries)
    if elsewhere is not None:
        return elsewhere
    return _first_fresh(path, [entry for entry in entries if _is_unread(entry, checkpoint)], checkpoint)


def open_next(path: str, file: LogFile) -> LogFile | None:
    """Open what comes after a file; None while nothing does. Raises OSError."""
    entries = entries_of(path)
    places = [entry.place for entry in entries]
    current = file.place()
    if entries and not entries[-1].mark and places[-1] == current:
        return None
    index = places.index(current) if current in places else _index_of(entries, file.checkpoint)
    if index is not None:
        rest = entries[index + 1 :]
    else:
        modified_ns = file.modified_ns()
        rest = [entry for entry in entries if not entry.mark or entry.modified_ns > modified_ns]
    return _first_fresh(path, rest, file.checkpoint)


def _rotated(given: Path) -> list[Entry]:
    names = _names_beside(given)
    found = []
    for name in names:
        match = _ROTATED.fullmatch(name[len(given.name) :]) if name.startswith(given.name) else None
        # While gzip works, both are there: the plain one is whole.
        if match is None or (match[2] and name[: -len(".gz")] in names):
            continue
        entry = _entry(given.with_name(name), match[1])
        if entry is not None:
            found.append(entry)
    return found


def _names_beside(given: Path) -> set[str]:
    try:
        with os.scandir(given.parent) as found:
            return {entry.name for entry in found}
    except OSError:
        return set()


def _entry(path: Path, mark: str) -> Entry | None:
    try:
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Entry(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, mark)


def _in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Order by name where names tell, else by the time of the last write.

    `.3` is older than `.2`; a date is a longer number, and older where it is smaller.
    """
    marks = [entry.mark for entry in entries]
    if all(mark.isdecimal() and len(mark) <= 4 for mark in marks):
        return sorted(entries, key=lambda entry: -int(entry.mark))
    if all(mark[:1].isdecimal() and len(mark) >= 8 for mark in marks):
        return sorted(entries, key=lambda entry: entry.mark)
    return sorted(entries, key=lambda entry: entry.modified_ns)


def _index_of(entries: Sequence[Entry], checkpoint: Checkpoint) -> int | None:
    """Find the file of a checkpoint: by its inode, else by what is in it, as a copy or packed."""
    here = [number for number, entry in enumerate(entries) if entry.place == (checkpoint.device, checkpoint.inode)]
    others = [number for number in range(len(entries)) if number not in here]
    if checkpoint.position > 0 or _length_of(checkpoint.fingerprint) >= _LEAST_BYTES:
        others.reverse()
    else:
        # Hardly anything is known of it: but it is the oldest of those that were written since.
        others = [number for number in others if entries[number].modified_ns > checkpoint.modified_ns]
    for number in here + others:
        if _is_same(entries[number], checkpoint):
            return number
    return None


def _length_of(fingerprint: str) -> int:
    return int(fingerprint.partition(":")[0] or 0)


def _is_same(entry: Entry, checkpoint: Checkpoint) -> bool:
    opened = _open_same(entry, checkpoint)
    if opened is None:
        return False
    opened.close()
    return True


def _open_same(entry: Entry, checkpoint: Checkpoint) -> LogFile | None:
    """Open a file if it holds what was read up to the checkpoint."""
    try:
        descriptor = os.open(entry.path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except PermissionError:
        if entry.place == (checkpoint.device, checkpoint.inode):
            raise  # to read it anew once it may be read would be to read it twice
        return None
    file: LogFile | None = None
    is_same = False
    try:
        file = LogFile(descriptor, checkpoint)
        is_same = file.holds(checkpoint)
    except Damaged:
        return None  # what cannot be read was not read from it
    finally:
        if not is_same:
            _close(file, descriptor)
    return file if is_same else None


def _close(file: LogFile | None, descriptor: int) -> None:
    if file is not None:
        file.close()
    else:
        os.close(descriptor)


def _moved(path: str, checkpoint: Checkpoint, entries: Sequence[Entry]) -> LogFile | None:
    """Find the very file under a name that rotation seldom gives, such as `access.log.saved`."""
    known = {entry.place for entry in entries}
    given = Path(path)
    for name in sorted(name for name in _names_beside(given) if name.startswith(given.name)):
        entry = _entry(given.with_name(name), "?")
        if entry is None or entry.place in known or entry.place != (checkpoint.device, checkpoint.inode):
            continue
        return _open_same(entry, checkpoint)
    return None


def _is_unread(entry: Entry, checkpoint: Checkpoint) -> bool:
    """Whether a file has come since: the path itself, and those written later than what was read last."""
    return not entry.mark or entry.modified_ns > checkpoint.modified_ns


def _first_fresh(path: str, entries: Sequence[Entry], before: Checkpoint | None) -> LogFile | None:
    for entry in entries:
        opened = _fresh(path, entry, before)
        if opened is not None:
            return opened
    return None


def _fresh(path: str, entry: Entry, before: Checkpoint | None) -> LogFile | None:
    """Open a file at its beginning; None when it is empty."""
    descriptor = os.open(entry.path, os.O_RDONLY | os.O_NONBLOCK)
    status = os.fstat(descriptor)
    if status.st_size == 0 or not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return None
    content = content_of(descriptor)
    try:
        fingerprint = head_of(content, status.st_size if not content.is_packed else 1 << 20)
    except Damaged:
        fingerprint = "0:damaged"
    if isinstance(content, GzipContent):
        content.close()
    identity = f"file:{status.st_dev}:{status.st_ino}:{fingerprint}"
    if before is not None and before.identity.partition("#")[0] == identity:
        # The same inode, and it begins as before: but it was emptied in between.
        identity = f"{identity}#{int(before.identity.partition('#')[2] or 0) + 1}"
    before_it = status.st_mtime_ns - 1  # should it be moved and packed before it is met again, it is unread still
    checkpoint = Checkpoint(path, status.st_dev, status.st_ino, fingerprint, 0, identity, modified_ns=before_it)
    return LogFile(descriptor, checkpoint)

"""The last good copies of feeds, one file each: a line that says what it is, then the document as it came."""

import hashlib
import os
import tempfile
from pathlib import Path

import msgspec

from sakimori_common.instants import MICROSECONDS
from sakimori_detector.domain.intelligence.feeds import Feed
from sakimori_detector.ports import FeedDocument, Validators


class _Header(msgspec.Struct, frozen=True):
    url: str
    etag: str
    last_modified: str
    sha256: str


class FeedFolder:
    """Implements `ports.KeptFeeds` in a folder, which replicas may share: copies are replaced whole.

    The time of a file is when the feed last confirmed it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, feed: Feed) -> FeedDocument | None:
        """See `ports.KeptFeeds.read`. A copy of another URL than the feed has now is none."""
        path = self._path(feed)
        try:
            line, _, body = path.read_bytes().partition(b"\n")
            header = msgspec.json.decode(line, type=_Header)
            confirmed_at = path.stat().st_mtime_ns // 1000
        except (OSError, msgspec.DecodeError):
            return None
        if header.url != feed.url or header.sha256 != hashlib.sha256(body).hexdigest():
            return None
        return FeedDocument(body, Validators(header.etag, header.last_modified), confirmed_at)

    def keep(self, feed: Feed, document: FeedDocument) -> None:
        """See `ports.KeptFeeds.keep`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        known = document.validators
        header = _Header(feed.url or "", known.etag, known.last_modified, hashlib.sha256(document.body).hexdigest())
        file, temporary = tempfile.mkstemp(prefix=f".{feed.name}.", dir=self._folder)
        try:
            with os.fdopen(file, "wb") as out:
                out.write(msgspec.json.encode(header) + b"\n" + document.body)
                out.flush()
                os.fsync(out.fileno())
            _set_time(Path(temporary), document.confirmed_at)
            Path(temporary).replace(self._path(feed))
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def confirm(self, feed: Feed, confirmed_at: int) -> None:
        """See `ports.KeptFeeds.confirm`."""
        _set_time(self._path(feed), confirmed_at)

    def _path(self, feed: Feed) -> Path:
        return self._folder / f"{feed.name}.feed"


def _set_time(path: Path, instant: int) -> None:
    nanoseconds = instant * (1_000_000_000 // MICROSECONDS)
    os.utime(path, ns=(nanoseconds, nanoseconds))

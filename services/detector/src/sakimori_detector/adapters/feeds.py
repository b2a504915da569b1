"""Feeds over HTTP and from files. What comes in is bounded in size, time, redirects and unpacking."""

import asyncio
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx

from sakimori_detector.domain.intelligence.feeds import Feed
from sakimori_detector.ports import Clock, FeedDocument, FeedUnavailable, Validators

MAX_REDIRECTS: Final = 3
SILENCE_SECONDS: Final = 20.0
"""To connect, and between two parts of an answer."""
_CHUNK_BYTES: Final = 65_536
_GZIP: Final = b"\x1f\x8b"
_MOVED: Final = frozenset({301, 302, 303, 307, 308})


def feed_client() -> httpx.AsyncClient:
    """Make the client: no proxies or passwords from the environment, redirects followed by `HttpFeeds` only."""
    return httpx.AsyncClient(timeout=SILENCE_SECONDS, follow_redirects=False, trust_env=False)


class HttpFeeds:
    """Implements `ports.FeedSource` for feeds with a URL. `secrets`: by feed, what its `secret_header` holds."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        clock: Clock,
        *,
        max_bytes: int,
        total_seconds: float,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._max_bytes = max_bytes
        self._total_seconds = total_seconds
        self._secrets = secrets or {}

    async def fetch(self, feed: Feed, known: Validators) -> FeedDocument | None:
        """See `ports.FeedSource.fetch`."""
        try:
            async with asyncio.timeout(self._total_seconds):
                return await self._followed(feed, httpx.URL(feed.url or ""), known)
        except TimeoutError:
            raise FeedUnavailable(f"not complete within {self._total_seconds:g} s") from None
        except httpx.HTTPError as error:
            raise FeedUnavailable(type(error).__name__) from None
        except (httpx.InvalidURL, UnicodeError):
            raise FeedUnavailable("the URL is no URL") from None

    async def _followed(self, feed: Feed, url: httpx.URL, known: Validators) -> FeedDocument | None:
        origin = (url.scheme, url.host, url.port)
        for _ in range(MAX_REDIRECTS + 1):
            is_home = (url.scheme, url.host, url.port) == origin
            headers = self._headers(feed, known, is_home=is_home)
            async with self._client.stream("GET", url, headers=headers) as response:
                if response.status_code == 304:
                    return None
                if response.status_code not in _MOVED:
                    return await self._document(response)
                url = url.join(response.headers.get("location", ""))
            if url.scheme != "https" and not (url.scheme == "http" and feed.allow_http):
                raise FeedUnavailable("redirected to what is not encrypted")
        raise FeedUnavailable(f"redirected more than {MAX_REDIRECTS} times")

    def _headers(self, feed: Feed, known: Validators, *, is_home: bool) -> dict[str, str]:
        headers = {"accept-encoding": "gzip", "user-agent": "sakimori-detector", "accept": "*/*"}
        if known.etag:
            headers["if-none-match"] = known.etag
        if known.last_modified:
            headers["if-modified-since"] = known.last_modified
        if is_home and feed.secret_header and feed.name in self._secrets:
            headers[feed.secret_header] = self._secrets[feed.name]
        return headers

    async def _document(self, response: httpx.Response) -> FeedDocument:
        if response.status_code != 200:
            raise FeedUnavailable(f"HTTP {response.status_code}")
        if response.headers.get("content-type", "").startswith("text/html"):
            raise FeedUnavailable("a page for people, not a feed")
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"identity", "gzip", "x-gzip"}:
            raise FeedUnavailable("an encoding that was not asked for")
        body = bytearray()
        async for chunk in response.aiter_raw(_CHUNK_BYTES):
            body += chunk
            self._refuse_beyond(len(body))
        content = bytes(body) if encoding == "identity" else self._unpacked(bytes(body))
        if content.startswith(_GZIP):
            content = await asyncio.to_thread(self._unpacked, content)
        validators = Validators(response.headers.get("etag", ""), response.headers.get("last-modified", ""))
        return FeedDocument(content, validators, self._clock())

    def _refuse_beyond(self, size: int) -> None:
        if size > self._max_bytes:
            raise FeedUnavailable(f"over {self._max_bytes} bytes")

    def _unpacked(self, packed: bytes) -> bytes:
        """Unpack as much as is allowed: 10 KB can be made to unpack to 10 MB, and 10 MB to 10 GB."""
        unpacking = zlib.decompressobj(wbits=31)
        try:
            content = unpacking.decompress(packed, self._max_bytes + 1)
        except zlib.error:
            raise FeedUnavailable("no gzip, though it says so") from None
        self._refuse_beyond(len(content))
        if not unpacking.eof:
            raise FeedUnavailable("gzip that ends early")
        return content


class FileFeeds:
    """Implements `ports.FeedSource` for feeds that are files, named relative to the rules' folder."""

    def __init__(self, folder: Path, clock: Clock, *, max_bytes: int) -> None:
        self._folder = folder
        self._clock = clock
        self._max_bytes = max_bytes

    async def fetch(self, feed: Feed, known: Validators) -> FeedDocument | None:
        """See `ports.FeedSource.fetch`."""
        return await asyncio.to_thread(self.read, feed, known)

    def read(self, feed: Feed, known: Validators) -> FeedDocument | None:
        """Read the file unless its time and size are the known ones. Raises FeedUnavailable."""
        path = self._folder / (feed.file or "")
        try:
            status = path.stat()
            stamp = f"{status.st_mtime_ns}-{status.st_size}"
            if stamp == known.etag:
                return None
            if status.st_size > self._max_bytes:
                raise FeedUnavailable(f"over {self._max_bytes} bytes")
            return FeedDocument(path.read_bytes(), Validators(stamp), self._clock())
        except OSError as error:
            raise FeedUnavailable(error.strerror or "cannot be read") from None


class AnyFeeds:
    """Implements `ports.FeedSource`: by URL or by file, as the feed says."""

    def __init__(self, http: HttpFeeds, files: FileFeeds) -> None:
        self._http = http
        self._files = files

    async def fetch(self, feed: Feed, known: Validators) -> FeedDocument | None:
        """See `ports.FeedSource.fetch`."""
        return await (self._files if feed.url is None else self._http).fetch(feed, known)

"""Feeds over HTTP, from a real server on loopback: what is taken, what is refused, and how much of it."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from sakimori_detector.adapters.feeds import FileFeeds, HttpFeeds, feed_client
from sakimori_detector.adapters.kept_feeds import FeedFolder
from sakimori_detector.domain.intelligence.feeds import Feed
from sakimori_detector.ports import FeedDocument, FeedUnavailable, Validators
from servers.feed_server import FeedServer, Request, feed_server, response

NOON = 1_768_564_800_000_000
LIST = b"evil.example\n198.51.100.7\n"


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with feed_server() as running:
        yield running


@pytest.fixture
async def feeds() -> AsyncIterator[HttpFeeds]:
    async with feed_client() as client:
        yield HttpFeeds(client, lambda: NOON, max_bytes=100_000, total_seconds=0.5, secrets={"paid": "token-1"})


def feed(server: FeedServer, path: str = "/list", **more: object) -> Feed:
    given = {"name": "one", "url": server.url + path, "format": "plain", "confidence": 50, "allow_http": True, **more}
    return Feed(**given)  # type: ignore[arg-type]


async def fetched(feeds: HttpFeeds, feed: Feed) -> bytes:
    document = await feeds.fetch(feed, Validators())
    assert document is not None
    return document.body


async def test_a_document_comes_with_what_it_can_be_asked_by_again(server: FeedServer, feeds: HttpFeeds) -> None:
    date = "Fri, 16 Jan 2026 00:00:00 GMT"
    server.answers["/list"] = response(200, LIST, etag='"a1"', last_modified=date)
    assert await feeds.fetch(feed(server), Validators()) == FeedDocument(LIST, Validators('"a1"', date), NOON)
    assert "if-none-match" not in server.requests[0].headers


async def test_what_did_not_change_is_not_sent_again(server: FeedServer, feeds: HttpFeeds) -> None:
    def answer(request: Request) -> bytes:
        return response(304) if request.headers.get("if-none-match") == '"a1"' else response(200, LIST)

    server.answers["/list"] = answer
    assert await feeds.fetch(feed(server), Validators('"a1"', "Fri, 16 Jan 2026 00:00:00 GMT")) is None
    assert server.requests[0].headers["if-modified-since"] == "Fri, 16 Jan 2026 00:00:00 GMT"
    assert await feeds.fetch(feed(server), Validators('"a0"')) is not None


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (response(500), "HTTP 500"),
        (response(404), "HTTP 404"),
        (response(200, LIST[:9], length=len(LIST)), "RemoteProtocolError"),
        (b"HTTP/1.1 nonsense\r\n\r\n", "RemoteProtocolError"),
        (b"", "not complete within 0.5 s"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nevil.", "RemoteProtocolError"),
        (response(200, b"<html>sign in</html>", content_type="text/html; charset=utf-8"), "a page for people"),
        (response(200, b"x" * 100_001), "over 100000 bytes"),
        (response(200, b"x", content_encoding="br"), "an encoding that was not asked for"),
        (response(200, b"no gzip", content_encoding="gzip"), "no gzip"),
        (response(200, gzip.compress(LIST)[:-12], content_encoding="gzip"), "gzip that ends early"),
        (response(200, gzip.compress(b"\0" * 50_000_000), content_encoding="gzip"), "over 100000 bytes"),
        (response(200, gzip.compress(b"\0" * 50_000_000)), "over 100000 bytes"),
        (response(200, gzip.compress(gzip.compress(b"\0" * 50_000_000)), content_encoding="gzip"), "over 100000 bytes"),
        (response(302), "redirected more than 3 times"),
        (response(302, location="ftp://127.0.0.1/list"), "redirected to what is not encrypted"),
        (response(302, location="file:///etc/passwd"), "redirected to what is not encrypted"),
        (response(302, location="http://[::1/"), "RemoteProtocolError"),
    ],
)
async def test_an_answer_that_is_no_document_is_a_failure(
    server: FeedServer, feeds: HttpFeeds, answer: bytes, why: str
) -> None:
    server.answers["/list"] = answer
    with pytest.raises(FeedUnavailable, match=why):
        await feeds.fetch(feed(server), Validators())


async def test_nobody_there_is_a_failure(feeds: HttpFeeds) -> None:
    async with feed_server() as gone:
        pass
    with pytest.raises(FeedUnavailable, match="ConnectError"):
        await feeds.fetch(feed(gone), Validators())


async def test_packed_documents_are_unpacked_on_the_way_or_as_files(server: FeedServer, feeds: HttpFeeds) -> None:
    server.answers["/list"] = response(200, gzip.compress(LIST), content_encoding="gzip")
    server.answers["/list.gz"] = response(200, gzip.compress(LIST), content_type="application/gzip")
    assert await fetched(feeds, feed(server)) == LIST
    assert await fetched(feeds, feed(server, "/list.gz")) == LIST


async def test_redirects_are_followed_three_times_and_the_secret_stays_at_home(
    server: FeedServer, feeds: HttpFeeds
) -> None:
    async with feed_server() as other:
        server.answers["/list"] = response(301, location="/moved")
        server.answers["/moved"] = response(307, location=f"{other.url}/here")
        other.answers["/here"] = response(302, location="there")
        other.answers["/there"] = response(200, LIST)
        paid = feed(server, name="paid", secret_header="Auth-Key")
        assert await fetched(feeds, paid) == LIST
        assert [request.headers.get("auth-key") for request in server.requests] == ["token-1", "token-1"]
        assert [request.headers.get("auth-key") for request in other.requests] == [None, None]


async def test_a_feed_that_must_be_encrypted_is_not_followed_where_it_is_not() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(302, headers={"location": "http://feeds.example/list"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        feeds = HttpFeeds(client, lambda: NOON, max_bytes=100, total_seconds=1.0)
        encrypted = Feed(name="one", url="https://feeds.example/list", format="plain", confidence=50)
        with pytest.raises(FeedUnavailable, match="not encrypted"):
            await feeds.fetch(encrypted, Validators())
    assert asked == ["https://feeds.example/list"]


async def test_a_file_is_read_again_when_it_changed(tmp_path: Path) -> None:
    files = FileFeeds(tmp_path, lambda: NOON, max_bytes=100)
    own = Feed(name="own", file="own.txt", format="plain", confidence=50)
    with pytest.raises(FeedUnavailable, match="No such file"):
        await files.fetch(own, Validators())
    (tmp_path / "own.txt").write_bytes(LIST)
    first = await files.fetch(own, Validators())
    assert first is not None
    assert first.body == LIST
    assert await files.fetch(own, first.validators) is None
    (tmp_path / "own.txt").write_bytes(LIST + LIST)
    assert await files.fetch(own, first.validators) is not None
    (tmp_path / "own.txt").write_bytes(LIST * 10)
    with pytest.raises(FeedUnavailable, match="over 100 bytes"):
        await files.fetch(own, Validators())


def test_a_copy_that_was_kept_is_there_after_a_restart_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    one = Feed(name="one", url="https://feeds.example/a", format="plain", confidence=50)
    document = FeedDocument(LIST, Validators('"a1"', "yesterday"), NOON)
    FeedFolder(tmp_path / "feeds").keep(one, document)
    again = FeedFolder(tmp_path / "feeds")
    assert again.read(one) == document
    again.confirm(one, NOON + 1_000_000)
    assert again.read(one) == FeedDocument(LIST, Validators('"a1"', "yesterday"), NOON + 1_000_000)
    moved = Feed(name="one", url="https://feeds.example/b", format="plain", confidence=50)
    assert again.read(moved) is None
    path = tmp_path / "feeds" / "one.feed"
    path.write_bytes(path.read_bytes()[:-1])
    assert again.read(one) is None
    path.write_bytes(b"\xff")
    assert again.read(one) is None
    assert [each.name for each in (tmp_path / "feeds").iterdir()] == ["one.feed"]

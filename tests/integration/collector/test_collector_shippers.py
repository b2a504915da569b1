"""Elasticsearch's bulk call and Splunk's HEC, from a shipper's request to the row; and bodies of every bad kind."""

import asyncio
import base64
import json
import zlib
from typing import Any

import httpx
import pytest

from sakimori_collector.api.body import Bodies
from sakimori_common.bus import Consumer
from servers.eventually import eventually

from .conftest import TOKEN, Collector, Start

SSHD = "2026-01-16T02:00:00Z web-1 sshd[1]: Failed password for root from 192.0.2.7 port {} ssh2"
BEARER = {"authorization": f"Bearer {TOKEN}"}
SPLUNK = {"authorization": f"Splunk {TOKEN}"}


def basic(token: str = TOKEN) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"elastic:{token}".encode()).decode()}


def gzipped(body: bytes) -> bytes:
    return zlib.compress(body, wbits=31)


def bulk(*documents: object, action: str = "create", **of_action: object) -> bytes:
    lines = [json.dumps(line) for document in documents for line in ({action: of_action}, document)]
    return "".join(f"{line}\n" for line in lines).encode()


async def stored(collector: Collector, count: int) -> list[dict[str, Any]]:
    async def _are_there() -> bool:
        return await collector.count() == count

    await eventually(_are_there)
    return [row | {"fields": json.loads(row["fields"])} for row in await collector.rows()]


@pytest.mark.parametrize("bus_url", ["memory", "amqp"], indirect=True)
async def test_a_bulk_call_is_answered_item_by_item_and_its_documents_are_rows(start: Start) -> None:
    collector = await start()
    body = (
        bulk({"@timestamp": "2026-01-16T02:00:05Z", "message": SSHD.format(1)}, _index="logs-system.auth-default")
        + b'{"update":{"_index":"a","_id":"1"}}\n{"doc":{}}\n{"delete":{"_index":"a","_id":"2"}}\n'
        + bulk({"event.dataset": "my.app", "@timestamp": "2026-01-16T02:00:06Z"}, action="index", _index="b", _id="9")
        + bulk([1])
    )
    path = "/_bulk?filter_path=errors,items.*.error,items.*.status"
    answer = await collector.client.post(path, content=gzipped(body), headers=basic() | {"content-encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.headers["x-elastic-product"] == "Elasticsearch"
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    assert said["errors"] is True
    assert said["took"] >= 0
    assert [(*item, next(iter(item.values()))["status"]) for item in said["items"]] == [
        ("create", 201),
        ("update", 400),
        ("delete", 400),
        ("index", 201),
        ("create", 201),
    ]
    assert said["items"][1]["update"]["error"]["type"] == "illegal_argument_exception"
    assert said["items"][3]["index"]["_id"] == "9"
    rows = await stored(collector, 2)
    assert [(row["dataset"], row["user_name"]) for row in rows] == [("openssh.auth", "root"), ("my.app", None)]
    assert rows[0]["fields"]["sakimori.input"] == "elasticsearch"
    [rejected] = await collector.rejected()
    assert bytes(rejected["raw"]) == b"[1]"
    assert collector.lines("received", "http") == 3
    assert collector.lines("published", "http") == 2
    assert collector.lines("rejected", "http") == 1


async def test_the_same_bulk_call_again_stores_nothing_twice(start: Start) -> None:
    collector = await start()
    body = bulk(*({"message": SSHD.format(port)} for port in range(1, 4)))
    for path in ("/_bulk", "/elasticsearch/_bulk", "/any-index/_bulk"):
        assert (await collector.client.post(path, content=body, headers=BEARER)).json()["errors"] is False
    assert len(await stored(collector, 3)) == 3


async def test_what_shippers_ask_before_they_ship(start: Start) -> None:
    client = (await start()).client
    root = (await client.get("/", headers=basic())).json()
    assert (root["version"]["number"].split(".")[0], root["tagline"]) == ("8", "You Know, for Search")
    key = {"authorization": "ApiKey " + base64.b64encode(f"an-id:{TOKEN}".encode()).decode()}
    asked = [
        ("HEAD", "/", 200),
        ("GET", "/elasticsearch", 200),
        ("GET", "/elasticsearch/", 200),
        ("GET", "/_license", 200),
        ("GET", "/_cluster/health", 200),
        ("GET", "/_cat/health", 200),
        ("GET", "/_index_template/filebeat-8.17.0", 404),
        ("HEAD", "/_template/logstash", 404),
        ("PUT", "/_index_template/filebeat-8.17.0", 200),
        ("GET", "/_ilm/policy/filebeat", 404),
        ("PUT", "/_ilm/policy/filebeat", 200),
        ("PUT", "/_data_stream/filebeat-8.17.0", 200),
    ]
    for method, path, status in asked:
        answer = await client.request(method, path, headers=key, content=b"{}" if method == "PUT" else b"")
        assert answer.status_code == status, (method, path)
        assert answer.headers["x-elastic-product"] == "Elasticsearch"
        if method == "PUT":
            assert answer.json() == {"acknowledged": True}
    assert (await client.get("/_license", headers=key)).json()["license"]["status"] == "active"


async def test_a_bulk_call_that_is_refused_is_refused_in_elasticsearchs_words(start: Start) -> None:
    collector = await start(max_body_bytes=4096)
    good = bulk({"event.dataset": "my.app"})
    refused: list[tuple[dict[str, str], bytes, int, str]] = [
        ({}, good, 401, "security_exception"),
        (basic("a-wrong-token-0123"), good, 401, "security_exception"),
        ({"authorization": "Basic \xe9\xe9"}, good, 401, "security_exception"),
        (BEARER, b"", 400, "illegal_argument_exception"),
        (BEARER, good[:-20], 400, "illegal_argument_exception"),
        (BEARER, b"\x00" * 100, 400, "illegal_argument_exception"),
        (BEARER, b"x" * 5000, 413, "content_too_long_exception"),
        (BEARER | {"content-encoding": "br"}, good, 415, "media_type_header_exception"),
        (BEARER | {"content-encoding": "gzip"}, gzipped(b"x" * 5000), 413, "content_too_long_exception"),
        (BEARER | {"content-encoding": "gzip"}, gzipped(good)[:-6], 400, "illegal_argument_exception"),
    ]
    for headers, body, status, kind in refused:
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        answer = await collector.client.post("/_bulk", content=body, headers=raw)
        assert (answer.status_code, answer.json()["status"]) == (status, status), body[:50]
        assert answer.json()["error"]["type"] == kind
        assert answer.json()["error"]["root_cause"][0]["reason"]
        assert TOKEN not in answer.text
    assert await collector.rejected() == []
    assert collector.lines("received", "http") == 0


async def test_shippers_are_told_to_come_again_while_the_bus_is_away(start: Start, detector: Consumer) -> None:
    collector = await start()
    await detector.drain()
    document = {"event.dataset": "my.app", "@timestamp": "2026-01-16T02:00:00Z"}
    answer = await collector.client.post("/_bulk", content=bulk(document), headers=BEARER)
    assert (answer.status_code, answer.json()["status"]) == (503, 503)
    assert int(answer.headers["retry-after"]) >= 1
    busy = await collector.client.post("/services/collector", content=json.dumps({"event": "x"}), headers=SPLUNK)
    assert (busy.status_code, busy.json()["code"]) == (200, 0)  # kept with the rejected: no format knows it
    line = json.dumps({"event": SSHD.format(1)})
    busy = await collector.client.post("/services/collector", content=line, headers=SPLUNK)
    assert (busy.status_code, busy.json()) == (503, {"text": "Server is busy", "code": 9})
    assert int(busy.headers["retry-after"]) >= 1
    assert collector.lines("refused", "http") == 2


async def test_events_of_splunks_kind_become_rows(start: Start) -> None:
    collector = await start()
    body = (
        json.dumps({"time": 1768528801, "host": "web-1", "event": SSHD.format(1)})
        + json.dumps({"time": "1768528802.5", "event": {"event.dataset": "my.app", "user.name": "taro"}})
        + "\r\n"
        + json.dumps({"event": "a line that nobody knows", "sourcetype": "openssh.auth"})
    )
    for path in ("/services/collector", "/services/collector/event", "/services/collector/event/1.0"):
        answer = await collector.client.post(path, content=body, headers=SPLUNK)
        assert (answer.status_code, answer.json()) == (200, {"text": "Success", "code": 0})
    rows = await stored(collector, 2)
    assert [(row["dataset"], row["user_name"]) for row in rows] == [("openssh.auth", "root"), ("my.app", "taro")]
    assert rows[1]["time"].microsecond == 500_000
    [rejected] = await collector.rejected()
    assert json.loads(bytes(rejected["raw"]))["event"] == "a line that nobody knows"


async def test_raw_lines_of_splunks_kind_are_read_one_by_one(start: Start) -> None:
    collector = await start()
    path = "/services/collector/raw?sourcetype=openssh.auth&host=web-1&source=/var/log/auth.log&channel=x"
    body = f"{SSHD.format(1)}\n{SSHD.format(2)}\r\n\nnonsense\n"
    answer = await collector.client.post(path, content=body, headers=SPLUNK)
    assert answer.json()["code"] == 0
    rows = await stored(collector, 2)
    assert rows[0]["fields"]["splunk.sourcetype"] == "openssh.auth"
    assert len(await collector.rejected()) == 1


async def test_requests_to_splunks_collector_that_are_not_taken(start: Start) -> None:
    collector = await start(max_body_bytes=4096)
    event, path = '{"event":"x"}', "/services/collector/event"
    wrong = {"authorization": "Splunk 00000000-0000-0000-0000-000000000000"}
    expected: list[tuple[str, dict[str, str], str | bytes, int, int]] = [
        (path, {}, event, 401, 2),
        (path + "?token=" + TOKEN, {}, event, 400, 16),
        (path, {"authorization": "Digest x"}, event, 401, 3),
        (path, wrong, event, 403, 4),
        (path, SPLUNK, "", 400, 5),
        (path, SPLUNK, " \r\n", 400, 5),
        ("/services/collector/raw", SPLUNK, "\n", 400, 5),
        (path, SPLUNK, event + '{"event":', 400, 6),
        (path, SPLUNK, b'{"event":"\xff"}', 400, 6),
        (path, SPLUNK, '{"event":' * 400, 400, 6),
        (path, SPLUNK, '{"host":"x"}', 400, 12),
        (path, SPLUNK, '{"event":""}', 400, 13),
        (path, SPLUNK, "x" * 5000, 413, 6),
        ("/services/collector/ack", SPLUNK, "{}", 400, 14),
        ("/services/collector/ack", wrong, "{}", 403, 4),
    ]
    for target, headers, body, status, code in expected:
        answer = await collector.client.post(target, content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code), (target, body[:40])
        assert answer.json()["text"]
    numbered = await collector.client.post(path, content=event + '{"host":"x"}', headers=SPLUNK)
    assert numbered.json()["invalid-event-number"] == 1
    healthy = await collector.client.get("/services/collector/health")
    assert (healthy.status_code, healthy.json()) == (200, {"text": "HEC is healthy", "code": 17})
    assert collector.lines("received", "http") == 0


async def test_ingest_takes_arrays_single_objects_plain_lines_and_compressed_bodies(start: Start) -> None:
    collector = await start()
    line = {"message": SSHD.format(1), "event.dataset": "openssh.auth"}
    array = json.dumps([line, {"message": SSHD.format(2), "event.dataset": "openssh.auth"}], indent=1)
    assert (await collector.post(array)).json()["accepted"] == 2
    assert (await collector.post(json.dumps(line | {"message": SSHD.format(3)}, indent=1))).json()["accepted"] == 1
    plain = await collector.client.post(
        "/ingest?format=openssh.auth",
        content=f"{SSHD.format(4)}\r\n{SSHD.format(5)}\nnonsense",
        headers=BEARER | {"content-type": "text/plain; charset=utf-8"},
    )
    assert (plain.json()["accepted"], plain.json()["rejected"], plain.json()["errors"][0]["line"]) == (2, 1, 3)
    packed = gzipped(json.dumps(line | {"message": SSHD.format(6)}).encode())
    assert (await collector.post(packed, **{"content-encoding": "gzip"})).json()["accepted"] == 1
    rows = await stored(collector, 6)
    assert {row["fields"]["source.port"] for row in rows} == {1, 2, 3, 4, 5, 6}
    assert {row["fields"]["sakimori.source"] for row in rows} == {"http"}


BOMB = gzipped(b"\0" * 50_000_000)


@pytest.mark.parametrize(
    ("path", "body", "coding", "status"),
    [
        ("/ingest", b"x" * 10 * (1 << 20), "", 413),
        ("/ingest", BOMB, "gzip", 413),
        ("/_bulk", BOMB, "gzip", 413),
        ("/services/collector", BOMB, "gzip", 413),
        ("/ingest", gzipped(b"{}\n" * 100)[:-9], "gzip", 400),
        ("/ingest", b"no gzip at all", "gzip", 400),
        ("/ingest", b"{}", "compress", 415),
        ("/ingest", b"x" * 9 * (1 << 20), "", 202),
        ("/ingest", b"\0" * 1000, "", 202),
        ("/ingest", b"\xff\xfe" * 1000, "", 202),
        ("/ingest", b'{"a":' * 10_000, "", 202),
    ],
    ids=["10MB", "bomb", "bomb-bulk", "bomb-hec", "cut", "none", "unknown", "9MB-line", "nul", "utf8", "nested"],
)
async def test_bad_bodies_have_their_answers(start: Start, path: str, body: bytes, coding: str, status: int) -> None:
    collector = await start()
    headers = {**BEARER, "content-encoding": coding} if coding else BEARER
    answer = await collector.client.post(path, content=body, headers=headers)
    assert answer.status_code == status
    if status == 202:
        assert (answer.json()["accepted"], answer.json()["rejected"]) == (0, 1)
        assert len(await collector.rejected()) == 1
    good = json.dumps({"message": SSHD.format(1), "event.dataset": "openssh.auth"})
    assert (await collector.post(good)).status_code == 202


async def test_a_body_that_is_cut_in_the_middle_is_taken_for_nothing(start: Start) -> None:
    collector = await start()
    port = collector.client.base_url.port
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /ingest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 1000\r\n\r\n"
    writer.write(head.encode() + b'{"message": "' + b"x" * 500)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await collector.post("nonsense")).status_code == 202
    assert collector.lines("received", "http") == 1


async def test_a_head_without_end_is_not_held(start: Start) -> None:
    collector = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", collector.client.base_url.port)
    writer.write(b"POST /ingest HTTP/1.1\r\nX-Long: ")
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        for _ in range(1000):
            writer.write(b"a" * 10_000)
            await writer.drain()
            if reader.at_eof():
                raise ConnectionResetError
    writer.close()


class _Slow:
    """A request whose body never ends."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    async def stream(self) -> Any:
        yield b"{}"
        await asyncio.Event().wait()


async def test_a_slow_body_is_given_up_and_its_room_is_free_again() -> None:
    from sakimori_common.web import Problem

    bodies = Bodies(1000, seconds=0.01)
    with pytest.raises(Problem) as raised:
        async with bodies.read(_Slow(), 100):  # type: ignore[arg-type]
            pass
    assert (raised.value.status_code, bodies.room_bytes) == (408, 1000)


async def test_more_than_there_is_room_for_is_told_to_come_again(start: Start) -> None:
    collector = await start(max_held_bytes=1_000_000)
    answer = await collector.post(b"x" * 1_500_000)
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert answer.headers["retry-after"]
    assert (await collector.post(b"x" * 900_000)).status_code == 202


async def test_many_requests_on_one_connection_and_at_once_are_all_taken(start: Start) -> None:
    collector = await start()

    def line(number: int) -> str:
        return json.dumps({"message": SSHD.format(number), "event.dataset": "openssh.auth"})

    answers: list[httpx.Response] = await asyncio.gather(*(collector.post(line(number)) for number in range(300)))
    assert {answer.status_code for answer in answers} == {202}
    assert len(await stored(collector, 300)) == 300

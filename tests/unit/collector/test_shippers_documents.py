"""What log shippers send: documents of Elasticsearch's kind, envelopes of Splunk's, and the bodies that carry them."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

import pytest

from sakimori_collector.domain.format import LineRejected, Reference
from sakimori_collector.domain.posted.bulk import BulkError, dataset_of, items_of
from sakimori_collector.domain.posted.documents import epoch_microseconds, read_document
from sakimori_collector.domain.posted.hec import NoEvent, envelopes_of, read_hec
from sakimori_collector.domain.reading import Source
from sakimori_collector.domain.wire.inflating import Damaged, Inflater, TooLarge
from sakimori_collector.domain.wire.posted_bodies import records_of
from sakimori_collector.domain.wire.posters import LineRate
from sakimori_common.contracts import Event
from sakimori_common.instants import format_instant, parse_instant

NGINX = '192.0.2.7 - - [16/Jan/2026:02:00:00 +0000] "GET /login HTTP/1.1" 401 12 "-" "curl/8"'
SSHD = "Failed password for root from 192.0.2.7 port 22 ssh2"
FILEBEAT: dict[str, Any] = {
    "@timestamp": "2026-01-16T02:00:05.000Z",
    "message": NGINX,
    "log": {"file": {"path": "/var/log/nginx/access.log", "inode": "5", "device_id": "6"}, "offset": 9},
    "host": {"name": "web-1", "ip": ["192.0.2.1", "2001:db8::1"]},
    "agent": {"id": "0f5a", "type": "filebeat", "version": "8.17.0"},
    "input": {"type": "filestream"},
    "event": {"dataset": "nginx.access", "module": "nginx"},
    "ecs": {"version": "8.0.0"},
}


def source(
    format: str = "auto", stamp: Mapping[str, Any] | None = None, identity: str = "elasticsearch:web-1:k"
) -> Source:
    now = parse_instant("2026-01-16T02:10:00.000Z")
    return Source("web-1", identity, format, Reference(now), stamp or {"sakimori.source": "web-1"})


def document(value: object, of: Source | None = None) -> Event:
    [event] = read_document(of or source(), json.dumps(value).encode(), 2)
    return event


def test_a_raw_line_of_filebeat_is_parsed_and_what_filebeat_knew_is_kept() -> None:
    event = document(FILEBEAT)
    assert (event.dataset, format_instant(event.time)) == ("nginx.access", "2026-01-16T02:00:00.000Z")
    expected = {
        "source.ip": "192.0.2.7",
        "url.path": "/login",
        "http.response.status_code": 401,
        "log.file.path": "/var/log/nginx/access.log",
        "log.offset": 9,
        "host.hostname": "web-1",
        "host.ip": ["192.0.2.1", "2001:db8::1"],
        "agent.type": "filebeat",
        "event.module": "nginx",
        "sakimori.source": "web-1",
    }
    assert {name: event.fields.get(name) for name in expected} == expected
    assert "@timestamp" not in event.fields


def test_a_line_of_filebeat_has_the_same_id_however_it_is_batched_and_when_it_was_read() -> None:
    again = FILEBEAT | {"@timestamp": "2026-01-16T02:09:00.000Z"}
    [event] = read_document(source(identity="elasticsearch:web-1:other"), json.dumps(again).encode(), 77)
    assert event.id == document(FILEBEAT).id
    further = FILEBEAT | {"log": {"file": {"path": "/var/log/nginx/access.log", "inode": "5"}, "offset": 10}}
    assert document(further).id != event.id


def test_a_dataset_that_is_no_format_here_leaves_the_line_to_recognition() -> None:
    line = f"2026-01-16T02:00:00Z web-1 sshd[7]: {SSHD}"
    event = document(FILEBEAT | {"message": line, "event": {"dataset": "system.auth"}})
    assert (event.dataset, event.fields["user.name"]) == ("openssh.auth", "root")


@pytest.mark.parametrize(
    "taken_off",
    [
        {"SYSLOG_IDENTIFIER": "sshd", "_PID": "77", "_HOSTNAME": "web-9", "MESSAGE": SSHD},
        {"ident": "sshd", "pid": "77", "host": "web-9", "message": SSHD},
        {"appname": "sshd", "procid": 77, "hostname": "web-9", "message": SSHD, "timestamp": "2026-01-16T02:00:00Z"},
        {"syslogtag": "sshd[77]:", "fromhost": "web-9", "message": SSHD, "timereported": "2026-01-16T02:00:00+00:00"},
    ],
    ids=["journald", "fluent-bit", "vector", "rsyslog"],
)
def test_a_syslog_header_that_a_shipper_took_off_is_understood(taken_off: dict[str, Any]) -> None:
    event = document({"@timestamp": "2026-01-16T02:00:00.000Z"} | taken_off)
    assert (event.dataset, format_instant(event.time)) == ("openssh.auth", "2026-01-16T02:00:00.000Z")
    names = ("user.name", "source.ip", "host.hostname", "process.name")
    assert [event.fields[name] for name in names] == ["root", "192.0.2.7", "web-9", "sshd"]


def test_a_document_that_was_parsed_already_is_an_event_as_it_is() -> None:
    event = document(FILEBEAT | {"source": {"ip": "192.0.2.99"}, "event": {"dataset": "my.app", "id": "a-1"}})
    assert (event.dataset, event.fields["source.ip"], event.fields["message"]) == ("my.app", "192.0.2.99", NGINX)
    assert format_instant(event.time) == "2026-01-16T02:00:05.000Z"


def test_an_id_that_a_source_gives_is_its_own_and_no_other_sources() -> None:
    given = {"@timestamp": "2026-01-16T02:00:05.000Z", "event": {"dataset": "my.app", "id": "a-1"}, "user.name": "x"}
    mine = document(given)
    other = source()
    other.name = "web-2"
    assert document(given, source(identity="elasticsearch:web-1:later")).id == mine.id
    assert document(given, other).id != mine.id


def test_the_dataset_of_a_data_stream_counts_where_the_document_names_none() -> None:
    assert [dataset_of(index) for index in ("logs-my.app-prod", "logs-generic-default", "filebeat-8", "")] == [
        "my.app",
        "",
        "",
        "",
    ]
    event = document({"message": "nobody knows this"}, source(stamp={"data_stream.dataset": "my.app"}))
    assert (event.dataset, event.fields["message"]) == ("my.app", "nobody knows this")


@pytest.mark.parametrize("dataset", ["chat.security", "gateway.auth", "collector.source", "sakimori.finding"])
def test_nobody_speaks_for_the_services_themselves(dataset: str) -> None:
    with pytest.raises(LineRejected, match="only the service itself"):
        document({"event.dataset": dataset, "message": "x"})
    with pytest.raises(LineRejected, match="only the service itself"):
        read_hec(source(), json.dumps({"event": {"event.dataset": dataset}}).encode(), 1)


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 10_000,
        b'{"a":' * 10_000,
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b"\xff\xfe",
        b"[1]",
        b'{"v": "' + b"x" * 1_100_000 + b'"}',
        json.dumps({f"field{n}": n for n in range(300)}).encode(),
        json.dumps({"event.dataset": "x", "@timestamp": "2100-01-01T00:00:00Z"}).encode(),
    ],
)
def test_what_is_no_document_is_rejected_with_a_reason(raw: bytes) -> None:
    with pytest.raises(LineRejected, match=r"\w"):
        read_document(source(), raw, 1)


def test_what_a_database_cannot_hold_stays_visible() -> None:
    event = document({"event.dataset": "my.app", "user.name": "a\0b", "list": ["\0"], "n": 1 << 70})
    assert (event.fields["user.name"], event.fields["list"], event.fields["n"]) == (
        "a\\x00b",
        ["\\x00"],
        float(1 << 70),
    )


def test_actions_and_documents_alternate_and_each_knows_its_line() -> None:
    body = b'{"create":{"_index":"a","_id":"7"}}\n{"x":1}\n\n{"delete":{"_id":"8"}}\n{"index":{}}\n{"x":2}\n'
    items = [(item.operation, item.index, item.id, item.place, item.document) for item in items_of(body, "of-path")]
    assert items == [
        ("create", "a", "7", 2, b'{"x":1}'),
        ("delete", "of-path", "8", None, b""),
        ("index", "of-path", "", 6, b'{"x":2}'),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b'{"create":{}}\n',
        b'{"create":{}}',
        b'{"create":{"_index":"a"}}',
        b'{"create":{}}\n\n{"x":1}\n',
        b'{"message": "no action"}\n',
        b'{"create":{},"index":{}}\n{}\n',
        b"[" * 10_000 + b"\n{}\n",
        b'{"create":' * 10_000 + b"\n{}\n",
        b'{"create":{"_index":"' + b"x" * 5000 + b'"}}\n{}\n',
        b"\xff\n{}\n",
        b'{"sing":{}}\n{}\n',
    ],
)
def test_a_body_that_is_no_bulk_body_says_where(body: bytes) -> None:
    with pytest.raises(BulkError, match=r"line 1: \w"):
        items_of(body, "")


def envelopes(text: str) -> list[bytes]:
    found, end = envelopes_of(text, 0, 0, 1000)
    assert end == len(text)
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    return [raw for _, raw in found]


def test_envelopes_stand_one_after_another_with_or_without_space() -> None:
    assert envelopes('{"event":"a}{"}{"event":{"b":"}"}} \r\n\t{"event":3}\n') == [
        b'{"event":"a}{"}',
        b'{"event":{"b":"}"}}',
        b'{"event":3}',
    ]
    found, place = envelopes_of('{"event":1}{"event":2}{"event":3}', 0, 0, 2)
    assert (len(found), place) == (2, 22)


@pytest.mark.parametrize(
    ("text", "number", "code"),
    [
        ('{"event":"a"}{"event":', 1, 6),
        ('{"event":"a"}{"host":"x"}', 1, 12),
        ('{"event":null}', 0, 12),
        ('{"event":""}', 0, 13),
        ("[1]", 0, 6),
        ('"text"', 0, 6),
        ('{"event":NaN}', 0, 6),
        ("[" * 10_000, 0, 6),
        ('{"event":' * 10_000, 0, 6),
    ],
)
def test_an_envelope_that_is_none_is_named_by_number_and_splunks_code(text: str, number: int, code: int) -> None:
    with pytest.raises(NoEvent) as raised:
        envelopes(text)
    assert (raised.value.number, raised.value.code) == (number, code)


def hec(envelope: object, of: Source | None = None) -> Event:
    [event] = read_hec(of or source(), json.dumps(envelope).encode(), 1)
    return event


def test_a_line_in_an_envelope_is_parsed_with_what_the_envelope_says() -> None:
    said = {"host": "web-1", "source": "/var/log/nginx/access.log", "sourcetype": "nginx.access", "index": "main"}
    event = hec({"event": NGINX, "time": 1768528805.123, "fields": {"datacentre": "tokyo"}, **said})
    names = ("source.ip", "host.hostname", "log.file.path", "splunk.sourcetype", "splunk.index", "datacentre")
    assert event.dataset == "nginx.access"
    assert [event.fields[name] for name in names] == [
        "192.0.2.7",
        "web-1",
        "/var/log/nginx/access.log",
        "nginx.access",
        "main",
        "tokyo",
    ]


@pytest.mark.parametrize(
    "time", [1768528805.123, "1768528805.123", 1768528805123, "1768528805123", 1768528805123000000]
)
def test_times_of_envelopes_are_seconds_or_less(time: object) -> None:
    event = hec({"time": time, "event": {"event.dataset": "my.app", "user.name": "x"}})
    assert format_instant(event.time) == "2026-01-16T02:00:05.123Z"


@pytest.mark.parametrize("time", ["yesterday", "NaN", "-5", 1e300, "1e400"])
def test_times_that_are_none_are_rejected(time: object) -> None:
    with pytest.raises(LineRejected):
        hec({"time": time, "event": {"event.dataset": "my.app"}})


def test_epochs_are_told_apart_by_size() -> None:
    moment = parse_instant("2026-01-16T02:00:00.000Z")
    assert [epoch_microseconds(n) for n in (1768528800, 1768528800000, 1768528800000000, 1768528800000000000)] == [
        moment
    ] * 4


def test_bodies_are_arrays_objects_or_lines() -> None:
    assert records_of(b'[{"a":1},\n {"a":[2]}]') == [(1, b'{"a":1}'), (2, b'{"a":[2]}')]
    assert records_of(b'{\n "a": 1\n}') == [(1, b'{\n "a": 1\n}')]
    assert records_of(b'{"a":1}\n\n{"a":2}\r\n') == [(1, b'{"a":1}'), (3, b'{"a":2}\r')]
    assert records_of(b"[broken\n{}") == [(1, b"[broken"), (2, b"{}")]
    assert records_of(b"{broken\n{}") == [(1, b"{broken"), (2, b"{}")]
    assert len(records_of(b"[" * 100_000)) == 1
    assert records_of(b" \n") == records_of(b"") == records_of(b"[]") == []


def inflate(body: bytes, limit: int = 1_000_000, coding: str = "gzip", piece: int = 999) -> bytes:
    inflater = Inflater(coding, limit)
    parts = [part for start in range(0, len(body), piece) for part in inflater.feed(body[start : start + piece])]
    assert all(len(part) <= 1 << 20 for part in parts)
    inflater.end()
    return b"".join(parts)


def gzipped(body: bytes) -> bytes:
    return zlib.compress(body, wbits=31)


def test_compressed_bodies_come_out_whole_in_whatever_pieces_they_come() -> None:
    text = b"".join(b"line %d\n" % n for n in range(50_000))
    for piece in (1, 777, 1 << 20):
        assert inflate(gzipped(text)[:3000] + gzipped(text)[3000:], piece=max(piece, 50)) == text
    assert inflate(gzipped(b"a") + gzipped(b"b")) == b"ab"
    assert inflate(zlib.compress(text), coding="deflate") == text
    assert inflate(b"") == b""


def test_a_bomb_is_stopped_at_the_limit_and_damage_is_named() -> None:
    bomb = gzipped(b"\0" * 50_000_000)
    assert len(bomb) < 100_000
    with pytest.raises(TooLarge):
        inflate(bomb)
    assert inflate(gzipped(b"x" * 1_000_000)) == b"x" * 1_000_000
    with pytest.raises(TooLarge):
        inflate(gzipped(b"x" * 1_000_001))
    with pytest.raises(Damaged, match="cut off"):
        inflate(gzipped(b"some text")[:-5])
    with pytest.raises(Damaged, match="not gzip"):
        inflate(b"plain text")
    with pytest.raises(Damaged, match="members"):
        inflate(gzipped(b"") * 1001)


def test_a_rate_lets_bursts_through_and_pays_back_what_exceeds_the_bucket() -> None:
    rate = LineRate(10, now=0.0)
    assert rate.take(100, 0.0) == 0
    assert rate.take(1, 0.0) == pytest.approx(0.1)
    assert rate.take(1, 0.1) == 0
    assert rate.take(500, 5.0) == pytest.approx(5.1)
    assert rate.take(500, 10.2) == 0
    assert rate.level == 0
    assert rate.take(1, 50.0) == pytest.approx(0.3, abs=0.01)
    assert rate.take(1, 50.4) == 0

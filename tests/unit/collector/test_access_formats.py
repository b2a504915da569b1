"""The access log formats, line by line."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_collector.domain.format import Record
from sakimori_collector.domain.formats import FORMATS, LineRejected, Reference
from sakimori_collector.domain.formats.combined import parse_combined, parse_unusual
from sakimori_common.contracts import FieldValue
from sakimori_common.instants import format_instant, parse_instant

NOW = Reference(parse_instant("2026-01-16T02:00:00Z"))
BEGIN = "192.0.2.1 - - [16/Jan/2026:10:59:58 +0900] "


def parse(line: str) -> dict[str, FieldValue]:
    [(time, fields)] = FORMATS["nginx.access"].parse(line, NOW)
    return {"@timestamp": format_instant(time), **fields}


def test_combined_gives_every_field() -> None:
    line = (
        '192.0.2.1 - alice [16/Jan/2026:10:59:58 +0900] "POST /login?next=%2Fhome HTTP/1.1" 401 512 '
        '"https://example.com/start" "Mozilla/5.0 (X11)"'
    )
    assert parse(line) == {
        "@timestamp": "2026-01-16T01:59:58.000Z",
        "event.category": "web",
        "event.outcome": "failure",
        "source.ip": "192.0.2.1",
        "user.name": "alice",
        "http.request.method": "POST",
        "http.version": "1.1",
        "url.original": "/login?next=%2Fhome",
        "url.path": "/login",
        "url.query": "next=%2Fhome",
        "http.response.status_code": 401,
        "http.response.body.bytes": 512,
        "http.request.referrer": "https://example.com/start",
        "user_agent.original": "Mozilla/5.0 (X11)",
    }


def test_common_has_neither_referrer_nor_agent_and_dashes_are_absent() -> None:
    assert parse(BEGIN + '"HEAD / HTTP/1.0" 304 -') == {
        "@timestamp": "2026-01-16T01:59:58.000Z",
        "event.category": "web",
        "event.outcome": "success",
        "source.ip": "192.0.2.1",
        "http.request.method": "HEAD",
        "http.version": "1.0",
        "url.original": "/",
        "url.path": "/",
        "http.response.status_code": 304,
    }


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        ("GET /a?b?c HTTP/2.0", {"url.path": "/a", "url.query": "b?c"}),
        ("GET /a? HTTP/1.1", {"url.path": "/a", "url.query": ""}),
        ("GET /a b HTTP/1.1", {"url.original": "/a b", "url.path": "/a b"}),
        ("GET /old", {"url.original": "/old", "url.path": "/old", "http.request.method": "GET"}),
        ("GET http://example.com/x?y HTTP/1.1", {"url.original": "http://example.com/x?y", "url.path": "/x"}),
        ("CONNECT 192.0.2.9:25 HTTP/1.1", {"url.original": "192.0.2.9:25", "http.request.method": "CONNECT"}),
        ("OPTIONS * HTTP/1.1", {"url.path": "*"}),
        (r"\x16\x03\x01", {"url.original": r"\x16\x03\x01"}),
        (r"GET /?q=\x22\xe3\x81\x82\x22 HTTP/1.1", {"url.query": 'q="あ"'}),
        (r"GET /?q=\"x\\y HTTP/1.1", {"url.query": 'q="x\\y'}),
        (r"GET /\x1b[31m\x00\xff HTTP/1.1", {"url.path": r"/\x1b[31m\x00\xff"}),
        ("HELP", {"url.original": "HELP"}),
    ],
)
def test_request_lines_of_all_kinds_are_taken_apart(request_line: str, expected: dict[str, FieldValue]) -> None:
    fields = parse(BEGIN + f'"{request_line}" 400 0 "-" "-"')
    assert {name: fields.get(name) for name in expected} == expected


@pytest.mark.parametrize("request_line", ["", "-"])
def test_a_request_that_never_came_has_no_url(request_line: str) -> None:
    fields = parse(BEGIN + f'"{request_line}" 408 0 "-" "-"')
    assert "url.original" not in fields
    assert "http.request.method" not in fields


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("www.example.com:443 " + BEGIN + '"GET / HTTP/1.1" 200 5', {"url.domain": "www.example.com"}),
        (BEGIN + '"GET / HTTP/1.1" 200 5 "-" "curl" "192.0.2.77"', {"sakimori.log.rest": '"192.0.2.77"'}),
        ("2001:DB8::0:1 " + BEGIN[10:] + '"GET / HTTP/1.1" 200 5', {"source.ip": "2001:db8::1"}),
        ("::ffff:192.0.2.7 " + BEGIN[10:] + '"GET / HTTP/1.1" 200 5', {"source.ip": "192.0.2.7"}),
        (
            "Jan 16 02:00:00 web-1 nginx[77]: " + BEGIN + '"GET / HTTP/1.1" 200 5',
            {"host.hostname": "web-1", "source.ip": "192.0.2.1", "url.path": "/"},
        ),
        ("host.example.net " + BEGIN[10:] + '"GET / HTTP/1.1" 200 5', {"source.domain": "host.example.net"}),
        (BEGIN.replace("- -", "- Ann Lee") + '"GET / HTTP/1.1" 200 5', {"user.name": "Ann Lee"}),
    ],
)
def test_variants_of_the_line(line: str, expected: dict[str, FieldValue]) -> None:
    fields = parse(line)
    assert {name: fields.get(name) for name in expected} == expected


def test_a_user_name_cannot_pretend_to_be_the_rest_of_the_line() -> None:
    forged = r"x [01/Jan/2020:00:00:00 +0000] \"GET /forged HTTP/1.1\" 200 1"
    fields = parse(f'192.0.2.1 - {forged} [16/Jan/2026:10:59:58 +0900] "GET /real HTTP/1.1" 401 0 "-" "-"')
    assert fields["url.path"] == "/real"
    assert fields["@timestamp"] == "2026-01-16T01:59:58.000Z"


def test_an_agent_with_escaped_quotes_ends_where_it_ends() -> None:
    assert parse(BEGIN + r'"GET / HTTP/1.1" 200 5 "-" "a\" 200 9 \"b"')["user_agent.original"] == 'a" 200 9 "b'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "not an access log line"),
        ("Jan 16 02:00:00 web-1 sshd[1]: x", "not an access log line"),
        ('15 words that are no client [16/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5', "not an access log line"),
        ('192.0.2.1 - - [30/Feb/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5', "no such time: 30/Feb/2026"),
        ('192.0.2.1 - - [16/Foo/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5', "no such time"),
        ('192.0.2.1 - - [16/Jan/1969:10:00:00 +0000] "GET / HTTP/1.1" 200 5', "no such time"),
        ('192.0.2.1 - - [16/Jan/2100:10:00:00 +0000] "GET / HTTP/1.1" 200 5', "over a day ahead"),
        ('192.0.2.1 - - [16/Jan/2026:10:00:00 +9900] "GET / HTTP/1.1" 200 5', "no such time"),
        (BEGIN + '"GET / HTTP/1.1" 20 5', "not an access log line"),
        (BEGIN + '"GET / HTTP/1.1', "not an access log line"),
    ],
)
def test_what_is_no_access_line_is_rejected_with_the_reason(line: str, reason: str) -> None:
    with pytest.raises(LineRejected, match=reason):
        parse(line)


CLIENTS = (
    "192.0.2.1",
    "2001:DB8::0:1",
    "::ffff:192.0.2.7",
    "fe80::1%eth0",
    "host.example.net",
    "a:b",
    "192.0.2.1\t",
    "",
)
TIMES = (
    "[16/Jan/2026:10:59:58 +0900]",
    "[30/Feb/2026:10:00:00 +0000]",
    "[16/Jan/2100:10:00:00 +0000]",
    "[16/Jan/2026]",
)
REQUESTS = (
    "GET / HTTP/1.1",
    "GET /a?b?c HTTP/2.0",
    "GET /? HTTP/1.1",
    "get /x HTTP/1.1",
    "GET /a b HTTP/1.1",
    "GET /old",
)
MORE_REQUESTS = (
    "GET  /a HTTP/1.1",
    "GET /a  HTTP/1.1",
    "GET /a HTTP/",
    "OPTIONS * HTTP/1.1",
    "",
    "-",
    "GET /a\u2003b HTTP/1.1",
)
ENDS = ("", "-", "https://example.com/", "Mozilla/5.0 (X11)", 'a" "b', r"\x22", "\n")
ANYTHING = st.text(alphabet=' /?"\\-GETHP.:[]\t\x85\u2028', max_size=6)


@given(
    head=st.tuples(st.sampled_from(CLIENTS) | ANYTHING, st.sampled_from(["- -", "- alice", "- Ann Lee", "x y", "-"])),
    time=st.sampled_from(TIMES),
    request=st.sampled_from(REQUESTS + MORE_REQUESTS) | ANYTHING,
    answer=st.sampled_from(["200 5", "404 -", "99 5", "500 12 ", "200 5 x"]),
    ends=st.lists(st.sampled_from(ENDS) | ANYTHING, max_size=3),
)
def test_the_short_way_gives_what_the_long_way_gives(
    head: tuple[str, str], time: str, request: str, answer: str, ends: list[str]
) -> None:
    line = " ".join([*head, time, f'"{request}"', answer, *(f'"{end}"' for end in ends)])
    assert outcome(parse_combined, line) == outcome(parse_unusual, line)


def outcome(read: Callable[[str, Reference], list[Record]], line: str) -> list[Record] | str:
    try:
        return read(line, NOW)
    except LineRejected as error:
        return str(error)

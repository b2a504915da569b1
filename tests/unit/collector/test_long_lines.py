"""Lines of a megabyte that are made to keep an expression busy: each is read or rejected, none hangs."""

from contextlib import suppress

import pytest

from sakimori_collector.domain.format import LineRejected, Reference
from sakimori_collector.domain.formats import AUTO
from sakimori_collector.domain.reading import Source
from sakimori_common.contracts.event import MAX_FIELDS
from sakimori_common.instants import parse_instant

NOW = Reference(parse_instant("2026-01-16T02:00:00Z"))
LENGTH = 1 << 20
NGINX = "2026/01/16 01:59:58 [error] 4711#4711: *7 "
APACHE = "[Fri Jan 16 01:59:58 2026] [error] [client 192.0.2.7] "
HAPROXY = "192.0.2.7:33317 [16/Jan/2026:01:59:58.655] http-in app/web-1 0/0/0/1/1 200 97 - - ---- 1/1/0/0/0 0/0 "
CEF = "CEF:0|Example|App|1|7|Seen|3|"
EVENT = "<Event><System><Channel>Security</Channel></System><EventData>"


@pytest.mark.parametrize(
    ("format", "begin", "piece", "end"),
    [
        ("nginx.error", NGINX + "open() ", ', client: 192.0.2.7, request: "', ""),
        ("nginx.error", NGINX + 'user "', '": password mismatc', ""),
        ("nginx.error", NGINX + "x, client: 192.0.2.7", ', referrer: "', '"'),
        ("nginx.error", NGINX + "ModSecurity: ", '[id "1', ""),
        ("nginx.error", "a nginx: ", "a nginx: ", ""),
        ("apache.error", APACHE + "user `", "' in realm `", ""),
        ("apache.error", APACHE + "user ", "x not found", ""),
        ("apache.error", APACHE, ", referer: x", " "),
        ("apache.error", APACHE + "ModSecurity: ", '[a "\\"', ""),
        ("haproxy.access", HAPROXY + "{", "|{", ""),
        ("haproxy.access", HAPROXY + '"', "#22", '"'),
        ("haproxy.access", "", "1:", ""),
        ("aws.vpcflow", "2 123456789012 eni-1 ", "1 ", ""),
        ("cef", CEF, " a=b", ""),
        ("cef", CEF, "a" * 255 + " ", ""),
        ("cef", "CEF:0", "|\\|", ""),
        ("cef", "", "CEF:", ""),
        ("leef", "LEEF:1.0|a|b|c|d|", "k=v\t", ""),
        ("leef", "LEEF:2.0", "|\\", ""),
        ("logfmt", "level=info ", 'a="\\"', ""),
        ("logfmt", "level=info ", "a=b ", ""),
        ("logfmt", "level=info ", "a", ""),
        ("keyvalue", "a=b c=d ", "e='\"", ""),
        ("keyvalue", "a=b c=d ", "k=v,", ""),
        ("keyvalue", "a=b c=d ", "k ", ""),
        ("csv", "time,a,b", ",c", ""),
        ("csv", "time,a,b,", '"', ""),
        ("cri", "2026-01-16T01:59:58Z stdout F ", "k=v ", ""),
        ("zeek", "#separator ", "#", ""),
        ("zeek", "", "\t", ""),
        ("json", '{"ts":1768528798,"a":[', "1,", "1]}"),
        ("json", '{"ts":1768528798', ',"a":1', "}"),
        ("docker", '{"stream":"o","time":"2026-01-16T01:59:58Z","log":"', "[", '"}'),
        ("windows", '{"winlog":{"channel":"Security","event_id":1,"event_data":{"Hashes":"', "SHA1=a,", '"}}}'),
        ("windows.xml", EVENT, "<Data>", ""),
        ("windows.xml", EVENT, "<Data>1</Data>", "</EventData></Event>"),
    ],
)
def test_a_line_that_is_made_to_be_slow_is_not(format: str, begin: str, piece: str, end: str) -> None:
    whole = begin + piece * ((LENGTH - len(begin)) // len(piece)) + end
    for line in (whole, begin + piece * (200_000 // len(piece)) + end):
        for name in (format, AUTO):
            with suppress(LineRejected):
                for event in Source("test", "test", name, NOW, {}).read(line.encode(), 0):
                    assert len(event.fields) <= MAX_FIELDS

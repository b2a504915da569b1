"""Every spelling of an attack reaches the rules in one form, and nothing that is plain is changed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_detector.domain.normalise import MAX_PART_CHARACTERS, decode_request, decode_value

SPELLINGS = [
    ("percent-encoded", "%2e%2e%2f", "../"),
    ("percent-encoded twice", "%252e%252e%252f", "../"),
    ("percent-encoded three times", "%25252e", "."),
    ("the digits encoded themselves", "%%32%65", "."),
    ("Microsoft's %uXXXX", "%u003cb%u003E", "<b>"),
    ("overlong in two bytes", "%c0%ae%C0%AF", "./"),
    ("overlong in three bytes", "%e0%80%af", "/"),
    ("overlong in five bytes", "%f8%80%80%80%af", "/"),
    ("overlong, encoded twice", "%25c1%259c", "\\"),
    ("overlong with digits beyond F", "%c0%9v%c1%8s", "/\\"),
    ("overlong with a second byte that continues nothing", "%c0%2e%c0%2f%c1%af%c0%5c", ".//\\"),
    ("overlong with the second byte as it is", "%c0.", "."),
    ("hexadecimal entity", "&#x3c;script&#X3E;", "<script>"),
    ("decimal entity without semicolon", "&#0060script", "<script"),
    ("named entities", "&lt;a href=&quot;javascript&colon;", '<a href="javascript:'),
    ("an entity inside percent-encoding", "%26%2339;", "'"),
    ("nginx's log escapes", r"\x22\x3Cb\x3E", '"<b>'),
    ("bytes of one character as escapes", r"\xe6\x97\xa5", "日"),
    ("JSON escapes", r"\u0027 or \u{27}", "' or '"),
    ("full-width letters", "＜ｓｃｒｉｐｔ＞", "<script>"),
    ("full-width, percent-encoded inside", "％２７", "'"),
    ("typographic quotes", "%E2%80%99 or ʼ", "' or '"),
    ("slashes that are none", "..\u2215..\u2216", "../..\\"),
    ("a zero byte", "pass%00wd", "passwd"),
    ("invisible characters", "java\u200bscript%c2%ad:", "javascript:"),
    ("vertical tab and form feed", "1%0bunion%0c", "1 union "),
    ("no-break and other spaces", "1\u00a0or\u3000\u16802", "1 or  2"),
]


@pytest.mark.parametrize(("raw", "decoded"), [row[1:] for row in SPELLINGS], ids=[row[0] for row in SPELLINGS])
def test_undoes_an_encoding(raw: str, decoded: str) -> None:
    assert decode_value(raw) == decoded


@pytest.mark.parametrize(
    "plain",
    [
        "",
        "/index.html",
        "100%",
        "%zz",
        "50% off & more",
        "C:\\temp",
        "AT&T",
        "tom&jerry;",
        "日本語の検索",
        "O'Reilly",
        "a\tb\nc",
    ],
)
def test_leaves_what_is_plain_as_it_is(plain: str) -> None:
    assert decode_value(plain) == plain


def test_a_comment_is_shown_as_it_is_and_as_white_space() -> None:
    assert decode_value("1/**/or/*x*/1") == "1/**/or/*x*/1\n1 or 1"


def test_what_mysql_runs_of_a_comment_stays() -> None:
    assert decode_value("1/*!50000union*/select") == "1/*!50000union*/select\n1 union select"


def test_a_comment_does_not_hide_what_stands_inside_from_others_than_databases() -> None:
    assert "<script>" in decode_value("/*<script>*/")


def test_a_comment_left_open_stays() -> None:
    assert decode_value("admin'/*") == "admin'/*"


def test_a_number_beyond_unicode_becomes_the_replacement_character() -> None:
    assert decode_value(r"\u{ffffff}%ud800") == "\ufffd\ufffd"


def test_the_parts_of_a_request_are_its_lines() -> None:
    fields = {
        "url.original": "/search?q=a+b%26c&page=2",
        "http.request.method": "GET",
        "http.request.referrer": "https://example.com/start?from=mail",
        "user_agent.original": "curl/8.5 (+x)",
        "http.request.body.content": "name=J+D&note=%3Cb%3E",
        "http.request.headers.cookie": "lang=ja",
    }

    assert decode_request(fields).split("\n") == [
        "/search",
        "q=a b&c",
        "page=2",
        "https://example.com/start",
        "from=mail",
        "curl/8.5 (+x)",
        "name=J D",
        "note=<b>",
        "lang=ja",
    ]


def test_path_and_query_serve_where_the_target_was_not_kept() -> None:
    assert decode_request({"url.path": "/a", "url.query": "x=%27"}) == "/a\nx='"
    assert decode_request({"url.path": "/a"}) == "/a"


def test_an_event_without_a_request_decodes_to_nothing() -> None:
    assert decode_request({"source.ip": "192.0.2.1", "url.original": None}) == ""


def test_ampersands_without_a_name_behind_them_belong_to_the_value() -> None:
    assert (
        decode_request({"url.original": "/run?host=a&&cat%20/etc/passwd&x=1"}) == "/run\nhost=a&&cat /etc/passwd\nx=1"
    )


def test_a_question_mark_in_a_body_is_text() -> None:
    body = "<?xml version='1.0'?><a/>"

    assert decode_request({"url.original": "/", "http.request.body.content": body}) == f"/\n{body}\nversion=1.0"


def test_only_the_beginning_and_the_end_of_an_endless_value_are_read() -> None:
    decoded = decode_request({"url.original": "/" + "%41" * 100_000, "http.request.body.content": "x" * 60_000})

    assert len(decoded) < 2 * MAX_PART_CHARACTERS
    assert decoded.endswith("x")


@given(st.text(max_size=400))
def test_any_text_decodes_to_text_without_zero_bytes(raw: str) -> None:
    decoded = decode_value(raw)

    assert "\x00" not in decoded
    assert len(decoded) <= 2 * (2 * MAX_PART_CHARACTERS) + 1


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Z", "Lm", "Sk"]), max_size=60))
def test_percent_encoding_makes_no_difference(raw: str) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in raw.encode())

    assert decode_value(encoded) == decode_value(raw)


@given(st.text(alphabet="%25ecu/*&#x\\;<0a", max_size=3000))
def test_hostile_encodings_end(raw: str) -> None:
    assert not re.search("\x00", decode_value(raw))


def test_a_body_of_json_shows_its_values_however_deep() -> None:
    body = r'{"user":{"name":"a\u0027 or 1"},"tags":["x","%3Cb%3E"],"inner":"{\"q\":\"deep\"}","n":1}'

    assert decode_request({"url.path": "/", "http.request.body.content": body}).split("\n")[1:] == [
        "user.name=a' or 1",
        "tags=x",
        "tags=<b>",
        'inner={"q":"deep"}',
        "inner.q=deep",
        "n=1",
    ]


def test_a_name_that_comes_twice_in_json_is_seen_twice() -> None:
    assert decode_request({"http.request.body.content": '{"a":"x","a":"y","b":{},"c":[null,true,1.5]}'}) == (
        "\na=x\na=y\nb=\nc=null\nc=true\nc=1.5"
    )


def test_values_too_many_or_too_deep_to_list_are_seen_all_the_same() -> None:
    many = "[" + "1," * 400 + '"last"]'
    deep = '{"a":' * 12 + '"last"' + "}" * 12

    assert '"last"' in decode_request({"http.request.body.content": many})
    assert '"last"' in decode_request({"http.request.body.content": deep})


def test_a_body_of_several_parts_shows_their_values_and_file_names() -> None:
    body = (
        '--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nhello\r\n'
        '--x\r\nContent-Disposition: form-data; name="file"; filename="../a.php"\r\n'
        "Content-Type: text/plain\r\n\r\n1\r\n--x--"
    )

    assert decode_request({"url.path": "/", "http.request.body.content": body}).split("\n")[-3:] == [
        "text=hello",
        "file=1",
        "file.filename=../a.php",
    ]


def test_a_body_of_xml_shows_text_and_attributes() -> None:
    body = '<a b="1&#39;"><c>it&#x27;s</c></a>'

    assert decode_request({"url.path": "/", "http.request.body.content": body}).split("\n")[-2:] == ["c=it's", "b=1'"]


def test_cookies_are_lines() -> None:
    fields = {"url.path": "/", "http.request.headers.cookie": "lang=ja; id=%27; theme=a;b"}

    assert decode_request(fields) == "/\nlang=ja\nid='\ntheme=a;b"


CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)


def test_a_plain_browser_and_a_plain_referrer_are_left_out() -> None:
    fields = {"url.path": "/", "user_agent.original": CHROME, "http.request.referrer": "https://example.com/a/b-c.html"}

    assert decode_request(fields) == "/"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("user_agent.original", CHROME + " union select 1"),
        ("user_agent.original", "Mozilla/5.0 (X11; 1 or sleep 5)"),
        ("user_agent.original", CHROME + "'"),
        ("user_agent.original", "curl/8.5.0"),
        ("http.request.referrer", "https://example.com/../etc/passwd"),
        ("http.request.referrer", "https://example.com/?q=1"),
    ],
)
def test_one_with_anything_odd_stays(name: str, value: str) -> None:
    assert decode_request({"url.path": "/", name: value}).split("\n")[1] == value.partition("?")[0]


@pytest.mark.parametrize("field", ["url.original", "http.request.body.content", "http.request.headers.cookie"])
@pytest.mark.parametrize("padded", ["{}&q=%3Cscript%3E", "q=%3Cscript%3E&{}"])
def test_padding_before_or_behind_hides_nothing(field: str, padded: str) -> None:
    decoded = decode_request({field: "/?x=" + padded.format("A" * 60_000)})
    assert "<script>" in decoded
    assert len(decoded) < MAX_PART_CHARACTERS + 10


def test_endless_bodies_are_bounded() -> None:
    for body in (
        "[" * 100_000,
        "[" + '"x",' * 100_000,
        "<a b='1'>" * 10_000,
        "--x\n" * 10_000,
        '{"a":' * 9 + '"x"' + "}" * 9,
    ):
        assert len(decode_request({"url.path": "/", "http.request.body.content": body})) < 6 * MAX_PART_CHARACTERS


@given(st.text(alphabet='{}[]",:\\u0<>=/a \r\n-', max_size=300))
def test_any_body_decodes(body: str) -> None:
    assert decode_request({"url.path": "/", "http.request.body.content": body}).startswith("/\n")

"""Indicators read from documents of each format, all written by hand here."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sakimori_common.instants import parse_instant
from sakimori_detector.domain.intelligence.entries import DocumentRefused, Entry, Reading, Skipped
from sakimori_detector.domain.intelligence.formats import FORMATS
from sakimori_detector.domain.intelligence.formats.stix_pattern import NotSimple, comparisons
from sakimori_detector.domain.intelligence.values import Kind, Value, host_of, read

SHA256 = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"
MD5 = "44d88612fea8a8f36de82e1278abb02f"


def entries(format: str, document: str | bytes, reading: Reading | None = None) -> list[Entry]:
    return [found for found in everything(format, document, reading) if isinstance(found, Entry)]


def skipped(format: str, document: str | bytes, reading: Reading | None = None) -> list[tuple[int, str]]:
    found = everything(format, document, reading)
    return [(each.place, each.why) for each in found if isinstance(each, Skipped)]


def everything(format: str, document: str | bytes, reading: Reading | None = None) -> list[Entry | Skipped]:
    encoded = document if isinstance(document, bytes) else document.encode()
    return list(FORMATS[format](encoded, reading or Reading()))


def values(found: list[Entry]) -> list[tuple[str, str]]:
    return [(entry.kind.value, entry.text) for entry in found]


@pytest.mark.parametrize(
    ("text", "kind", "spelling"),
    [
        ("198.51.100.7", "ip", "198.51.100.7"),
        ("198.51.100.7/32", "ip", "198.51.100.7"),
        ("198.51.100.9/24", "ip", "198.51.100.0/24"),
        ("198.51.100.7:8443", "ip", "198.51.100.7"),
        ("198[.]51[.]100[.]7", "ip", "198.51.100.7"),
        ("[2001:db8::1]:443", "ip", "2001:db8::1"),
        ("2001:DB8:0:0::1", "ip", "2001:db8::1"),
        ("::ffff:198.51.100.7", "ip", "198.51.100.7"),
        ("*.Evil.Example.", "domain", "evil.example"),
        ("evil[.]example", "domain", "evil.example"),
        ("bücher.example", "domain", "xn--bcher-kva.example"),
        ("hxxps://Evil[.]example:443/a/./b/../c?x=%2f#top", "url", "evil.example/a/c?x=%2F"),
        ("http://user:secret@evil.example", "url", "evil.example/"),
        ("http://evil.example:8080/%61", "url", "evil.example:8080/a"),
        ("http://[2001:db8::1]/x", "url", "[2001:db8::1]/x"),
        ("evil.example/x y", "url", "evil.example/x%20y"),
        (SHA256.upper(), "hash", SHA256),
        (MD5, "hash", MD5),
        ("Someone@Evil.example", "email", "someone@evil.example"),
    ],
)
def test_an_indicator_is_recognised_and_has_one_spelling(text: str, kind: str, spelling: str) -> None:
    assert read(text) == Value(Kind(kind), spelling)


@pytest.mark.parametrize(
    "text",
    ["", "word", "com", "two words", "<html>", "</body>", "198.51.100.999", "198.51.100", "1.2.3.4/33", "-a.example",
     "http://", "http:///x", "http://evil.example:99999999/", "a" * 33, "@evil.example", "a b@evil.example", "x" * 5000,
     ".".join(["a" * 60] * 5)],
)  # fmt: skip
def test_what_is_no_indicator_is_not_taken_for_one(text: str) -> None:
    assert read(text) is None


@settings(deadline=None)
@given(st.text(max_size=200))
def test_whatever_is_read_reads_as_itself_again(text: str) -> None:
    value = read(text)
    if value is not None and value.kind is not Kind.URL:
        assert read(value.text, value.kind) == value
    if value is not None and value.kind is Kind.URL:
        assert read(f"http://{value.text}", Kind.URL) == value
        assert host_of(f"http://{value.text}") is not None


@settings(deadline=None)
@given(format=st.sampled_from(sorted(FORMATS)), document=st.binary(max_size=300))
def test_no_document_is_too_strange_to_be_read_or_refused(format: str, document: bytes) -> None:
    try:
        everything(format, document)
    except DocumentRefused as error:
        assert str(error)


def test_a_plain_list_has_comments_and_says_which_lines_are_none() -> None:
    document = "# list\n198.51.100.7\n\n203.0.113.0/24 ; SBL1\nevil.example # seen\n// end\nnobody\n"
    assert values(entries("plain", document)) == [
        ("ip", "198.51.100.7"), ("ip", "203.0.113.0/24"), ("domain", "evil.example"),
    ]  # fmt: skip
    assert skipped("plain", document) == [(7, "no indicator")]


def test_a_byte_that_is_no_utf8_spoils_only_its_line() -> None:
    assert values(entries("plain", b"\xef\xbb\xbfevil.example\n\xff\xfe\nbad.example\n")) == [
        ("domain", "evil.example"), ("domain", "bad.example"),
    ]  # fmt: skip


def test_a_type_keeps_a_list_from_being_read_as_another() -> None:
    assert values(entries("plain", "evil.example\n198.51.100.7", Reading(Kind.IP))) == [("ip", "198.51.100.7")]


def test_a_hosts_file_names_domains_and_the_machine_itself() -> None:
    document = (
        "127.0.0.1 localhost\n::1 ip6-localhost\nfe80::1%lo0 localhost\n"
        "0.0.0.0 evil.example bad.example # both\n127.0.0.1\tworse.example\nevil.example\n0.0.0.0 -x-\n"
    )
    assert [text for _, text in values(entries("hosts", document))] == ["evil.example", "bad.example", "worse.example"]
    assert skipped("hosts", document) == [(6, "no line of a hosts file"), (7, "no domain")]


URLS = """################
# Recent URLs   #
# id,dateadded,url,url_status,last_online
################
"1","2026-01-15 10:00:00","http://evil.example/a,b.sh","online","2026-01-16 01:00:00"
"2","2026-01-15 11:00:00","http://bad.example/","offline",""
"3","2026-01-15 12:00:00"
"4","2026-01-15 13:00:00","nothing","online",""
"""


def test_a_csv_names_its_columns_in_a_comment() -> None:
    reading = Reading(Kind.URL, columns={"value": "url", "last_seen": "last_online"})
    assert entries("csv", URLS, reading) == [
        Entry(Kind.URL, "evil.example/a,b.sh", last_seen=parse_instant("2026-01-16T01:00:00Z")),
        Entry(Kind.URL, "bad.example/"),
    ]
    assert skipped("csv", URLS, reading) == [(7, "no such column in this row"), (8, "no url")]


def test_a_csv_says_itself_what_an_indicator_is_and_how_sure_it_is() -> None:
    document = "ioc;kind;sure;until\n198.51.100.7:443;ip:port;75;2026-02-01T00:00:00Z\nx;registry key;75;\n" + (
        f"{SHA256.upper()};SHA256_hash;500;soon\n"
    )
    columns: dict[str, str | int] = {"value": "ioc", "type": "kind", "confidence": "sure", "valid_until": "until"}
    reading = Reading(delimiter=";", columns=columns)
    assert entries("csv", document, reading) == [
        Entry(Kind.IP, "198.51.100.7", parse_instant("2026-02-01T00:00:00Z"), None, 75),
        Entry(Kind.HASH, SHA256),
    ]
    assert skipped("csv", document, reading) == [(3, "a type that is not matched")]


def test_a_csv_without_names_is_read_by_number() -> None:
    assert values(entries("csv", "1,evil.example\n2,bad.example\n", Reading(columns={"value": 2}))) == [
        ("domain", "evil.example"), ("domain", "bad.example"),
    ]  # fmt: skip


def test_a_csv_without_the_column_that_is_asked_for_is_refused() -> None:
    with pytest.raises(DocumentRefused, match="no line names the columns address"):
        entries("csv", "ip,port\n198.51.100.7,1\n", Reading(columns={"value": "address"}))


def misp(*attributes: dict[str, object]) -> bytes:
    return msgspec.json.encode({"Event": {"info": "a case", "Attribute": attributes}})


def test_a_misp_event_yields_what_is_meant_for_detection() -> None:
    document = misp(
        {"type": "ip-dst", "value": "198.51.100.7", "to_ids": True, "last_seen": "2026-01-15T00:00:00Z"},
        {"type": "ip-dst|port", "value": "198.51.100.8|443", "to_ids": True},
        {"type": "filename|sha256", "value": f"a|b.exe|{SHA256}", "to_ids": "1"},
        {"type": "domain|ip", "value": "evil.example|198.51.100.9", "to_ids": True},
        {"type": "url", "value": "http://evil.example/a|b", "to_ids": True},
        {"type": "hostname", "value": "www.news.example", "to_ids": False},
        {"type": "md5", "value": MD5, "to_ids": True, "deleted": True},
        {"type": "yara", "value": "rule x {}", "to_ids": True},
        {"type": "md5", "value": "short", "to_ids": True},
        {"value": 5},
    )
    found = entries("misp", document)
    assert values(found) == [
        ("ip", "198.51.100.7"), ("ip", "198.51.100.8"), ("hash", SHA256), ("domain", "evil.example"),
        ("ip", "198.51.100.9"), ("url", "evil.example/a|b"),
    ]  # fmt: skip
    assert found[0].last_seen == parse_instant("2026-01-15T00:00:00Z")
    assert [why for _, why in skipped("misp", document)] == [
        "not meant for detection (to_ids)", "deleted", "a type that is not matched", "no hash", "no attribute",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "document",
    [
        '{"response": {"Attribute": [{"type": "domain", "value": "evil.example"}]}}',
        '{"response": [{"Event": {"Attribute": [{"type": "domain", "value": "evil.example"}]}}]}',
        '[{"Event": {"Attribute": [{"type": "domain", "value": "evil.example"}]}}]',
        '{"Event": {"Object": [{"name": "x", "Attribute": [{"type": "domain", "value": "evil.example"}]}]}}',
    ],
)
def test_misp_answers_come_in_several_wrappers(document: str) -> None:
    assert values(entries("misp", document)) == [("domain", "evil.example")]


@pytest.mark.parametrize("format", ["misp", "stix"])
@pytest.mark.parametrize(
    "document", ["", "{", "[1]", '"text"', '{"Event": 5, "type": 5}', "[" * 100_000, "<html></html>"]
)
def test_json_that_is_something_else_is_refused(format: str, document: str) -> None:
    with pytest.raises(DocumentRefused):
        everything(format, document)


def bundle(*objects: dict[str, object]) -> bytes:
    return msgspec.json.encode({"type": "bundle", "id": "bundle--1", "objects": objects})


def test_a_stix_bundle_yields_its_simple_indicators() -> None:
    indicator = {"type": "indicator", "pattern_type": "stix"}
    document = bundle(
        {**indicator, "pattern": "[ipv4-addr:value = '198.51.100.7']", "confidence": 80,
         "valid_until": "2026-02-01T00:00:00Z"},
        {**indicator, "pattern": f"[file:hashes.'SHA-256' = '{SHA256}' OR file:hashes.MD5 = '{MD5}']"},
        {"type": "malware", "name": "x"},
        {**indicator, "pattern": "[domain-name:value = 'evil.example'] AND [url:value = 'http://a.example/']"},
        {**indicator, "pattern": "[domain-name:value = 'bad.example']", "revoked": True},
        {**indicator, "pattern_type": "sigma", "pattern": "title: x"},
        {**indicator, "pattern": "[ipv4-addr:value = 'nobody']"},
        {**indicator, "pattern": 5},
    )  # fmt: skip
    assert entries("stix", document) == [
        Entry(Kind.IP, "198.51.100.7", parse_instant("2026-02-01T00:00:00Z"), None, 80),
        Entry(Kind.HASH, SHA256),
        Entry(Kind.HASH, MD5),
    ]
    assert skipped("stix", document) == [
        (4, "a pattern with AND"), (5, "revoked"), (6, "a pattern that is not STIX"), (7, "no ip"),
        (8, "no object of STIX"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("[domain-name:value = 'a.example']", ["a.example"]),
        ("[domain-name:value IN ('a.example', 'b.example')]", ["a.example", "b.example"]),
        ("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", ["198.51.100.0/24"]),
        (
            "([url:value='http://a.example/'] OR [url:value='http://b.example/'])",
            ["http://a.example/", "http://b.example/"],
        ),
        ("[(url:value = 'it\\'s' OR url:value = 'b')]", ["it's", "b"]),
        ("[network-traffic:dst_ref.value = '198.51.100.7']", ["198.51.100.7"]),
    ],
)
def test_a_pattern_of_equalities_is_read(pattern: str, found: list[str]) -> None:
    assert [text for _, text in comparisons(pattern)] == found


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("[domain-name:value LIKE '%.example']", "LIKE"),
        ("[domain-name:value MATCHES '.*']", "MATCHES"),
        ("[domain-name:value != 'a.example']", "!="),
        ("[NOT domain-name:value = 'a.example']", "NOT"),
        ("[domain-name:value NOT = 'a.example']", "NOT"),
        ("[domain-name:value = 'a' AND url:value = 'b']", "AND"),
        ("[url:value = 'a'] FOLLOWEDBY [url:value = 'b']", "FOLLOWEDBY"),
        ("[url:value = 'a'] WITHIN 5 SECONDS", "WITHIN"),
        ("[process:name = 'a']", "not matched"),
        ("[url:value = 'a'", "cannot be read"),
        ("[url:value = 'a' 'b']", "cannot be read"),
        ("[url:value = 5]", "cannot be read"),
        ("[[url:value = 'a']]", "cannot be read"),
        ("([url:value = 'a']", "cannot be read"),
        ("[url:value IN ('a' 'b')]", "cannot be read"),
        ("", "cannot be read"),
        ("(" * 70_000, "over 65536"),
    ],
)
def test_a_pattern_that_says_more_than_that_is_named(pattern: str, why: str) -> None:
    with pytest.raises(NotSimple, match=why):
        comparisons(pattern)

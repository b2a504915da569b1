"""Asking what feeds say: exactly what they say, no longer than they say it, never against the allow-list."""

from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sakimori_common.contracts import Event, FieldValue, Finding
from sakimori_common.instants import parse_instant
from sakimori_detector.domain.intelligence.documents import stock_of
from sakimori_detector.domain.intelligence.entries import DocumentRefused
from sakimori_detector.domain.intelligence.feeds import Feed
from sakimori_detector.domain.intelligence.keys import Keys, Texts
from sakimori_detector.domain.intelligence.stock import Stock
from sakimori_detector.domain.intelligence.table import Table
from sakimori_detector.domain.intelligence.values import Kind
from sakimori_detector.domain.loading import load
from sakimori_detector.offline import OfflineDetector

SHA256 = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"
NOON = parse_instant("2026-01-16T12:00:00Z")
DAY = 86_400_000_000
MANY = [f"{text}{number}" for number in range(40) for text in ("192.0.2.", "a.test", "http://a.test/", "x@a.test")]
RULE = """
title: Known to be bad
name: known_bad
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0050
status: stable
level: high
analytic:
  type: indicator
  datasets: [network.flow, network.dns, nginx.access]
  types: [ip, domain, url, hash, email]
  fields: [source.ip, destination.ip, dns.question.name, dns.answers.data, url.full, url.original, file.hash.sha256,
           email.from.address]
  min_confidence: 40
sakimori:
  entity: source.ip
  confidence: 0.3
  message: "{@indicator} of {@source}"
  details: {indicator: "@indicator", type: "@type", source: "@source", sources: "@sources", list: "@list"}
  why: Known to be bad.
  response: Block.
"""


def suffix(domain: str) -> bool:
    return domain in {"com", "example", "test", "co.uk", "pages.example"}


def stock(document: str, name: str = "one", seen_at: int = NOON, now: int = 0, **more: object) -> Stock:
    given = {"name": name, "url": "https://feeds.example/", "format": "plain", "confidence": 80, **more}
    return stock_of(Feed(**given), document.encode(), suffix, seen_at=seen_at, now=now)  # type: ignore[arg-type]


def table(document: str) -> Table:
    return Table([stock(document)])


def findings(stocks: Sequence[Stock], fields: dict[str, FieldValue], allowed: str = "") -> list[Finding]:
    loaded = load({"known_bad.yml": RULE}, {"lists/allowed.txt": allowed})
    assert loaded.problems == ()
    loaded.world.intelligence.table = Table(stocks)
    found = OfflineDetector(loaded.rules, loaded.world).feed([Event("0" * 32, NOON, "network.flow", fields)])
    return [each.finding for each in found]


@pytest.mark.parametrize(
    ("listed", "kind", "value"),
    [
        ("198.51.100.7", "ip", "198.51.100.7"),
        ("198.51.100.0/28", "ip", "198.51.100.15"),
        ("2001:db8::/32", "ip", "2001:DB8:ffff::1"),
        ("evil.example", "domain", "evil.example"),
        ("evil.example", "domain", "a.b.EVIL.example."),
        ("http://evil.example/a", "url", "https://EVIL.example:443/./%61#x"),
        (SHA256, "hash", SHA256.upper()),
        ("someone@evil.example", "email", "Someone@EVIL.example"),
    ],
)
def test_one_of_each_type_is_found_in_another_spelling(listed: str, kind: str, value: str) -> None:
    hit = table(listed).find(Kind(kind), value, NOON)
    assert hit is not None
    assert hit.kind == kind
    assert table(listed).known(Kind(kind), [value, "other"]) == {value}
    assert table(listed).known(Kind(kind), [*MANY, value]) == {value}


@pytest.mark.parametrize(
    ("listed", "kind", "value"),
    [
        ("198.51.100.7/32", "ip", "198.51.100.70"),
        ("198.51.100.70", "ip", "198.51.100.7"),
        ("198.51.100.0/28", "ip", "198.51.100.16"),
        ("evil.example", "domain", "notevil.example"),
        ("evil.example", "domain", "evil.example.test"),
        ("c2.evil.example", "domain", "evil.example"),
        ("c2.evil.example", "domain", "xc2.evil.example"),
        ("http://evil.example/a", "url", "http://evil.example/ab"),
        ("http://evil.example/a", "url", "http://evil.example/a?b"),
        ("http://evil.example/a", "url", "http://evil.example:8080/a"),
        ("http://evil.example/a", "url", "http://www.evil.example/a"),
        ("http://evil.example/a", "domain", "evil.example"),
        (SHA256, "hash", SHA256[:-1] + "0"),
        (SHA256, "hash", SHA256[:32]),
        ("someone@evil.example", "email", "one@evil.example"),
        ("evil.example", "domain", "a." * 30_000 + "evil.example"),
    ],
)
def test_a_near_miss_of_each_type_is_not_found(listed: str, kind: str, value: str) -> None:
    assert table(listed).find(Kind(kind), value, NOON) is None
    assert table(listed).known(Kind(kind), [value]) == set()
    assert table(listed).known(Kind(kind), [*MANY, value]) == set()


LABELS = st.sampled_from(["a", "b", "evil", "x-y", "www"])
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(lambda labels: ".".join([*labels, "example"]))


@settings(deadline=None)
@given(listed=st.lists(NAMES, max_size=8), asked=st.lists(NAMES, max_size=8))
def test_a_domain_is_found_exactly_if_it_or_a_parent_is_listed(listed: list[str], asked: list[str]) -> None:
    known = table("\n".join(listed)).known(Kind.DOMAIN, asked)
    many = [*asked, *(f"{number}.other.test" for number in range(100))]
    assert table("\n".join(listed)).known(Kind.DOMAIN, many) == known
    assert known == {name for name in asked if any(name == each or name.endswith(f".{each}") for each in listed)}


@settings(deadline=None)
@given(parts=st.lists(st.lists(st.text(max_size=3), max_size=20), max_size=3), asked=st.text(max_size=3))
@example(parts=[["", "a"], ["a", "a"]], asked="a")
def test_keys_find_every_text_and_no_other(parts: list[list[str]], asked: str) -> None:
    keys = Keys([Texts((text, (number, text)) for text in texts) for number, texts in enumerate(parts)])
    for text in [asked, *(text for texts in parts for text in texts)]:
        expected = [(number, text) for number, texts in enumerate(parts) for each in texts if each == text]
        assert sorted(keys.find(text)) == expected


def test_the_surest_source_speaks_first_and_all_are_named() -> None:
    stocks = [stock("evil.example", "weak", confidence=50), stock("c2.evil.example", "strong", confidence=90)]
    (finding,) = findings(stocks, {"source.ip": "192.0.2.1", "dns.question.name": "x.c2.evil.example"})
    assert finding.confidence == 0.9
    assert finding.details == {
        "indicator": "c2.evil.example", "type": "domain", "source": "strong", "sources": "strong, weak",
        "list": "feeds",
    }  # fmt: skip


def test_what_a_feed_is_too_unsure_of_does_not_count() -> None:
    assert findings([stock("198.51.100.7", confidence=39)], {"source.ip": "198.51.100.7"}) == []
    assert findings([stock("198.51.100.7", confidence=40)], {"source.ip": "198.51.100.7"})[0].confidence == 0.4


@pytest.mark.parametrize(
    "fields",
    [
        {"source.ip": "198.51.100.7"},
        {"destination.ip": "198.51.100.7"},
        {"dns.answers.data": ["cdn.example", None, 5, "198.51.100.7"]},
        {"url.full": "http://198.51.100.7/x"},
        {"dns.question.name": "www.evil.example"},
        {"url.full": "https://www.evil.example/login"},
        {"url.original": "http://bad.example/a/b?c=1"},
        {"url.original": "/a/b?c=1", "url.domain": "BAD.example"},
        {"file.hash.sha256": SHA256.upper()},
        {"email.from.address": "boss@bad.example"},
    ],
)
def test_indicators_are_found_in_every_field_that_may_hold_them(fields: dict[str, FieldValue]) -> None:
    given: dict[str, FieldValue] = {"source.ip": "192.0.2.1", **fields}
    known = stock(f"198.51.100.7\nevil.example\nhttp://bad.example/a/b?c=1\n{SHA256}\nboss@bad.example\n")
    assert len(findings([known], given)) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"url.original": "/a/b?c=1"},
        {"url.original": "/a/b?c=2", "url.domain": "bad.example"},
        {"url.original": "/a/b?c=1", "url.domain": ["bad.example"]},
        {"destination.ip": 5, "dns.question.name": True, "url.full": ["x", 3]},
        {"dns.question.name": "", "destination.ip": "", "file.hash.sha256": "", "url.full": "://"},
    ],
)
def test_fields_of_odd_types_and_paths_of_other_hosts_are_no_hit(fields: dict[str, FieldValue]) -> None:
    known = stock("http://bad.example/a/b?c=1\n198.51.100.7")
    assert findings([known], {"source.ip": "192.0.2.1", **fields}) == []


@pytest.mark.parametrize(
    ("listed", "allowed", "fields"),
    [
        ("198.51.100.0/24", "198.51.100.7", {"source.ip": "198.51.100.7"}),
        ("198.51.100.7", "198.51.100.0/24", {"source.ip": "198.51.100.7"}),
        ("files.partner.example", "partner.example", {"dns.question.name": "x.files.partner.example"}),
        ("http://partner.example/a", "partner.example", {"url.full": "http://partner.example/a"}),
        ("http://partner.example/a", "https://partner.example/a", {"url.full": "http://partner.example/a"}),
        ("someone@partner.example", "partner.example", {"email.from.address": "someone@partner.example"}),
        (SHA256, SHA256.upper(), {"file.hash.sha256": SHA256}),
    ],
)
def test_the_allow_list_wins_over_every_feed(listed: str, allowed: str, fields: dict[str, FieldValue]) -> None:
    given: dict[str, FieldValue] = {"source.ip": "192.0.2.1", **fields}
    assert len(findings([stock(listed)], given)) == 1
    assert findings([stock(listed)], given, allowed) == []


def test_an_indicator_counts_until_it_expires_by_its_own_word_by_its_age_or_by_that_of_the_feed() -> None:
    columns = {"value": "ioc", "valid_until": "until", "last_seen": "seen"}
    csv = "ioc,until,seen\na.example,2026-01-18,\nb.example,,2026-01-10\nc.example,,\n"
    known = Table([stock(csv, format="csv", columns=columns, expires_after_seconds=7 * 86_400)])

    def live(at: str) -> list[str]:
        names = ("a.example", "b.example", "c.example")
        return [name for name in names if known.find(Kind.DOMAIN, name, parse_instant(at)) is not None]

    assert live("2026-01-16T13:00:00Z") == ["a.example", "b.example", "c.example"]
    assert live("2026-01-17T00:00:00Z") == ["a.example", "b.example", "c.example"]
    assert live("2026-01-17T00:00:01Z") == ["a.example", "c.example"]
    assert live("2026-01-18T00:00:01Z") == ["c.example"]
    assert live("2026-01-23T12:00:01Z") == []


def test_a_feed_that_confirms_its_document_prolongs_it_without_being_read_again() -> None:
    known = stock("evil.example", expires_after_seconds=86_400)
    tables = Table([known])
    assert tables.find(Kind.DOMAIN, "evil.example", NOON + DAY + 1) is None
    known.lease.renew(NOON + DAY)
    assert tables.find(Kind.DOMAIN, "evil.example", NOON + DAY + 1) is not None


def test_what_is_over_when_it_is_read_is_left_out_and_counted() -> None:
    document = "ioc,until\na.example,2026-01-10\nb.example,2026-02-10\n"
    columns = {"value": "ioc", "valid_until": "until"}
    known = stock(document, format="csv", columns=columns, now=NOON)
    assert known.counts()[Kind.DOMAIN] == 1
    assert known.skipped == {"expired": 1}


def test_no_feed_can_call_your_own_networks_resolvers_or_whole_domains_bad() -> None:
    document = (
        "10.0.0.0/8\n192.168.1.1\n127.0.0.1\n0.0.0.0/0\n172.16.0.0/11\n224.0.0.1\n::1\nfe80::1\n::/0\n"
        "8.8.8.8\n1.1.1.0/24\n2001:4860:4860::8888\n"
        "http://192.168.0.1/a\nhttp://evil.example/a\npages.example\nco.uk\nevil.pages.example\n"
        "d41d8cd98f00b204e9800998ecf8427e\n198.51.100.7\n"
    )
    known = stock(document)
    assert len(known) == 3
    assert known.skipped == {
        "refused: a private, loopback, multicast or reserved network": 10,
        "refused: a public resolver": 3,
        "refused: a whole top-level domain or public suffix": 2,
        "refused: the empty file": 1,
    }


def test_a_file_of_ones_own_may_name_anything() -> None:
    given = {"name": "own", "file": "a.txt", "format": "plain", "confidence": 100, "local": True}
    known = stock_of(Feed(**given), b"10.0.0.0/8\npages.example\n", suffix, seen_at=NOON)  # type: ignore[arg-type]
    assert len(known) == 2
    assert known.skipped == {}


@pytest.mark.parametrize(
    "document",
    [
        "<html>\n<head><title>Sign in</title></head>\n<body>\n<p>please</p>\n</body>\n</html>\n",
        '{"error": "no key"}\n' * 9,
    ],
)
def test_a_document_of_which_most_is_no_list_is_refused(document: str) -> None:
    with pytest.raises(DocumentRefused, match="not of this format"):
        stock(document)

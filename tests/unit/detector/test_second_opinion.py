"""The learned second opinion: what it says of texts, what it adds to findings, where it keeps quiet."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_common.contracts import Event, Finding
from sakimori_common.ids import event_id
from sakimori_common.instants import parse_instant
from sakimori_detector.adapters.models import shipped
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.loading import load
from sakimori_detector.domain.normalise import decode_request
from sakimori_detector.domain.opinion.asking import opinion_on, pooled
from sakimori_detector.domain.opinion.model import Model
from sakimori_detector.domain.opinion.ngrams import aligned, normalised
from sakimori_detector.domain.opinion.parts import suspicious_parts, values
from sakimori_detector.domain.rules import Rule
from sakimori_detector.offline import Latest, OfflineDetector

MODEL = shipped()
RULES = Path(__file__).resolve().parents[3] / "rules"
START = parse_instant("2026-01-16T03:00:00Z")

QUOTE_RULE = """
title: A quote
name: quoted
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0101
status: stable
level: high
logsource: {category: webserver}
detection:
  quote: {sakimori.request.decoded|re: "'.*"}
  condition: quote
sakimori:
  entity: source.ip
  confidence: 0.9
  message: quoted
  details: {opinion: "@opinion"}
  why: because
  response: look
"""
LEARNED = "web/learned_web_payload.yml"

TEXTS = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.sampled_from(["' or 1=1 -- ", "<img src=x onerror=alert(1)>", "a; cat /etc/passwd", "it's (fine)", ""]),
    ),
    min_size=1,
    max_size=12,
)


def rules(**files: str) -> tuple[Rule, ...]:
    loaded = load({f"web/{name}.yml": text for name, text in files.items()})
    assert loaded.problems == ()
    return loaded.rules


def learned() -> str:
    return (RULES / LEARNED).read_text("utf-8")


def request(target: str, second: int = 0, **fields: str) -> Event:
    time = START + second * 1_000_000
    names = {name.replace("__", "."): value for name, value in fields.items()}
    base = {"source.ip": f"198.51.100.{second % 250}", "url.original": target}
    return Event(event_id(time, target, str(second)), time, "nginx.access", {**base, **names})


def findings(*events: Event, model: Model | None = MODEL, **files: str) -> list[Finding]:
    loaded = load({f"web/{name}.yml": text for name, text in files.items()})
    assert loaded.problems == ()
    latest = Latest()
    latest.add(OfflineDetector(loaded.rules, replace(loaded.world, opinion=model)).feed(events))
    return latest.all()


@pytest.mark.parametrize(
    ("text", "attack"),
    [
        ("42' or 'a'='a' -- ", "sqli"),
        ("-1 union select name, password from members", "sqli"),
        ('"><svg onload=alert(1)>', "xss"),
        ("<script>alert(document.cookie)</script>", "xss"),
        ("127.0.0.1; cat /etc/passwd", "cmdi"),
        ("{{7*7}} ${7*7} <%= 7*7 %>", "cmdi"),
        ("../../../../etc/passwd", "path-traversal"),
        ("..\\..\\..\\windows\\win.ini", "path-traversal"),
    ],
)
def test_attacks_are_likely_ones_of_their_class(text: str, attack: str) -> None:
    (opinion,) = MODEL.opinions([text])
    assert opinion.probability > 0.9
    assert opinion.attack == attack


@pytest.mark.parametrize(
    "text",
    [
        "I can't come to the union meeting; could you select a date (or two) for me?",
        "O'Reilly & Sons, 12-14 King's Road",
        '12" or 16" pizza, half price!',
        '{"name": "Ann", "tags": ["a", "b"], "price": 3}',
        "I <3 this song :) it's the best",
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "c'est l'été; on n'a qu'à dormir",
    ],
)
def test_ordinary_texts_are_unlikely_attacks(text: str) -> None:
    (opinion,) = MODEL.opinions([text])
    assert opinion.probability < 0.3


def test_the_excerpts_show_the_part_that_is_an_attack() -> None:
    text = "a lovely blue lamp for the table' or 1=1 -- "
    (opinion,) = MODEL.opinions([text])
    excerpts = MODEL.excerpts(text, opinion.attack)
    assert "' or 1=1 --" in excerpts[0].text
    assert excerpts[0].share > 0.5
    assert "lovely" not in "".join(excerpt.text for excerpt in excerpts)


def test_excerpts_are_pieces_of_the_text_as_it_was_written() -> None:
    text = "Ｌiebe Grüße  AAAAAAAA 12345 <ScRiPt>alert(9)</ScRiPt>"
    for excerpt in MODEL.excerpts(text, "xss"):
        assert excerpt.text in text


@given(TEXTS)
def test_an_opinion_does_not_depend_on_the_batch(texts: list[str]) -> None:
    together = MODEL.opinions(texts)
    assert together == [MODEL.opinions([text])[0] for text in texts]
    assert together[::-1] == MODEL.opinions(texts[::-1])


def test_more_texts_than_fit_a_batch_are_all_judged() -> None:
    texts = [f"item {number}' or {number}={number}" for number in range(600)]
    assert MODEL.opinions(texts) == [MODEL.opinions([text])[0] for text in texts]


def test_no_texts_are_no_opinions() -> None:
    assert MODEL.opinions([]) == []


def test_a_text_of_a_megabyte_is_read_to_its_bound() -> None:
    (opinion,) = MODEL.opinions(["a " * 500_000 + "' or 1=1 -- "])
    assert opinion.probability < 0.5


@given(st.text(max_size=200))
def test_any_text_is_written_in_few_characters_and_aligned_with_them(text: str) -> None:
    plain, places = aligned(text)
    assert plain == normalised(text)
    assert len(places) == len(plain) + 1
    assert places == sorted(places)
    assert all(32 <= byte <= 127 for byte in plain)


def test_case_numbers_padding_and_white_space_make_no_difference() -> None:
    assert normalised("UNION\t SELECT 1234567 AAAAAAAAAA") == normalised("union select 8 aaaa")


def test_surrogates_and_zero_bytes_are_texts_like_others() -> None:
    assert len(MODEL.opinions(["\ud800' or 1=1", "\0\0", "\x7f", "💥"])) == 4


def test_a_request_without_telling_characters_is_not_asked_about() -> None:
    assert suspicious_parts({"url.original": "/shop/lamps?page=2&sort=price&q=blue+lamp"}) == []
    assert suspicious_parts({"url.original": "/", "user_agent.original": "Mozilla/5.0 (X11; Linux)"}) == []


def test_beside_the_target_as_it_was_sent_path_and_query_are_not_looked_at() -> None:
    parted = {"url.path": "/shop", "url.query": "q=o%27hara"}
    assert suspicious_parts(parted) == ["o'hara"]
    assert suspicious_parts({"url.original": "/shop?q=lamp", **parted}) == []


def test_only_the_value_with_them_is_asked_about() -> None:
    assert suspicious_parts({"url.original": "/shop?page=2&q=o%27hara"}) == ["o'hara"]


@given(st.text(alphabet="ab1=&?/.+-~:,@;%27'(é[", max_size=24), st.text(alphabet="ab1=&?/.+-%3d", max_size=12))
def test_no_value_is_passed_over_for_how_it_looks_raw(target: str, body: str) -> None:
    fields = {"url.original": target, "http.request.body.content": body}
    assert set(suspicious_parts(fields)) >= set(values(decode_request({"url.original": target}).split("\n")))
    assert set(suspicious_parts(fields)) <= set(values(decode_request(fields).split("\n")))
    assert set(suspicious_parts({"http.request.body.content": body})) == set(
        values(decode_request({"http.request.body.content": body}).split("\n"))
    )


@pytest.mark.parametrize("piece", ["/", "?", "=", "&", "a=", "&a=", "/?", "..", "+", "'", "%27"])
def test_a_long_raw_value_takes_no_longer_than_its_length(piece: str) -> None:
    assert len(suspicious_parts({"url.original": "/" + piece * 100_000})) <= 64


def test_a_client_cannot_have_thousands_of_parameters_judged() -> None:
    target = "/?" + "&".join(f"p{number}=%27{number}" for number in range(1000))
    assert len(suspicious_parts({"url.original": target})) == 64


def test_nor_megabytes_of_them() -> None:
    target = "/?" + "&".join(f"p{number}='{'ab' * 600}" for number in range(6))
    asked = suspicious_parts({"url.original": target, "http.request.body.content": target, "url.query": target})
    assert sum(map(len, asked)) <= 9216
    assert max(map(len, asked)) == 1024


def test_a_rules_finding_shows_the_opinion_and_takes_it_into_its_confidence() -> None:
    (finding,) = findings(request("/item?id=7%27%20or%201%3D1%20--%20"), quoted=QUOTE_RULE)
    opinion = finding.details["opinion"]
    assert opinion["class"] == "sqli"
    assert opinion["probability"] > 0.9
    assert "or 1=1" in opinion["ngrams"][0]["text"]
    assert opinion["model"] == MODEL.version
    assert finding.confidence > 0.9


def test_an_opinion_against_lowers_the_confidence_and_leaves_the_severity() -> None:
    (finding,) = findings(request("/people?name=Mary%20O%27Brien"), quoted=QUOTE_RULE)
    assert finding.details["opinion"]["probability"] < 0.3
    assert 0.7 < finding.confidence < 0.9
    assert finding.severity == "high"


def test_without_a_model_the_rule_finds_as_ever() -> None:
    (finding,) = findings(request("/item?id=7%27%20or%201%3D1"), model=None, quoted=QUOTE_RULE)
    assert finding.details["opinion"] is None
    assert finding.confidence == 0.9


def test_a_rule_that_does_not_show_the_opinion_keeps_its_confidence() -> None:
    text = QUOTE_RULE.replace('{opinion: "@opinion"}', "{ip: source.ip}")
    (finding,) = findings(request("/item?id=7%27%20or%201%3D1"), quoted=text)
    assert finding.confidence == 0.9


@pytest.mark.parametrize(
    ("confidence", "probability", "expected"),
    [(0.9, 0.5, 0.9), (0.9, 0.999999, 0.9607), (0.9, 0.000001, 0.768), (0.5, 0.9, 0.634), (1.0, 0.01, 1.0), (0, 1, 0)],
)
def test_confidence_and_opinion_combine_in_log_odds(confidence: float, probability: float, expected: float) -> None:
    assert pooled(confidence, probability) == pytest.approx(expected, abs=0.0005)


def test_alone_it_is_a_finding_of_its_own_rule_never_above_medium() -> None:
    (finding,) = findings(request("/item?id=7%27%20or%20length(version())%3E3%20--%20"), learned_web_payload=learned())
    assert finding.rule_id == "learned_web_payload"
    assert finding.severity in {"info", "low", "medium"}
    assert finding.details["class"] == "sqli"


def test_a_rule_of_it_above_medium_is_refused() -> None:
    loaded = load({LEARNED: learned().replace("level: low", "level: high")})
    assert loaded.rules == ()
    assert "at most medium" in loaded.problems[0].why


def test_it_says_nothing_where_a_rule_for_single_requests_has_spoken() -> None:
    attack = request("/item?id=7%27%20or%20length(version())%3E3%20--%20")
    found = findings(attack, quoted=QUOTE_RULE, learned_web_payload=learned())
    assert [finding.rule_id for finding in found] == ["quoted"]


def test_alone_without_a_model_it_is_silent() -> None:
    assert findings(request("/?q=%27%20or%201%3D1%20--%20"), model=None, learned_web_payload=learned()) == []


def fixed_model(threshold: float) -> Model:
    """Knows one thing: an exclamation mark, and that is as likely an attack as not."""
    weights = np.zeros((1, 1 << 16), np.int16)
    return Model("test", ("sqli",), weights, 1.0, (0.0,), 1.0, 0.0, (threshold,))


def test_at_the_threshold_it_speaks_and_just_below_it_does_not() -> None:
    event = request("/?q=wow%21")
    assert len(findings(event, model=fixed_model(0.5), learned_web_payload=learned())) == 1
    assert findings(event, model=fixed_model(0.5000001), learned_web_payload=learned()) == []


def test_the_rule_may_have_a_threshold_of_its_own() -> None:
    text = learned().replace("type: payload_opinion", "type: payload_opinion\n  threshold: 0.6")
    assert findings(request("/?q=wow%21"), model=fixed_model(0.5), learned_web_payload=text) == []


def test_findings_are_the_same_whatever_the_batches() -> None:
    targets = [
        "/?q=%27or%20length(version())%3E3--%20",
        "/?q=hello",
        "/?q=%3Cxyz%20onpointermove%3Dalert(1)%3E",
        "/?q=o%27x",
    ]
    events = [request(targets[number % 4], second=number) for number in range(40)]

    def run(size: int) -> list[tuple[str, float, dict[str, Any]]]:
        loaded = load({"web/quoted.yml": QUOTE_RULE, LEARNED: learned()})
        detector = OfflineDetector(loaded.rules, replace(loaded.world, opinion=MODEL))
        latest = Latest()
        for start in range(0, len(events), size):
            latest.add(detector.feed(events[start : start + size]))
        return sorted((finding.id, finding.confidence, finding.details) for finding in latest.all())

    assert run(1) == run(7) == run(40)
    assert len(run(40)) >= 20


def test_an_opinion_is_about_the_value_in_which_the_rule_matched() -> None:
    fields = {"url.original": "/item?note=it%27s%20fine&id=7%27%20or%201%3D1--%20"}
    assert opinion_on(MODEL, fields, "note=it's fine", 0.9)["opinion"]["probability"] < 0.5
    assert opinion_on(MODEL, fields, "id=7' or 1=1-- ", 0.9)["opinion"]["probability"] > 0.9
    assert opinion_on(MODEL, fields, "sqlmap", 0.9) == {}
    assert opinion_on(MODEL, fields, "", 0.9) == {}


def test_a_value_that_comes_again_is_judged_as_the_first_time_however_many_came_between() -> None:
    loaded = load({LEARNED: learned()})
    engine = Engine(loaded.rules, replace(loaded.world, opinion=MODEL))
    attack = request("/?q=%27or%20length(version())%3E3--%20")
    others = [request(f"/?q=it%27s%20{number}") for number in range(5000)]
    first = engine.evaluate([attack])
    assert len(first.groups) == 1
    assert engine.evaluate([attack]) == first
    for start in range(0, len(others), 500):
        assert engine.evaluate(others[start : start + 500]).groups == []
    assert engine.evaluate([others[0], attack]) == first


def test_another_model_has_its_own_opinion_of_a_request_that_one_has_judged() -> None:
    fields = {"url.original": "/item?id=7%27%20or%201%3D1--%20"}
    assert opinion_on(MODEL, fields, "id=7' or 1=1-- ", 0.9)["opinion"]["probability"] > 0.9
    assert opinion_on(fixed_model(0.9), fields, "id=7' or 1=1-- ", 0.9)["opinion"]["probability"] == 0.5

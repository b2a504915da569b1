"""What the web rules find, and what they take for an attack wrongly, over labelled data.

    python -m bench.evaluate_payloads [--data DIR] [--rules DIR] [--missed LABEL]

DIR is the development data (`../shared/data` or SAKIMORI_DATA). Each payload becomes the request `/search?q=<payload>`
in an event, which the live engine evaluates. A payload that its source has percent-encoded is sent as it is, any other
is percent-encoded. Only rules that need a single request count: rates, lists and hours say nothing about a payload.
Prints Markdown. `--missed sqli` lists what no rule found instead, for whoever works on the rules.

"Per offender": one address sends 20 payloads of one class and source, and counts as found when a rule fires once. The
places say what changes when a payload comes as part of the path, in a form, in JSON, in a cookie or as a user agent.
The texts of tests/unit/detector/web_texts are the project's own: attacks by class, and texts spelled like attacks.
"""

import csv
import io
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from bench.development_data import REPOSITORY, data_options, is_there
from sakimori_collector.domain.formats import AUTO, Reference
from sakimori_collector.offline import parse_stream
from sakimori_common.contracts import Event
from sakimori_common.ids import event_id
from sakimori_detector.domain.rules import EventRule
from sakimori_detector.offline import OfflineDetector, load_folder

OWN_RULES = {
    "sqli": {"sql_injection", "sql_fragment"},
    "xss": {"cross_site_scripting"},
    "path-traversal": {"path_traversal", "file_inclusion"},
    "cmdi": {"command_injection", "code_injection", "template_injection", "known_exploit_path"},
    "crlf": {"header_injection"},
    "ldapi": {"ldap_injection"},
    "nosqli": {"nosql_injection"},
    "open-redirect": {"open_redirect", "server_side_request_forgery"},
    "ssi": {"command_injection"},
    "ssti": {"template_injection"},
}
"""The rules that name the class right: the lists of commands hold templates, those of files wrappers."""
OFFENDER_PAYLOADS = 20
OWN_TEXTS = Path("tests", "unit", "detector", "web_texts")
PLACES: dict[str, Callable[[str], dict[str, str]]] = {
    "query": lambda text: {"url.original": as_target(text)},
    "path": lambda text: {"url.original": "/files/" + quote(text, safe="/")},
    "form": lambda text: {"url.original": "/post", "http.request.body.content": "q=" + quote(text, safe="")},
    "JSON": lambda text: {"url.original": "/api", "http.request.body.content": json.dumps({"q": text})},
    "cookie": lambda text: {"url.original": "/", "http.request.headers.cookie": "lang=en; q=" + quote(text, safe="")},
    "user agent": lambda text: {"url.original": "/", "user_agent.original": text},
}
"""Where a payload can stand."""
BENIGN = "norm"
BENIGN_TEXTS = "benign"
BATCH = 500
START = 1_768_528_800_000_000
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
_ENCODED = re.compile(r"%(?:[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|%[0-9a-fA-F]{2})")
_NOT_ENCODED = re.compile(r"[ \"'<>]")


class Text(NamedTuple):
    """One value to send, with what its source says about it."""

    label: str
    source: str
    value: str


@dataclass(slots=True)
class Tally:
    """Of the texts of one kind: how many, found by any rule, by the rule of the class, by one above low."""

    total: int = 0
    found: int = 0
    own: int = 0
    serious: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)


class Judge:
    """Asks the engine which rules a request meets; every request has an address of its own to tell findings apart."""

    def __init__(self, rules: Path) -> None:
        loaded = load_folder(rules, "UTC")
        chosen = [rule for rule in loaded.rules if isinstance(rule, EventRule) and "nginx.access" in rule.datasets]
        self.severities = {rule.id: str(rule.severity) for rule in chosen}
        self._rules, self._world = chosen, loaded.world

    def verdicts(self, events: Sequence[Event]) -> list[set[str]]:
        """List the ids of the rules that each event meets."""
        met: dict[str, set[str]] = defaultdict(set)
        detector = OfflineDetector(self._rules, self._world)
        for start in range(0, len(events), BATCH):
            for found in detector.feed(events[start : start + BATCH]):
                met[found.finding.entity].add(found.finding.rule_id)
        return [met[str(event.fields["source.ip"])] for event in events]


def placed(number: int, fields: dict[str, str]) -> Event:
    """Make the event of a request whose payload stands where a place says."""
    return request(number, fields["url.original"], **fields)


def request(number: int, target: str, **fields: str) -> Event:
    """Make the event of a request; number becomes its address."""
    time = START + number * 1_000
    address = f"2001:db8::{number >> 16:x}:{number & 0xFFFF:x}"
    base = {"source.ip": address, "http.request.method": "GET", "url.original": target, "user_agent.original": AGENT}
    return Event(event_id(time, "payload", str(number)), time, "nginx.access", {**base, **fields})


def is_encoded(payload: str) -> bool:
    """Say whether the source has the payload percent-encoded, so that it can be sent as it is."""
    return bool(_ENCODED.search(payload)) and not _NOT_ENCODED.search(payload)


def as_target(payload: str) -> str:
    """Write the request target that carries a payload."""
    return "/search?q=" + (payload if is_encoded(payload) else quote(payload, safe=""))


def payloads(data: Path) -> list[Text]:
    """Read http_payloads/payloads.csv."""
    with (data / "http_payloads" / "payloads.csv").open(encoding="utf-8", newline="") as file:
        return [Text(row["label"], row["source"], row["payload"]) for row in csv.DictReader(file)]


def chat_texts(data: Path) -> list[Text]:
    """Read chat/chat.csv: rude or not, none of it is an attack on a web server (spam with a script element aside)."""
    with (data / "chat" / "chat.csv").open(encoding="utf-8", newline="") as file:
        return [Text(BENIGN, f"chat {row['source']}", row["text"]) for row in csv.DictReader(file)]


def access_events(data: Path) -> list[Event]:
    """Read the real access log, each line as a client of its own."""
    content = (data / "logs" / "web" / "elastic_apache_combined.log").read_bytes()
    parsed = parse_stream(io.BytesIO(content), "access.log", "apache.access", Reference(START))
    events = [event for events, _ in parsed for event in events]
    return [
        Event(event.id, event.time, event.dataset, {**event.fields, "source.ip": f"2001:db8:1::{number:x}"})
        for number, event in enumerate(events)
    ]


def tallies(judge: Judge, texts: Sequence[Text], send: Callable[[str], str]) -> dict[tuple[str, str], Tally]:
    """Send texts and count by label and source."""
    verdicts = judge.verdicts([request(number, send(text.value)) for number, text in enumerate(texts)])
    counted: dict[tuple[str, str], Tally] = defaultdict(Tally)
    for text, met in zip(texts, verdicts, strict=True):
        tally = counted[text.label, text.source]
        count(tally, met, OWN_RULES.get(text.label, set()), judge)
        if not met:
            tally.missed.append(text.value)
    return counted


def count(tally: Tally, met: set[str], own: set[str], judge: Judge) -> None:
    """Add one verdict."""
    tally.total += 1
    tally.found += bool(met)
    tally.own += bool(met & own)
    tally.serious += any(judge.severities[rule] != "low" for rule in met)
    tally.rules.update(met)


def crs_rows(data: Path, judge: Judge, expected: str) -> Iterator[list[str]]:
    """Judge the whole requests of the Core Rule Set's tests that must (`match`) or must not match a rule, by family."""
    events: list[Event] = []
    families: list[str] = []
    with (data / "http_payloads" / "crs_requests.jsonl").open(encoding="utf-8") as file:
        for number, line in enumerate(file):
            case = json.loads(line)
            if case["expect"] == expected and case["uri"]:
                families.append(case["family"])
                events.append(request(number, case["uri"], **_rest_of(case)))
    counted = defaultdict[str, Tally](Tally)
    for family, met in zip(families, judge.verdicts(events), strict=True):
        count(counted[family], met, set(), judge)
    for family, tally in sorted(counted.items()):
        yield [family, str(tally.total), share(tally.found, tally.total)]


def _rest_of(case: dict[str, object]) -> dict[str, str]:
    """Take what an event knows of a request besides its target: two headers, the cookie and the body."""
    headers = case["headers"] if isinstance(case["headers"], dict) else {}
    lowered = {str(name).lower(): str(value) for name, value in headers.items()}
    rest = {
        "user_agent.original": lowered.get("user-agent", ""),
        "http.request.referrer": lowered.get("referer", ""),
        "http.request.headers.cookie": lowered.get("cookie", ""),
        "http.request.body.content": str(case["data"] or ""),
    }
    return {name: value for name, value in rest.items() if value}


def place_rows(texts: Sequence[Text], judge: Judge) -> Iterator[list[str]]:
    """Judge every third payload of each class in each place; a row for each class."""
    found: dict[str, list[str]] = defaultdict(list)
    some = texts[::3]
    for place in PLACES.values():
        verdicts = judge.verdicts([placed(number, place(text.value)) for number, text in enumerate(some)])
        for label in sorted({text.label for text in some}):
            met = [bool(met) for text, met in zip(some, verdicts, strict=True) if text.label == label]
            found[label].append(share(sum(met), len(met)))
    for label, shares in found.items():
        yield [label, *shares]


def offender_rows(texts: Sequence[Text], judge: Judge) -> Iterator[list[str]]:
    """Let offenders send 20 payloads of one class and source each; a row for each class and source."""
    kinds: dict[tuple[str, str], list[str]] = defaultdict(list)
    for text in texts:
        kinds[text.label, text.source].append(text.value)
    for (label, source), values in sorted(kinds.items()):
        if label == BENIGN or len(values) < OFFENDER_PAYLOADS:
            continue
        steps = len(values) // OFFENDER_PAYLOADS
        verdicts = judge.verdicts([request(number, as_target(value)) for number, value in enumerate(values)])
        offenders = [set().union(*verdicts[number::steps]) for number in range(steps)]
        own = sum(bool(met & OWN_RULES[label]) for met in offenders)
        rates = share(sum(map(bool, offenders)), steps), share(own, steps)
        yield [f"{label}, {source}", str(steps), *rates]


def own_texts(folder: Path, kind: str) -> list[Text]:
    """Read the project's own texts: `%% class` heads a section, a line is a text, `⏎` a line break in it."""
    texts, section = [], ""
    for path in sorted(folder.glob(f"{kind}*.txt")):
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("%% "):
                section = line[3:]
            elif line:
                texts.append(Text(section, path.stem, line.replace("⏎", "\n")))
    return texts


def own_rows(folder: Path, judge: Judge) -> Iterator[list[str]]:
    """Judge the project's own texts, a row for each section."""
    for kind in ("attack", BENIGN_TEXTS):
        texts = own_texts(folder, kind)
        for (section, file), tally in sorted(tallies(judge, texts, as_target).items()):
            yield [f"{file}: {section}", str(tally.total), share(tally.found, tally.total)]


def log_rows(data: Path) -> Iterator[list[str]]:
    """Count what the formats that exist make of log files; fail2ban's cases are told apart by their service."""
    logs = data / "logs"
    yield read_row("real access log", (logs / "web" / "elastic_apache_combined.log").read_bytes())
    cases = [json.loads(line) for line in (logs / "fail2ban" / "fail2ban.jsonl").read_text("utf-8").splitlines()]
    for name, is_meant in (("sshd", True), ("all other services", False)):
        lines = [str(case["line"]) for case in cases if (case["filter"] == "sshd") is is_meant]
        yield read_row(f"fail2ban's cases: {name}", "\n".join(lines).encode())
    files = [path for path in sorted((logs / "crowdsec").rglob("*")) if path.suffix == ".log"]
    yield read_row("crowdsec's log files, all services", b"\n".join(path.read_bytes() for path in files))


def read_row(name: str, content: bytes) -> list[str]:
    """Parse a log, each line by the format that recognises it."""
    refused = [refusal is not None for _, refusal in parse_stream(io.BytesIO(content), name, AUTO, Reference(START))]
    return [name, str(len(refused)), str(refused.count(False)), str(refused.count(True))]


def share(part: int, whole: int) -> str:
    """Write a ratio in per cent."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a Markdown table, the first column to the left."""
    print("| " + " | ".join(head) + " |")
    print("|---" + "|---:" * (len(head) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def attack_rows(counted: dict[tuple[str, str], Tally]) -> Iterator[list[str]]:
    """Write a row for each class and source."""
    for (label, source), tally in sorted(counted.items()):
        if label != BENIGN:
            own = share(tally.own, tally.total) if label in OWN_RULES else "-"
            shares = share(tally.found, tally.total), own, share(tally.serious, tally.total)
            yield [f"{label}, {source}", str(tally.total), *shares]


def benign_rows(data: Path, counted: dict[tuple[str, str], Tally], judge: Judge) -> Iterator[list[str]]:
    """Write a row for each set without attacks: payloads labelled benign, chat texts as values, a real access log."""
    everything = {**counted, **tallies(judge, chat_texts(data), as_target)}
    log = everything[BENIGN, "real access log, 3,000 lines of 2015"] = Tally()
    for met in judge.verdicts(access_events(data)):
        count(log, met, set(), judge)
    for (label, source), tally in sorted(everything.items()):
        if label == BENIGN:
            rules = ", ".join(f"{rule} {times}" for rule, times in tally.rules.most_common()) or "-"
            yield [source, str(tally.total), str(tally.found), share(tally.found, tally.total), rules]


def report(data: Path, judge: Judge, counted: dict[tuple[str, str], Tally]) -> None:
    """Print all tables."""
    texts = payloads(data)
    print("### Attacks found\n")
    table(("class, source", "payloads", "found", "as their class", "above low"), attack_rows(counted))
    print("### Requests of the Core Rule Set's tests that its own rules must match\n")
    table(("family", "requests", "found"), crs_rows(data, judge, "match"))
    print("### Requests of these tests that one of its rules must leave alone (some are attacks for another rule)\n")
    table(("family", "requests", "alarms"), crs_rows(data, judge, "no_match"))
    print("### Per offender: 20 payloads of one class from one address\n")
    table(("class, source", "offenders", "found", "as their class"), offender_rows(texts, judge))
    print("### By place, every third payload\n")
    table(("class", *PLACES), place_rows(texts, judge))
    print("### The project's own texts\n")
    table(("texts", "number", "met by a rule"), own_rows(REPOSITORY / OWN_TEXTS, judge))
    print("### False alarms\n")
    table(("set", "texts", "alarms", "rate", "by rule"), benign_rows(data, counted, judge))
    print("### Log lines read (format recognised by itself)\n")
    table(("log", "lines", "parsed", "rejected"), log_rows(data))


def main() -> int:
    """Judge everything and print; 2 when the data is not there."""
    parser = data_options(__doc__)
    parser.add_argument("--rules", type=Path, default=REPOSITORY / "rules", help="default: %(default)s")
    parser.add_argument("--missed", metavar="LABEL", help="list the payloads of a class that no rule found")
    options = parser.parse_args()
    if not is_there(options.data, "http_payloads"):
        return 2
    judge = Judge(options.rules)
    counted = tallies(judge, payloads(options.data), as_target)
    if options.missed is None:
        report(options.data, judge, counted)
        return 0
    for (label, source), tally in sorted(counted.items()):
        for value in tally.missed if label == options.missed else ():
            print(f"{source}\t{value!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

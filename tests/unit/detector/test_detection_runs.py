"""Whole runs in memory: batch boundaries, findings that explain themselves, cases, policy, the offline way."""

import json
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import detector_rules
from sakimori.commands.detect import detect as detect_command
from sakimori_common.contracts import DecisionAction, Event, Finding
from sakimori_common.instants import parse_instant
from sakimori_detector.domain.cases import CaseError, events_of
from sakimori_detector.domain.intelligence.allowed import AllowList
from sakimori_detector.domain.intelligence.entries import Entry
from sakimori_detector.domain.intelligence.values import Kind
from sakimori_detector.domain.loading import load
from sakimori_detector.domain.policy import decision_of, is_allowed
from sakimori_detector.domain.rules import Case, Measure
from sakimori_detector.offline import Latest, OfflineDetector, load_folder, play
from sakimori_detector.sigma.windows import Outcome

S = 1_000_000
START = parse_instant("2026-01-16T02:00:00Z")
LOADED = load(detector_rules.ALL, detector_rules.LISTS)


def findings_of(events: Sequence[Event], cuts: Sequence[int]) -> list[Finding]:
    detector, latest = OfflineDetector(LOADED.rules, LOADED.world), Latest()
    start = 0
    for end in [*cuts, len(events)]:
        if events[start:end]:
            latest.add(detector.feed(events[start:end]))
        start = max(start, end)
    return latest.all()


def event(number: int, seconds: int, kind: int) -> Event:
    time, address = START + seconds * S, f"203.0.113.{kind % 2}"
    fields: dict[str, str] = {"source.ip": address}
    dataset = "openssh.auth"
    if kind < 4:
        fields |= {"event.action": "ssh_login", "event.outcome": "failure", "user.name": f"user{kind % 2}"}
    elif kind < 6:
        dataset, fields["url.original"] = "nginx.access", "/?q=union+select" if kind == 4 else "/"
    else:
        dataset = "chat.security" if kind == 6 else "chat.message"
        action = "security.user_blocked" if kind == 6 else "chat.message_posted"
        fields = {"event.action": action, "user.id": f"u{number % 5}", "client.fingerprint": "fp"}
    return Event(f"event-{number}", time, dataset, dict(fields))


@given(
    kinds=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 40)), max_size=80),
    cuts=st.lists(st.integers(0, 80), max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_batch_boundaries_do_not_change_the_findings(kinds: list[tuple[int, int]], cuts: list[int]) -> None:
    times = accumulate(gap for _, gap in kinds)
    events = [event(number, time, kind) for number, ((kind, _), time) in enumerate(zip(kinds, times, strict=True))]
    by_id = {finding.id: finding for finding in findings_of(events, [])}
    cut = {finding.id: finding for finding in findings_of(events, sorted(cuts))}
    one_by_one = {finding.id: finding for finding in findings_of(events, range(1, len(events)))}
    assert _told(cut) == _told(by_id) == _told(one_by_one)


def _told(findings: dict[str, Finding]) -> dict[str, tuple[object, ...]]:
    return {
        identity: (
            finding.first_seen_at,
            finding.last_seen_at,
            finding.count,
            finding.evidence,
            finding.details,
            finding.message,
        )
        for identity, finding in findings.items()
    }


def test_a_finding_says_what_matched_raw_and_decoded() -> None:
    fields = {"source.ip": "203.0.113.9", "url.path": "/shop", "url.original": "/shop?id=1%20UNION%20SELECT%20x\0"}
    (finding,) = findings_of([Event("e", START, "nginx.access", dict(fields))], [])
    assert finding.message == "SQL injection from 203.0.113.9 on /shop: UNION SELECT"
    assert finding.details == {"attack_type": "sql_injection", "pattern_matched": r"\bunion\b.*\bselect\b"}
    assert finding.evidence.matched == {"sakimori.request.decoded": "UNION SELECT"}
    assert finding.evidence.fields["url.original"] == "/shop?id=1%20UNION%20SELECT%20x\ufffd"
    assert "UNION SELECT" in str(finding.evidence.fields["sakimori.request.decoded"])
    assert (finding.evidence.threshold, finding.evidence.window_seconds) == (1, None)


def test_an_event_without_the_entity_is_still_a_finding() -> None:
    (finding,) = findings_of([Event("e", START, "nginx.access", {"url.original": "/?q=union+select"})], [])
    assert finding.entity == "unknown"


def test_every_case_of_a_rule_can_be_played() -> None:
    rule = next(rule for rule in LOADED.rules if rule.id == "brute_force_attack")
    assert [play(rule, case, LOADED.world).why for case in rule.cases] == ["", ""]


def test_a_case_that_goes_wrong_says_how() -> None:
    rule = next(rule for rule in LOADED.rules if rule.id == "brute_force_attack")
    fifth, spread = rule.cases
    assert play(rule, Case("x", True, spread.events), LOADED.world).why == "should fire, did not"
    assert play(rule, Case("x", False, fifth.events), LOADED.world).why == "should not fire, 1 finding"
    assert play(rule, Case("x", True, fifth.events, count=2), LOADED.world).why == "1 findings instead of 2"
    assert "event 1: @timestamp is missing" in play(rule, Case("x", True, [{}]), LOADED.world).why


def test_repeat_counts_up_in_time_and_in_placeholders() -> None:
    written = {
        "@timestamp": "2026-01-16T02:00:00Z",
        "event.dataset": "d",
        "a": "{n}",
        "repeat": 3,
        "every_seconds": 0.5,
    }
    events = events_of(Case("c", True, [written]))
    assert [(event.time - START, event.fields["a"]) for event in events] == [(0, "0"), (S // 2, "1"), (S, "2")]
    assert len({event.id for event in events}) == 3


@pytest.mark.parametrize("wrong", [{"repeat": 0}, {"repeat": "x"}, {"repeat": 10**9}, {"every_seconds": -1}])
def test_an_impossible_repeat_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(CaseError):
        events_of(Case("c", True, [{"@timestamp": "2026-01-16T02:00:00Z", "event.dataset": "d", **wrong}]))


def outcome(seconds: int) -> Outcome:
    return Outcome("r", "k", START, START, START + seconds * S, 1, True, [], "e", "")


HOUR = Measure(DecisionAction.BLOCK, 3600)


def test_a_decision_runs_from_the_event_and_its_id_is_stable() -> None:
    (finding,) = findings_of([event(number, number, 0) for number in range(5)], [])
    decision = decision_of(finding, HOUR, outcome(4), now=START + 10 * S, dry_run=True)
    assert decision is not None
    assert (decision.expires_at, decision.dry_run) == ("2026-01-16T03:00:04.000Z", True)
    again = decision_of(finding, HOUR, outcome(4), now=START + 11 * S, dry_run=True)
    assert again is not None
    assert again.id == decision.id
    assert decision_of(finding, HOUR, outcome(4), now=START + 4000 * S, dry_run=False) is None


def test_a_clock_that_is_ahead_prolongs_nothing() -> None:
    (finding,) = findings_of([event(number, number, 0) for number in range(5)], [])
    decision = decision_of(finding, HOUR, outcome(900_000), now=START, dry_run=False)
    assert decision is not None
    assert decision.expires_at == "2026-01-16T03:00:00.000Z"


def test_the_allow_list_knows_networks_and_only_addresses() -> None:
    (finding,) = findings_of([event(number, number, 0) for number in range(5)], [])
    assert is_allowed(finding, AllowList([Entry(Kind.IP, "203.0.113.0/24")]))
    assert not is_allowed(finding, AllowList([Entry(Kind.IP, "192.0.2.0/24")]))


@pytest.fixture
def rules_dir(tmp_path: Path) -> Path:
    for name, text in {**detector_rules.ALL, **detector_rules.LISTS}.items():
        path = tmp_path / "rules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "rules"


def test_detect_reads_ndjson_and_reports_bad_lines(rules_dir: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(detect_command)
    good = [json.dumps(event(number, number, 0).to_flat()) for number in range(5)]
    lines = [*good[:2], "not json", '{"event.dataset": "x"}', '["list"]', "", *good[2:]]
    path = tmp_path / "events.ndjson"
    path.write_bytes("\n".join(lines).encode() + b"\n\xff\xfe\n")
    result = CliRunner().invoke(app, ["--rules", str(rules_dir), str(path)])
    (finding,) = map(json.loads, result.stdout.splitlines())
    assert (finding["rule_id"], finding["count"]) == ("brute_force_attack", 5)
    assert [line.split(":")[1] for line in result.stderr.splitlines()] == ["3", "4", "5", "10"]
    assert result.exit_code == 1
    clean = CliRunner().invoke(app, ["--rules", str(rules_dir)], input="\n".join(good))
    assert (clean.exit_code, clean.stdout) == (0, result.stdout)


def test_unreadable_files_are_problems_not_tracebacks(rules_dir: Path) -> None:
    (rules_dir / "web" / "latin.yml").write_bytes(b"title: \xe9")
    (rules_dir / "web" / "huge.yml").write_bytes(b"#" * (1 << 20) + b"#")
    problems = {problem.path: problem.why for problem in load_folder(rules_dir, "Asia/Tokyo").problems}
    assert problems == {"web/latin.yml": "not UTF-8: byte 7", "web/huge.yml": "over 1048576 bytes"}

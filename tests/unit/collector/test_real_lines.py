"""Agreement with what others say of real lines: fail2ban's own cases, CrowdSec's, a real access log."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sakimori_collector.domain.formats import Reference
from sakimori_collector.domain.reading import Source
from sakimori_collector.offline import parse_stream
from sakimori_common.contracts import Event
from sakimori_common.instants import parse_instant

pytestmark = pytest.mark.data

FAIL2BAN = Reference(parse_instant("2005-08-14T10:00:00Z"), ZoneInfo("Europe/Zurich"))
"""The clock and the zone that fail2ban's cases are written for."""
TODAY = Reference(parse_instant("2026-01-16T02:00:00Z"))


def sshd_cases(data: Path) -> Iterator[tuple[dict[str, Any], Event]]:
    for line in (data / "logs/fail2ban/fail2ban.jsonl").read_text().splitlines():
        case = json.loads(line)
        if case["filter"] in {"sshd", "sshd-journal"}:
            text = case["line"] if case["filter"] == "sshd" else f"Aug 14 11:00:00 {case['line']}"
            reference = FAIL2BAN if "1 20" not in text[:9] else TODAY
            [event] = Source("x", "x", "openssh.auth", reference, {}).read(text.encode(), 0)
            yield case, event


def test_every_line_of_fail2bans_sshd_cases_is_read_with_its_time(development_data: Path) -> None:
    wrong = []
    cases = list(sshd_cases(development_data))
    for case, event in cases:
        if case["time"] is not None and case["filter"] == "sshd":
            expected = parse_instant(case["time"] + "+02:00") // 1_000_000
            # Winter times are given without saying so: an hour off is the zone's doing.
            if event.time // 1_000_000 - expected not in {0, 3600}:
                wrong.append((case["line"], case["time"], event.to_flat()["@timestamp"]))
    assert len(cases) >= 60
    assert wrong == []


def test_the_offender_is_the_one_that_fail2ban_names(development_data: Path) -> None:
    named = [(case, event) for case, event in sshd_cases(development_data) if case["match"]]
    differing = [
        case["line"]
        for case, event in named
        if case["host"] not in {event.fields.get("source.ip"), event.fields.get("source.domain")}
    ]
    # One deliberate difference: sshd adds nothing behind "ssh2" for passwords, so the address is the last one said.
    assert [line for line in differing if "ssh2: from 10.10.1.2" not in line] == []


def test_failures_are_those_that_fail2ban_counts(development_data: Path) -> None:
    agreeing, differing = 0, []
    for case, event in sshd_cases(development_data):
        options = case["filter_options"]
        if isinstance(options, list) and {} not in options:
            continue  # holds in other modes of the filter only
        has_host = "source.ip" in event.fields or "source.domain" in event.fields
        if (event.fields["event.outcome"] == "failure" and has_host) == case["match"]:
            agreeing += 1
        else:
            differing.append(case["line"])
    assert agreeing / (agreeing + len(differing)) >= 0.95, differing


def test_crowdsec_reads_the_same_out_of_sshd_lines(development_data: Path) -> None:
    names = {"source_ip": "source.ip", "user": "user.name", "target_user": "user.name", "machine": "host.hostname"}
    compared = 0
    for folder in ("sshd-invalid-bf", "sshd-success-logs"):
        for truth, event in parsed_by_crowdsec(development_data, folder, "openssh.auth"):
            for theirs, ours in names.items():
                if theirs in truth["meta"]:
                    assert event.fields.get(ours) == truth["meta"][theirs], truth
                    compared += 1
    assert compared >= 20


def test_crowdsec_reads_the_same_out_of_malformed_requests(development_data: Path) -> None:
    pairs = list(parsed_by_crowdsec(development_data, "apache2-malformed", "apache.access"))
    for truth, event in pairs:
        assert event.fields["source.ip"] == truth["meta"]["source_ip"]
        assert event.fields["url.original"] == truth["meta"]["http_path"]
        assert event.fields["http.response.status_code"] == int(truth["meta"]["http_status"])
    assert len(pairs) >= 10


def parsed_by_crowdsec(data: Path, folder: str, format: str) -> Iterator[tuple[dict[str, Any], Event]]:
    truth = json.loads((data / "logs/crowdsec" / folder / "truth.json").read_text())
    lines = (data / "logs/crowdsec" / folder / truth["log_file"]).read_bytes().splitlines()
    source = Source(folder, folder, format, TODAY, {})
    for line in truth["parsed_lines"]:
        [event] = source.read(lines[line["i"]], line["i"])
        yield line, event


def test_every_line_of_a_real_access_log_is_an_event(development_data: Path) -> None:
    path = development_data / "logs/web/elastic_apache_combined.log"
    with path.open("rb") as stream:
        results = list(parse_stream(stream, str(path), "auto", TODAY))
    rejected = [reason for _, reason in results if reason is not None]
    events = [event for found, _ in results for event in found]
    assert rejected == []
    assert len(events) == 3000
    assert {event.dataset for event in events} == {"apache.access"}
    assert all("source.ip" in event.fields and "url.original" in event.fields for event in events)


def test_no_file_of_any_kind_of_log_raises(development_data: Path) -> None:
    seen = 0
    for path in sorted((development_data / "logs").rglob("*")):
        if path.is_file():
            for name in ("auto", "openssh.auth", "nginx.access"):
                with path.open("rb") as stream:
                    seen += sum(1 for _ in parse_stream(stream, str(path), name, TODAY))
    assert seen > 50_000

"""Public Sigma rules as they are, on events as they come: mapped to ECS, or with the names of their source."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from sakimori.commands.detect import detect
from sakimori_common.contracts import Event, Finding
from sakimori_detector.domain.loading import load
from sakimori_detector.domain.sources import LogSource, fits
from sakimori_detector.offline import Latest, OfflineDetector

WINDOWS = r"""
title: Certutil downloads
status: test
level: high
logsource: {category: process_creation, product: windows}
detection:
  image: [{Image|endswith: \certutil.exe}, {OriginalFileName: CertUtil.exe}]
  url: {CommandLine|contains|all: [urlcache, http]}
  condition: all of image and url
"""
WEB = r"""
title: Probe
level: medium
logsource: {category: webserver}
detection:
  probe: {cs-method: GET, cs-uri-query|contains: /.env, sc-status: 200}
  condition: probe
"""
SPRAYING = r"""
title: One failure
name: one_failure
level: low
logsource: {product: windows, service: security}
detection:
  failure: {EventID: 4625}
  condition: failure
---
title: Many accounts from one address
level: high
correlation:
  type: value_count
  rules: one_failure
  group-by: IpAddress
  timespan: 5m
  condition: {gte: 3, field: TargetUserName}
"""


def findings(rule: str, dataset: str, *events: dict[str, Any]) -> list[Finding]:
    loaded = load({"rule.yml": rule})
    assert loaded.problems == ()
    detector, latest = OfflineDetector(loaded.rules, loaded.world), Latest()
    made = [
        Event(f"e{number}", 1_768_528_800_000_000 + number, dataset, fields) for number, fields in enumerate(events)
    ]
    latest.add(detector.feed(made))
    return latest.all()


RAW = {
    "EventID": 1,
    "Image": r"C:\Windows\certutil.exe",
    "CommandLine": "certutil -urlcache http://x",
    "Computer": "pc1",
}
ECS = {
    "event.code": 1,
    "process.executable": r"C:\Windows\certutil.exe",
    "process.command_line": "certutil -urlcache http://x",
    "host.name": "pc1",
}


@pytest.mark.parametrize("event", [RAW, ECS])
@pytest.mark.parametrize("dataset", ["windows.sysmon", "winlogbeat.windows"])
def test_a_rule_for_processes_of_windows_finds_them_under_either_name(event: dict[str, Any], dataset: str) -> None:
    (finding,) = findings(WINDOWS, dataset, {"event.category": "process", **event})
    assert (finding.rule_id, finding.entity_type, finding.entity) == ("rule", "host.name", "pc1")


def test_of_sysmon_only_the_events_of_the_category_count() -> None:
    assert findings(WINDOWS, "windows.sysmon", {**RAW, "EventID": 3}) == []
    assert findings(WINDOWS, "windows.security", {**RAW, "EventID": 1}) == []
    assert len(findings(WINDOWS, "windows.security", {**RAW, "EventID": 4688})) == 1


def test_events_of_another_kind_are_left_alone() -> None:
    assert findings(WINDOWS, "linux.auditd", RAW) == []
    assert findings(WINDOWS, "windows.application", {**RAW, "event.category": "network"}) == []


@pytest.mark.parametrize("dataset", ["nginx.access", "caddy.access", "traefik.web"])
def test_a_rule_for_web_servers_reads_the_events_of_each(dataset: str) -> None:
    fields = {"http.request.method": "GET", "url.original": "/.env?x", "http.response.status_code": 200}
    (finding,) = findings(WEB, dataset, {"source.ip": "192.0.2.1", "event.category": "web", **fields})
    assert (finding.entity, finding.severity) == ("192.0.2.1", "medium")
    assert findings(WEB, dataset, {"event.category": "web", **fields, "http.response.status_code": 404}) == []


def test_a_correlation_counts_by_the_names_of_the_source() -> None:
    events = [{"EventID": 4625, "IpAddress": "192.0.2.9", "TargetUserName": name} for name in ("a", "b", "c")]
    (finding,) = findings(SPRAYING, "windows.security", *events)
    assert (finding.entity_type, finding.entity, finding.count) == ("source.ip", "192.0.2.9", 3)
    assert findings(SPRAYING, "windows.security", *events[:2], events[1]) == []


@pytest.mark.parametrize(
    ("source", "dataset", "category", "expected"),
    [
        (LogSource(category="webserver"), "traefik.log", "web", True),
        (LogSource(category="webserver"), "traefik.log", None, False),
        (LogSource(category="webserver", product="nginx"), "nginx.json", "web", True),
        (LogSource(category="webserver", product="nginx"), "traefik.log", "web", False),
        (LogSource(product="zeek", service="smb_files"), "zeek.smb_files", None, True),
        (LogSource(product="zeek", service="smb_files"), "zeek.smb_mapping", None, False),
        (LogSource(product="linux", service="cron"), "cron.log", None, True),  # only Linux has a cron
        (LogSource(product="linux", service="auth"), "linux-auth", None, True),
        (LogSource(product="okta", service="okta"), "okta.system", None, True),
        (LogSource(product="github", service="audit"), "kubernetes.audit", None, False),
        (LogSource(category="process_creation", product="windows"), "windows.edr", "process", True),
        (LogSource(category="process_creation", product="windows"), "macos.edr", "process", False),
        (LogSource(product="windows"), "windows.anything", None, True),
        (LogSource(), "anything", "web", False),
    ],
)
def test_each_part_that_a_log_source_names_must_be_named_by_the_events(
    source: LogSource, dataset: str, category: str | None, expected: bool
) -> None:
    assert fits(source, dataset, category) is expected


def test_detect_runs_any_folder_of_plain_rules(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "probe.yml").write_text(WEB, encoding="utf-8")
    event = {"@timestamp": "2026-01-16T02:00:00Z", "event.dataset": "nginx.access", "source.ip": "192.0.2.1"}
    lines = json.dumps({**event, "cs-method": "get", "cs-uri-query": "/.ENV", "sc-status": "200"})
    (tmp_path / "events.ndjson").write_text(lines, encoding="utf-8")
    app = typer.Typer()
    app.command()(detect)
    result = CliRunner().invoke(app, ["--rules", str(tmp_path / "theirs"), str(tmp_path / "events.ndjson")])
    assert result.exit_code == 0
    (finding,) = map(json.loads, result.stdout.splitlines())
    assert (finding["rule_id"], finding["message"]) == ("probe", "Probe: 192.0.2.1")


def test_details_of_a_public_rule_show_fields_under_either_name() -> None:
    rule = WINDOWS.replace("level: high", "level: high\nfields: [CommandLine]")
    for event in (RAW, ECS):
        (finding,) = findings(rule, "windows.sysmon", event)
        assert finding.details == {"CommandLine": "certutil -urlcache http://x"}


PROBED_THEN_CALLS = """
title: Asks for a secret
name: asks
level: low
logsource: {category: webserver}
detection: {s: {url.path: /.env}, condition: s}
---
title: Is called
name: is_called
level: low
logsource: {category: webserver}
detection: {s: {url.path: /cgi}, condition: s}
---
title: Who asked is called
level: high
correlation:
  type: temporal
  rules: [asks, is_called]
  group-by: [peer]
  aliases: {peer: {asks: source.ip, is_called: destination.ip}}
  timespan: 1m
"""


def test_a_public_correlation_by_an_alias_is_about_the_key_not_about_a_field_of_the_latest_event() -> None:
    asks = {"url.path": "/.env", "source.ip": "203.0.113.77"}
    called = {"url.path": "/cgi", "source.ip": "203.0.113.78", "destination.ip": "203.0.113.77"}
    (finding,) = findings(PROBED_THEN_CALLS, "nginx.access", asks, called)
    assert (finding.entity_type, finding.entity) == ("peer", "203.0.113.77")
    assert finding.message == "Who asked is called: 203.0.113.77"

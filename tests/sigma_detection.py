"""One Sigma detection by the whole way from YAML to the matcher, for tests of what it means."""

from typing import Any

from sakimori_common.contracts import Event
from sakimori_detector.domain.loading import RuleSet, load
from sakimori_detector.domain.rules import EventRule
from sakimori_detector.domain.sources import ALIASES, derived_fields
from sakimori_detector.sigma.matcher import Matcher

_HEAD = """
title: T
name: t
status: test
level: low
logsource: {LOGSOURCE}
sakimori: {entity: source.ip, confidence: 0.5, message: m, why: w, response: r}
detection:
"""


def loaded(detection: str, logsource: str = "category: webserver", **files: str) -> RuleSet:
    """Load a rule with this detection; `files` are further ones, `.` written as `__`."""
    text = _HEAD.replace("LOGSOURCE", logsource) + "\n".join(f"  {line}" for line in detection.strip().splitlines())
    lists = {f"lists/{name}.txt": text for name, text in files.items() if name != "placeholders"}
    rules = {"t.yml": text, **({"placeholders.yml": files["placeholders"]} if "placeholders" in files else {})}
    return load(rules, lists)


def is_met(
    detection: str,
    fields: dict[str, Any],
    logsource: str = "category: webserver",
    dataset: str = "nginx.access",
    **files: str,
) -> bool:
    """Say whether an event with these fields meets a detection."""
    rules = loaded(detection, logsource, **files)
    assert rules.problems == ()
    (rule,) = rules.rules
    assert isinstance(rule, EventRule)
    matcher = Matcher([(rule.detection.condition, rule.id)], derived_fields(dataset), ALIASES)
    return list(matcher.met([Event("e", 1_768_528_800_000_000, dataset, fields)])) == [(0, "t")]


def why_refused(detection: str, **files: str) -> tuple[str, int]:
    """Give the reason and the line of a detection that is refused; its first line is the ninth of the file."""
    rules = loaded(detection, **files)
    assert rules.rules == ()
    (problem,) = rules.problems
    return problem.why, problem.line


def item(text: str) -> str:
    """Write a detection of one field."""
    return f"sel:\n  {text}\ncondition: sel"

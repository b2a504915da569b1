"""What becomes of each file of a foreign folder of Sigma rules: `sakimori rules import` says it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sakimori_detector.domain.loading import RuleSet
from sakimori_detector.domain.rules import CorrelationRule, Detection, EventRule, Rule
from sakimori_detector.domain.taxonomy import ecs_names
from sakimori_detector.sigma import documents
from sakimori_detector.sigma.conditions import fields_of
from sakimori_detector.sigma.documents import DocumentError

Verdict = Literal["loaded", "unmapped", "refused", "skipped"]
"""`unmapped`: loaded, but no dataset here is known to have its log source. `skipped`: no Sigma rule at all."""

_RULE_PARTS: Final = frozenset({"detection", "logsource", "correlation", "filter", "analytic"})
_ECS_SETS: Final = frozenset(name.partition(".")[0] for name in ecs_names() if "." in name) | {
    "sakimori",
    "log",
    "rule",
}


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file. `kept_fields`: those that no table maps, so that events must have them as they are."""

    path: str
    verdict: Verdict
    note: str
    kept_fields: tuple[str, ...] = ()


def is_rule_file(text: str) -> bool:
    """Tell Sigma rules from the other YAML of a repository (pipelines, workflows); what is no YAML counts as a rule."""
    try:
        found = documents.read(text)
    except DocumentError as error:
        return not str(error).startswith(_NO_MAP)
    return any(not _RULE_PARTS.isdisjoint(document.data) for document in found)


_NO_MAP: Final = "a rule is a map"


def reports(files: Sequence[str], skipped: Sequence[str], loaded: RuleSet) -> list[FileReport]:
    """Say of each file what became of it, in the order of their paths."""
    by_path: dict[str, list[Rule]] = {}
    for rule in loaded.rules:
        by_path.setdefault(rule.path, []).append(rule)
    problems = {problem.path: problem for problem in loaded.problems}
    made = [FileReport(path, "skipped", "no Sigma rule") for path in skipped]
    for path in {*files, *problems}:
        if path in problems:
            made.append(FileReport(path, "refused", str(problems[path])))
        else:
            made.append(_report(path, by_path.get(path, [])))
    return sorted(made, key=lambda report: report.path)


def _report(path: str, rules: Sequence[Rule]) -> FileReport:
    if not rules:
        return FileReport(path, "loaded", "serves other rules, yields no finding of its own")
    fields = sorted({field for rule in rules for detection in _detections(rule) for field in _kept(detection)})
    datasets = dict.fromkeys(dataset for rule in rules for dataset in rule.datasets)
    names = ", ".join(rule.id for rule in rules)
    if datasets:
        return FileReport(path, "loaded", f"{names} ({', '.join(datasets)})", tuple(fields))
    sources = dict.fromkeys(str(detection.source) for rule in rules for detection in _detections(rule))
    return FileReport(path, "unmapped", f"{names}: no dataset here has {'; '.join(sources)}", tuple(fields))


def _detections(rule: Rule) -> Iterator[Detection]:
    if isinstance(rule, EventRule):
        yield rule.detection
    elif isinstance(rule, CorrelationRule):
        for base in rule.bases:
            if isinstance(base.rule, Detection):
                yield base.rule
            else:
                yield from _detections(base.rule)


def _kept(detection: Detection) -> Iterator[str]:
    for field in fields_of(detection.condition):
        if field.partition(".")[0] not in _ECS_SETS:
            yield field


def summary(made: Sequence[FileReport]) -> str:
    """Count the verdicts in a sentence."""
    counts: Mapping[Verdict, int] = {
        verdict: sum(report.verdict == verdict for report in made)
        for verdict in ("loaded", "unmapped", "refused", "skipped")
    }
    return (
        f"{len(made)} files: {counts['loaded']} loaded, {counts['unmapped']} loaded though no dataset here has their "
        f"log source, {counts['refused']} refused, {counts['skipped']} without a rule"
    )

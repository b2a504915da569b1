"""From the texts of rule files to rules; what is wrong is a Problem with its place, and the rest still loads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import PurePosixPath
from typing import Any, Final

import msgspec
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule
from sigma.rule.base import SigmaRuleBase

from sakimori_common.contracts import Severity
from sakimori_detector.domain.analytics import AnalyticError, World, build
from sakimori_detector.domain.blocks import Block, cases_of, read_block
from sakimori_detector.domain.indicators import Indicators, parse
from sakimori_detector.domain.rules import (
    DEFAULT_WINDOW_SECONDS,
    AnalyticRule,
    CorrelationRule,
    Detection,
    EventRule,
    Problem,
    Rule,
)
from sakimori_detector.domain.sources import LOG_SOURCES, LogSource, datasets_of
from sakimori_detector.sigma import documents
from sakimori_detector.sigma.compiling import Numbering, Unsupported, condition_of
from sakimori_detector.sigma.correlations import counting_of
from sakimori_detector.sigma.documents import Document, DocumentError, PathPart
from sakimori_detector.sigma.patterns import POLICY, PatternError

_SEVERITY: Final = {
    "INFORMATIONAL": Severity.INFO,
    "LOW": Severity.LOW,
    "MEDIUM": Severity.MEDIUM,
    "HIGH": Severity.HIGH,
    "CRITICAL": Severity.CRITICAL,
}
_STAND_IN: Final = {"any": {"event.id|exists": True}, "condition": "any"}
"""The detection with which pySigma checks everything else of an analytic."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What came of a rules' folder."""

    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]
    world: World


class Refused(Exception):
    """A file is not used; says why and which part of which document it is about."""

    def __init__(self, document: Document, why: str, *path: PathPart) -> None:
        super().__init__(why)
        self.line, self.column = document.place(*path, mentioned=why)


def load(
    files: Mapping[str, str],
    lists: Mapping[str, str] | None = None,
    zone: tzinfo = UTC,
    numbers: Numbering | None = None,
) -> RuleSet:
    """Make rules of files.

    `files` maps a path relative to the rules' folder to its text, `lists` the same for the files of lists/; `zone` is
    that of local hours. One file is one rule or none: a mistake in one of its documents refuses all of it. Rules of
    several loads may run together if they share `numbers`.
    """
    problems: list[Problem] = []
    world = World(zone, _lists(lists or {}, problems))
    numbers = numbers or Numbering()
    rules: dict[str, Rule] = {}
    identities: dict[str, str] = {}
    for path in sorted(files):
        try:
            rule = _load_file(path, files[path], numbers, world, identities)
            if rule.id in rules:
                raise DocumentError(f"the rule {rule.id!r} is in {rules[rule.id].path} already", 1, 1)
            rules[rule.id] = rule
        except (Refused, DocumentError) as error:
            problems.append(Problem(path, error.line, error.column, str(error)))
    return RuleSet(tuple(rules.values()), tuple(problems), world)


def _lists(lists: Mapping[str, str], problems: list[Problem]) -> dict[str, Indicators]:
    found = {}
    for path, text in sorted(lists.items()):
        entries, bad = parse(text)
        problems += [Problem(path, entry.line, 1, entry.why) for entry in bad]
        found[PurePosixPath(path).stem] = Indicators(entries)
    return found


def _load_file(path: str, text: str, numbers: Numbering, world: World, identities: dict[str, str]) -> Rule:
    found = documents.read(text)
    if not found:
        raise DocumentError("the file is empty", 1, 1)
    parsed = [(document, _parse(document)) for document in found]
    yielding = [(document, rule) for document, rule in parsed if "sakimori" in document.data]
    if len(yielding) != 1:
        why = "no document has a sakimori: block" if not yielding else "only one document may have a sakimori: block"
        raise Refused(yielding[1][0] if yielding else found[-1], why, "sakimori")
    document, rule = yielding[0]
    for each, other in parsed:
        _refuse_repeated_id(each, other, path, identities)
    return _Builder(path, document, rule, numbers, world).build([other for other in parsed if other[0] is not document])


def _refuse_repeated_id(document: Document, rule: SigmaRuleBase, path: str, identities: dict[str, str]) -> None:
    if rule.id is not None:
        earlier = identities.setdefault(str(rule.id), path)
        if earlier != path:
            raise Refused(document, f"the id '{rule.id}' is that of {earlier}", "id")


def _parse(document: Document) -> SigmaRuleBase:
    data = document.data
    try:
        if "correlation" in data:
            return SigmaCorrelationRule.from_dict(data, policy=POLICY)
        if "analytic" in data:
            rest = {name: value for name, value in data.items() if name != "analytic"}
            return SigmaRule.from_dict({"logsource": {"product": "any"}, **rest, "detection": _STAND_IN}, policy=POLICY)
        return SigmaRule.from_dict(data, policy=POLICY)
    except SigmaError as error:
        raise Refused(document, error.args[0] if error.args else str(error), *_part_of(error)) from None
    except (TypeError, AttributeError, ValueError, KeyError, RecursionError) as error:
        raise Refused(document, f"not a Sigma rule: {error}") from None


def _part_of(error: SigmaError) -> tuple[PathPart, ...]:
    """Tell which part of a rule a pySigma error is about; it says so by its class only."""
    name = type(error).__name__.removeprefix("Sigma").removesuffix("Error").lower()
    if name.startswith("correlation"):
        return ("correlation",)
    return _PARTS.get(name, (name,))


_PARTS: Final[dict[str, tuple[PathPart, ...]]] = {
    "condition": ("detection", "condition"),
    "identifier": ("id",),
    "modifier": ("detection",),
    "placeholder": ("detection",),
    "regularexpression": ("detection",),
    "rulenotfound": ("correlation", "rules"),
    "tag": ("tags",),
    "timespan": ("correlation", "timespan"),
    "type": ("detection",),
    "value": ("detection",),
}


class _Builder:
    """Builds the rule of one file from its document that has the `sakimori:` block."""

    def __init__(self, path: str, document: Document, rule: SigmaRuleBase, numbers: Numbering, world: World) -> None:
        self._path = path
        self._document = document
        self._rule = rule
        self._numbers = numbers
        self._world = world
        self._block = self._read_block()

    def build(self, bases: list[tuple[Document, SigmaRuleBase]]) -> Rule:
        """Make the rule; `bases` are the file's other documents. Raises Refused."""
        if isinstance(self._rule, SigmaCorrelationRule):
            return self._correlation(self._rule, bases)
        if bases:
            raise Refused(bases[0][0], "only a correlation may have other documents in its file")
        if "analytic" in self._document.data:
            return self._analytic()
        return self._event(self._rule)

    def _read_block(self) -> Block:
        try:
            return read_block(self._document.data["sakimori"])
        except msgspec.ValidationError as error:
            why, _, where = str(error).partition(" - at ")
            raise Refused(self._document, f"sakimori: {why}", "sakimori", *_steps(where)) from None

    def _event(self, rule: SigmaRuleBase) -> EventRule:
        detection = _detection(self._document, rule, self._numbers)
        return EventRule(**self._common(detection.datasets), detection=detection)

    def _correlation(self, rule: SigmaCorrelationRule, bases: list[tuple[Document, SigmaRuleBase]]) -> CorrelationRule:
        try:
            counting = counting_of(rule)
        except Unsupported as error:
            raise Refused(self._document, str(error), "correlation") from None
        named = {name: base for base in bases for name in (base[1].name, str(base[1].id)) if name}
        missing = [name for name in counting.rules if name not in named]
        if missing:
            raise Refused(self._document, f"no document of this file is named {missing[0]!r}", "correlation", "rules")
        if counting.group_by and self._block.entity not in counting.group_by:
            why = f"the entity {self._block.entity!r} is none of group-by"
            raise Refused(self._document, why, "sakimori", "entity")
        detections = tuple(_detection(*named[name], self._numbers) for name in counting.rules)
        datasets = tuple(dict.fromkeys(dataset for each in detections for dataset in each.datasets))
        common = self._common(datasets, default_window_seconds=counting.timespan_seconds)
        return CorrelationRule(
            **common,
            kind=counting.kind,
            detections=detections,
            group_by=counting.group_by,
            field=counting.field,
            timespan_seconds=counting.timespan_seconds,
            threshold=counting.threshold,
        )

    def _analytic(self) -> AnalyticRule:
        given = self._document.data["analytic"]
        if not isinstance(given, dict) or not isinstance(given.get("type"), str):
            raise Refused(self._document, "analytic: a map with a type", "analytic")
        params = {str(name): value for name, value in given.items() if name not in {"type", "datasets"}}
        rule = AnalyticRule(**self._common(self._analytic_datasets(given)), type=given["type"], params=params)
        try:
            build(rule, self._world)
        except AnalyticError as error:
            raise Refused(self._document, str(error), "analytic") from None
        return rule

    def _analytic_datasets(self, given: Mapping[str, Any]) -> tuple[str, ...]:
        names = given.get("datasets")
        if names is None:
            if not isinstance(self._rule, SigmaRule) or "logsource" not in self._document.data:
                raise Refused(self._document, "analytic: needs a logsource or datasets", "analytic")
            return _datasets(self._document, self._rule)
        unknown = [name for name in names if name not in LOG_SOURCES] if isinstance(names, list) else [names]
        if unknown or not names:
            raise Refused(
                self._document, f"no such dataset: {unknown[0]!r}" if unknown else "datasets: none", "analytic"
            )
        return tuple(names)

    def _common(
        self, datasets: tuple[str, ...], default_window_seconds: int = DEFAULT_WINDOW_SECONDS
    ) -> dict[str, Any]:
        rule, block, document = self._rule, self._block, self._document
        name = PurePosixPath(self._path).stem
        if rule.name != name:
            raise Refused(document, f"name: must be {name!r}, as the file", "name")
        if rule.level is None:
            raise Refused(document, "level: missing")
        places = [document.place("sakimori", "cases", number) for number in range(len(block.cases))]
        attack = [tag.name for tag in rule.tags if tag.namespace == "attack"]
        return {
            "id": name,
            "path": self._path,
            "title": rule.title,
            "severity": _SEVERITY[rule.level.name],
            "tactics": tuple(tag.replace("_", "-") for tag in attack if not _is_technique(tag)),
            "techniques": tuple(tag.upper() for tag in attack if _is_technique(tag)),
            "datasets": datasets,
            "entity": block.entity,
            "confidence": block.confidence,
            "message": block.message,
            "details": block.details,
            "why": block.why.strip(),
            "response": block.response.strip(),
            "window_seconds": block.window_seconds or default_window_seconds,
            "measure": block.measure(),
            "cases": cases_of(block, [line for line, _ in places]),
        }


def _detection(document: Document, rule: SigmaRuleBase, numbers: Numbering) -> Detection:
    if not isinstance(rule, SigmaRule):
        raise Refused(document, "a correlation of correlations")
    try:
        return Detection(_datasets(document, rule), condition_of(rule, numbers))
    except SigmaError as error:
        raise Refused(document, error.args[0] if error.args else str(error), *_part_of(error)) from None
    except (Unsupported, PatternError) as error:
        raise Refused(document, str(error), "detection") from None


def _datasets(document: Document, rule: SigmaRule) -> tuple[str, ...]:
    source = LogSource(rule.logsource.category, rule.logsource.product, rule.logsource.service)
    found = datasets_of(source)
    if not found:
        raise Refused(document, f"no dataset has the log source {source}", "logsource")
    return found


def _is_technique(tag: str) -> bool:
    return tag[:1].lower() == "t" and tag[1:2].isdigit()


def _steps(where: str) -> Iterable[PathPart]:
    """Read a msgspec path such as `$.cases[0].fires`, or nothing where there is none."""
    for part in where.strip("`$").replace("[", ".").replace("]", "").split("."):
        if part.isdigit():
            yield int(part)
        elif part and part != "...":
            yield part

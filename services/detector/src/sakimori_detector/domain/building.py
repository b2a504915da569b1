"""Second phase of loading: from an entry of the catalogue to a rule."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from sakimori_common.contracts import Severity
from sakimori_detector.domain.analytics import AnalyticError, World, build
from sakimori_detector.domain.blocks import Block, cases_of, read_block
from sakimori_detector.domain.catalogue import Catalogue, Entry
from sakimori_detector.domain.filters import check_filter, filters_of
from sakimori_detector.domain.imported import block_for
from sakimori_detector.domain.rules import (
    DEFAULT_WINDOW_SECONDS,
    AnalyticRule,
    Base,
    CorrelationRule,
    Detection,
    EventRule,
)
from sakimori_detector.domain.sources import LOG_SOURCES, LogSource, canonical, datasets_of, events_of
from sakimori_detector.sigma.compiling import Unsupported, Vocabulary
from sakimori_detector.sigma.conditions import All, AnyOf, Condition, Exact, Not
from sakimori_detector.sigma.correlations import Correlation, correlation_of
from sakimori_detector.sigma.documents import PathPart
from sakimori_detector.sigma.parsing import Refused, compiled

MAX_CHAIN: Final = 10
"""Correlations over correlations over ..."""

_SEVERITY: Final = {
    "INFORMATIONAL": Severity.INFO,
    "LOW": Severity.LOW,
    "MEDIUM": Severity.MEDIUM,
    "HIGH": Severity.HIGH,
    "CRITICAL": Severity.CRITICAL,
}
_UNSAID_SEVERITY: Final = Severity.MEDIUM


class Builder:
    """Builds the rules of a catalogue; each detection is compiled once, whoever refers to it."""

    def __init__(
        self,
        catalogue: Catalogue,
        ids: Mapping[Entry, str],
        world: World,
        placeholders: Mapping[str, Sequence[str]],
    ) -> None:
        self._catalogue = catalogue
        self._ids = ids
        self._world = world
        self._placeholders = placeholders
        self._filters: list[Entry] = []
        self._detections: dict[Entry, Detection] = {}
        self._correlations: dict[Entry, CorrelationRule] = {}

    def add_filter(self, entry: Entry) -> None:
        """Apply a filter to what is compiled from now on. Raises Refused."""
        check_filter(entry)
        self._compiled(entry)
        self._filters.append(entry)

    def detection(self, entry: Entry) -> Detection:
        """Compile the detection of an entry that has one. Raises Refused."""
        known = self._detections.get(entry)
        if known is None:
            known = self._detections[entry] = self._compiled(entry)
        return known

    def event_rule(self, entry: Entry) -> EventRule:
        """Make the rule of a detection. Raises Refused."""
        detection = self.detection(entry)
        block = self._block(entry, detection.source)
        return EventRule(**self._common(entry, block, detection.datasets), detection=detection)

    def analytic_rule(self, entry: Entry) -> AnalyticRule:
        """Make the rule of an analytic. Raises Refused."""
        document = entry.document
        given = document.data["analytic"]
        if not isinstance(given, dict) or not isinstance(given.get("type"), str):
            raise Refused(document, "analytic: a map with a type", "analytic")
        if not entry.is_ours:
            raise Refused(document, "an analytic needs a sakimori: block")
        params = {str(name): value for name, value in given.items() if name not in {"type", "datasets"}}
        common = self._common(entry, _read_block(entry), _analytic_datasets(entry, given))
        rule = AnalyticRule(**common, type=given["type"], params=params)
        try:
            build(rule, self._world)
        except AnalyticError as error:
            raise Refused(document, str(error), "analytic") from None
        return rule

    def correlation_rule(self, entry: Entry, chain: tuple[Entry, ...] = ()) -> CorrelationRule:
        """Make the rule of a correlation and of all that it refers to. `chain` leads here. Raises Refused."""
        known = self._correlations.get(entry)
        if known is None:
            known = self._correlations[entry] = self._correlated(entry, chain)
        return known

    def forget_correlations(self) -> None:
        """Build them anew: a file that they may refer to is gone."""
        self._correlations.clear()

    def _correlated(self, entry: Entry, chain: tuple[Entry, ...]) -> CorrelationRule:
        correlation = correlation_in(entry)
        bases = tuple(self._base(correlation, name, entry, (*chain, entry)) for name in correlation.references)
        datasets = tuple(dict.fromkeys(dataset for base in bases for dataset in base.rule.datasets))
        block = self._block(entry, _first_source(bases), _first_key(correlation, bases))
        if entry.is_ours and correlation.group_by and block.entity not in correlation.group_by:
            why = f"the entity {block.entity!r} is none of group-by"
            raise Refused(entry.document, why, "sakimori", "entity")
        common = self._common(entry, block, datasets, correlation.timespan_seconds)
        return CorrelationRule(**common, correlation=correlation, bases=bases)

    def _base(self, correlation: Correlation, name: str, asking: Entry, chain: tuple[Entry, ...]) -> Base:
        rule = self._referred(name, asking, chain)
        source = rule.source if isinstance(rule, Detection) else LogSource()
        return Base(
            name,
            rule,
            tuple(canonical(source, correlation.key_field(key, name)) for key in correlation.group_by),
            tuple(canonical(source, field) for field in correlation.fields),
        )

    def _referred(self, name: str, asking: Entry, chain: tuple[Entry, ...]) -> Detection | CorrelationRule:
        found = self._catalogue.find(name, asking)
        if found in chain:
            why = f"the correlation refers to itself by way of {name!r}"
            raise Refused(asking.document, why, "correlation", "rules")
        if found.kind in {"analytic", "filter"}:
            raise Refused(asking.document, f"{name!r} is no rule but of kind {found.kind}", "correlation", "rules")
        if found.kind == "detection":
            return self.detection(found)
        rule = self.correlation_rule(found, chain)
        if len(chain) + _depth(rule) > MAX_CHAIN:
            raise Refused(asking.document, f"over {MAX_CHAIN} correlations in a chain", "correlation", "rules")
        return rule

    def _compiled(self, entry: Entry) -> Detection:
        logsource = entry.rule.logsource
        source = LogSource(logsource.category, logsource.product, logsource.service)
        vocabulary = Vocabulary(partial(canonical, source), self._placeholders)
        condition = compiled(entry.document, entry.rule, vocabulary)
        for each in filters_of(entry, self._filters):
            condition = All((condition, compiled(each.document, each.rule, vocabulary)))
        return Detection(datasets_of(source), _of_right_events(condition, source), source)

    def _block(self, entry: Entry, source: LogSource, key: str | None = None) -> Block:
        if entry.is_ours:
            return _read_block(entry)
        return block_for(entry.rule, _severity(entry), source, key)

    def _common(
        self, entry: Entry, block: Block, datasets: tuple[str, ...], window_seconds: int = DEFAULT_WINDOW_SECONDS
    ) -> dict[str, Any]:
        rule, document = entry.rule, entry.document
        places = [document.place("sakimori", "cases", number) for number in range(len(block.cases))]
        attack = [tag.name for tag in rule.tags if tag.namespace == "attack"]
        return {
            "id": self._ids[entry],
            "path": entry.path,
            "line": document.line,
            "is_imported": not entry.is_ours,
            "title": rule.title,
            "author": rule.author or "",
            "severity": _severity(entry),
            "tactics": tuple(tag.replace("_", "-") for tag in attack if not _is_technique(tag)),
            "techniques": tuple(tag.upper() for tag in attack if _is_technique(tag)),
            "falsepositives": tuple(map(str, rule.falsepositives or ())),
            "datasets": datasets,
            "entity": block.entity,
            "confidence": block.confidence,
            "message": block.message,
            "details": block.details,
            "why": block.why.strip(),
            "response": block.response.strip(),
            "window_seconds": block.window_seconds or window_seconds,
            "measure": block.measure(),
            "cases": cases_of(block, [line for line, _ in places]),
        }


def _of_right_events(condition: Condition, source: LogSource) -> Condition:
    """Let of datasets that tell their events by id only the right ones through: all of Sysmon comes in one."""
    wrong = [
        All((Exact("event.dataset", dataset), Not(AnyOf(tuple(Exact("event.code", str(code)) for code in codes)))))
        for dataset, codes in events_of(source).items()
    ]
    return All((condition, Not(AnyOf(tuple(wrong))))) if wrong else condition


def correlation_in(entry: Entry) -> Correlation:
    """Read the correlation of an entry. Raises Refused."""
    given = entry.document.data["correlation"]
    if not isinstance(given, dict):
        raise Refused(entry.document, "correlation: a map", "correlation")
    try:
        return correlation_of(given)
    except Unsupported as error:
        part = str(error).partition(":")[0]
        raise Refused(entry.document, str(error), "correlation", *([part] if part in given else [])) from None


def _severity(entry: Entry) -> Severity:
    if entry.rule.level is None:
        if entry.is_ours:
            raise Refused(entry.document, "level: missing")
        return _UNSAID_SEVERITY
    return _SEVERITY[entry.rule.level.name]


def _read_block(entry: Entry) -> Block:
    try:
        return read_block(entry.document.data["sakimori"])
    except msgspec.ValidationError as error:
        why, _, where = str(error).partition(" - at ")
        raise Refused(entry.document, f"sakimori: {why}", "sakimori", *_steps(where)) from None


def _depth(rule: CorrelationRule) -> int:
    return 1 + max((_depth(base.rule) for base in rule.bases if isinstance(base.rule, CorrelationRule)), default=0)


def _first_source(bases: Iterable[Base]) -> LogSource:
    for base in bases:
        return base.rule.source if isinstance(base.rule, Detection) else _first_source(base.rule.bases)
    return LogSource()


def _first_key(correlation: Correlation, bases: tuple[Base, ...]) -> str | None:
    """Name the first key: by its alias, which is another field in each rule, or as the first base's events call it."""
    if correlation.group_by and correlation.group_by[0] in correlation.aliases:
        return correlation.group_by[0]
    return bases[0].key_fields[0] if bases and bases[0].key_fields else None


def _analytic_datasets(entry: Entry, given: Mapping[str, Any]) -> tuple[str, ...]:
    document, names = entry.document, given.get("datasets")
    if names is None:
        if "logsource" not in document.data:
            raise Refused(document, "analytic: needs a logsource or datasets", "analytic")
        asked = entry.rule.logsource
        source = LogSource(asked.category, asked.product, asked.service)
        found = datasets_of(source)
        if not found:
            raise Refused(document, f"no dataset has the log source {source}", "logsource")
        return found
    unknown = [name for name in names if name not in LOG_SOURCES] if isinstance(names, list) else [names]
    if unknown or not names:
        why = f"no such dataset: {unknown[0]!r}" if unknown else "datasets: none"
        raise Refused(document, why, "analytic")
    return tuple(names)


def _is_technique(tag: str) -> bool:
    return tag[:1].lower() == "t" and tag[1:2].isdigit()


def _steps(where: str) -> Iterable[PathPart]:
    """Read a msgspec path such as `$.cases[0].fires`, or nothing where there is none."""
    for part in where.strip("`$").replace("[", ".").replace("]", "").split("."):
        if part.isdigit():
            yield int(part)
        elif part and part != "...":
            yield part

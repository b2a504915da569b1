"""From an outcome of the windows to a finding that explains itself."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sakimori_common.contracts import Event, Evidence, FieldValue, Finding, RuleSeen
from sakimori_common.instants import MICROSECONDS, format_instant
from sakimori_detector.domain.analytics.contract import facts
from sakimori_detector.domain.counting import KEY_GLUE, finding_id
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.normalise import DECODED_FIELD
from sakimori_detector.domain.opinion.asking import ASKED, opinion_on
from sakimori_detector.domain.rules import AnalyticRule, CorrelationRule, EventRule, Rule
from sakimori_detector.domain.sources import read
from sakimori_detector.sigma.correlations import Correlation
from sakimori_detector.sigma.events import key_of
from sakimori_detector.sigma.matcher import Match, explain
from sakimori_detector.sigma.view import View
from sakimori_detector.sigma.windows import Outcome, Window

MAX_EVIDENCE_FIELDS: Final = 40
MAX_EVIDENCE_CHARACTERS: Final = 500
_PLACEHOLDER = re.compile(r"\{([^{}\s]+)\}")


class _Look(NamedTuple):
    """An event as its rules see it, and the fields that a finding shows of it, without what the expressions matched."""

    view: View
    shown: dict[str, FieldValue]


class Looks:
    """The events of a batch as findings show them, each made once: most that raise one finding raise several."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._looks: dict[str, _Look] = {}

    def at(self, event: Event) -> _Look:
        """Look at an event."""
        look = self._looks.get(event.id)
        if look is None:
            view = self.engine.view(event)
            look = self._looks[event.id] = _Look(view, _fields(view.fields, is_matched=False))
        return look


class _Sighting(NamedTuple):
    """The latest event of an outcome and all that messages and details may ask about it.

    `grouped` is what a correlation counted by, `shown` the fields as the evidence has them.
    """

    event: Event
    fields: Mapping[str, FieldValue]
    facts: Mapping[str, Any]
    matches: list[Match]
    grouped: Mapping[str, str]
    shown: dict[str, FieldValue]

    def value(self, name: str) -> Any:
        """Read a field, or with @ a fact; None where there is none."""
        if name.startswith("@") and name != "@timestamp":
            return self.facts.get(name[1:])
        value = self.fields.get(name)
        return read(self.event, name) if value is None else value

    def text(self, name: str) -> str:
        """Write a value for people; `-` where there is none."""
        value = self.value(name)
        return "-" if value is None else clean(key_of(value))


def finding_of(looks: Looks, outcome: Outcome, event: Event, created_at: int) -> Finding:
    """Explain an outcome. `event` is its latest event, `looks` those of its batch; `created_at` in microseconds.

    Raises KeyError for a rule that the engine does not have (any more).
    """
    rule, window = looks.engine.rules[outcome.rule_id], looks.engine.windows[outcome.rule_id]
    sighting = _sighting(looks, outcome, event)
    return Finding(
        id=finding_id(window, outcome.key, outcome.anchor),
        rule_id=rule.id,
        title=rule.title,
        message=_message(rule.message, sighting),
        severity=rule.severity,
        confidence=float(sighting.facts.get("confidence", rule.confidence)),
        entity_type=str(sighting.facts.get("entity_type", rule.entity)),
        entity=_entity(rule, outcome, sighting),
        dataset=event.dataset,
        first_seen_at=instant(outcome.first),
        last_seen_at=instant(outcome.last),
        created_at=instant(created_at),
        count=outcome.count,
        tactics=list(rule.tactics),
        techniques=list(rule.techniques),
        evidence=_evidence(rule, window, outcome, sighting),
        why=rule.why,
        response=rule.response,
        details={name: _detail(sighting, source) for name, source in rule.details.items()},
        trace_id=_text_or_none(event.fields.get("trace.id")),
    )


@lru_cache(maxsize=4096)
def instant(microseconds: int) -> str:
    """Write an instant; findings share theirs, with their updates and with each other."""
    return format_instant(microseconds)


@lru_cache(maxsize=4096)
def _parts(message: str) -> list[str]:
    """Part a message: text, the name of a field, text, and so on."""
    return _PLACEHOLDER.split(message)


def _message(message: str, sighting: _Sighting) -> str:
    parts = list(_parts(message))
    parts[1::2] = [sighting.text(name) for name in parts[1::2]]
    return "".join(parts)


def replaced_id(window: Window, outcome: Outcome) -> str | None:
    """Name the finding that an outcome takes the place of; None where there is none."""
    if outcome.replaced < 0 or outcome.replaced // window.hold == outcome.anchor // window.hold:
        return None
    return finding_id(window, outcome.key, outcome.replaced)


def _sighting(looks: Looks, outcome: Outcome, event: Event) -> _Sighting:
    engine, (view, shown) = looks.engine, looks.at(event)
    rule, window = engine.rules[outcome.rule_id], engine.windows[outcome.rule_id]
    known: dict[str, Any] = {"observed": outcome.observed, "rate": _rate(window, outcome)}
    matches: list[Match] = []
    if isinstance(rule, EventRule) and rule.id in engine.telling:
        matches = explain(rule.detection.condition, view)
    if matches:
        known |= {"matched": matches[0].text, "pattern": matches[0].pattern}
        if ASKED in rule.details.values():
            matched = "\n".join(match.text for match in matches if match.field == DECODED_FIELD)
            known |= opinion_on(engine.opinion, view.fields, matched, rule.confidence)
    fields, grouped = view.fields, _grouped(rule, outcome)
    if unknown := {name: value for name, value in grouped.items() if event.get(name) is None}:
        fields = {**fields, **unknown}
    if unknown or matches:
        shown = _fields(fields, is_matched=bool(matches))
    return _Sighting(event, fields, {**known, **facts(outcome.note)}, matches, grouped, shown)


def _evidence(rule: Rule, window: Window, outcome: Outcome, sighting: _Sighting) -> Evidence:
    correlation = rule.correlation if isinstance(rule, CorrelationRule) else None
    return Evidence(
        event_ids=outcome.event_ids,
        fields=sighting.shown,
        observed=outcome.observed,
        threshold=window.threshold if correlation is None else _threshold(correlation, window),
        window_seconds=window.timespan // MICROSECONDS if window.timespan else None,
        matched={match.field: clean(match.text) for match in reversed(sighting.matches)},
        condition="" if correlation is None else correlation.text,
        rules={
            correlation.references[int(seen.value)]: RuleSeen(count=seen.count, event_id=seen.event_id)
            for seen in outcome.seen
            if correlation is not None and seen.value.isdigit() and int(seen.value) < len(correlation.references)
        },
    )


def _threshold(correlation: Correlation, window: Window) -> float | None:
    """Give the number that was reached; None where it takes more than one number to say, or none."""
    if not window.is_judged:
        return window.threshold
    return correlation.bounds[0].number if len(correlation.bounds) == 1 else None


def _grouped(rule: Rule, outcome: Outcome) -> dict[str, str]:
    """Read what a correlation counted by from the key; with aliases no event has it under that name."""
    names = rule.correlation.group_by if isinstance(rule, CorrelationRule) else ()
    return dict(zip(names, outcome.key.split(KEY_GLUE), strict=False))


def _rate(window: Window, outcome: Outcome) -> int:
    """Average the count over windows, once the finding has lasted longer than one."""
    lasted = max(outcome.last - outcome.first, 1)
    return round(outcome.count * min(1.0, window.timespan / lasted)) if window.timespan else outcome.count


def _entity(rule: Rule, outcome: Outcome, sighting: _Sighting) -> str:
    """Name what the finding is about: what an analytic says, else the rule's entity in the event."""
    value = sighting.facts.get("entity")
    if "entity" not in sighting.facts:
        grouped, name = sighting.grouped, rule.entity
        value = grouped[name] if name in grouped else read(sighting.event, name)
    if value is not None:
        return clean(key_of(value))
    return outcome.key.replace(KEY_GLUE, " ") if isinstance(rule, AnalyticRule) and outcome.key else "unknown"


def _fields(fields: Mapping[str, FieldValue], *, is_matched: bool) -> dict[str, FieldValue]:
    """Choose what is shown; the decoded request only where an expression matched."""
    shown: dict[str, FieldValue] = {}
    for name, value in fields.items():
        if value is None or (name == DECODED_FIELD and not is_matched):
            continue
        if len(shown) == MAX_EVIDENCE_FIELDS and name != DECODED_FIELD:
            continue
        shown[clean(name)] = _shown(value)
    return shown


def _shown(value: FieldValue) -> FieldValue:
    if type(value) is str and len(value) <= MAX_EVIDENCE_CHARACTERS:  # nearly all
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [clean(item[:MAX_EVIDENCE_CHARACTERS]) if isinstance(item, str) else item for item in value[:20]]
    return clean(value[:MAX_EVIDENCE_CHARACTERS]) if isinstance(value, str) else value


def _detail(sighting: _Sighting, source: str) -> Any:
    if source in sighting.shown and not source.startswith(("=", "@")):
        return sighting.shown[source]
    if source.startswith("="):
        return source[1:]
    value = sighting.value(source)
    return _shown(value) if isinstance(value, str | list) else value


def clean(text: str) -> str:
    """Replace zero bytes, which PostgreSQL keeps in neither text nor JSON."""
    return text.replace("\0", "\ufffd")


def _text_or_none(value: FieldValue) -> str | None:
    return clean(value) if isinstance(value, str) and value else None

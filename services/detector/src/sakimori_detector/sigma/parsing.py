"""From YAML documents to pySigma's rules, and to conditions; what is wrong is `Refused`, with its place."""

from typing import Any, Final

from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from sakimori_detector.sigma.compiling import PLAIN, Unsupported, Vocabulary, condition_of
from sakimori_detector.sigma.conditions import Condition
from sakimori_detector.sigma.documents import Document, PathPart
from sakimori_detector.sigma.patterns import POLICY, PatternError
from sakimori_detector.sigma.spellings import respelled
from sakimori_detector.sigma.wildcards import StringError

MAX_CONDITION_CHARACTERS: Final = 10_000
"""pySigma takes some 0.4 s for as many."""
_STAND_IN: Final[dict[str, Any]] = {
    "logsource": {"product": "any"},
    "detection": {"any": {"event.id|exists": True}, "condition": "any"},
}
"""What pySigma checks the rest of a document with that has something else in the place of its detection."""


class Refused(Exception):
    """A file is not used; says why and which part of which document it is about."""

    def __init__(self, document: Document, why: str, *path: PathPart) -> None:
        super().__init__(why)
        self.line, self.column = document.place(*path, mentioned=why)


def parse(document: Document, others: frozenset[str] = frozenset({"correlation"})) -> SigmaRule:
    """Parse and check a document. Of `others`, which may stand in the place of the detection, nothing is checked.

    What a filter filters by stands in the place of its detection. Raises Refused.
    """
    data = document.data
    if not others.isdisjoint(data):
        data = {**_STAND_IN, **{name: value for name, value in data.items() if name not in others}}
        data["detection"] = _STAND_IN["detection"]
    elif isinstance(data.get("filter"), dict):
        data = {**data, "detection": {name: part for name, part in data["filter"].items() if name != "rules"}}
    detection = respelled(data.get("detection"))
    if isinstance(detection, dict) and "condition" in detection:
        _check_condition(document, detection["condition"])
    try:
        return SigmaRule.from_dict({**data, "detection": detection} if detection is not None else data, policy=POLICY)
    except SigmaError as error:
        raise _refusal(document, error) from None
    except (TypeError, AttributeError, ValueError, KeyError, RecursionError) as error:
        raise Refused(document, f"not a Sigma rule: {error}") from None


def _check_condition(document: Document, given: Any) -> None:
    """Refuse what pySigma stumbles over, and what it would take long for."""
    conditions = given if isinstance(given, list) else [given]
    why = ""
    if not all(isinstance(condition, str) for condition in conditions):
        why = f"a condition is text, not '{given}'"
    elif sum(len(str(condition)) for condition in conditions) > MAX_CONDITION_CHARACTERS:
        why = f"the condition has over {MAX_CONDITION_CHARACTERS} characters"
    if why:
        raise Refused(document, why, "detection", "condition")


def compiled(document: Document, rule: SigmaRule, vocabulary: Vocabulary = PLAIN) -> Condition:
    """Compile the detection of a rule. Raises Refused."""
    try:
        return condition_of(rule, vocabulary)
    except SigmaError as error:
        raise _refusal(document, error) from None
    except (Unsupported, PatternError, StringError) as error:
        raise Refused(document, str(error), "detection") from None
    except RecursionError:
        raise Refused(document, "the condition is nested too deep", "detection", "condition") from None


def _refusal(document: Document, error: SigmaError) -> Refused:
    """Point at what a pySigma error is about; it says so by its class only."""
    why = str(error.args[0] if error.args else error)
    name = type(error).__name__.removeprefix("Sigma").removesuffix("Error").lower()
    path: tuple[PathPart, ...] = ("correlation",) if name.startswith("correlation") else _PARTS.get(name, (name,))
    return Refused(document, why, *path)


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

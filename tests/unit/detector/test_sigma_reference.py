"""Random rules and events against an evaluator that is as simple as the specification.

The reference reads the YAML's own structures, knows nothing of pySigma and has no index; texts are matched by
recursion, one character after the other.
"""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sakimori_common.contracts import Event
from sakimori_detector.domain.rules import EventRule
from sakimori_detector.sigma.matcher import Matcher
from sigma_detection import loaded

FIELDS = ("f", "g")
SIGNS = "aAbß\\*?- \n"


def glob(pattern: str, text: str) -> bool:
    """Match a pattern, folded, in which a backslash escapes wildcards and backslashes."""
    if not pattern:
        return not text
    head, rest = pattern[0], pattern[1:]
    if head == "\\" and rest[:1] in {"*", "?", "\\"} and rest:
        return text[:1] == rest[0] and glob(rest[1:], text[1:])
    if head == "*":
        return glob(rest, text) or (bool(text) and glob(pattern, text[1:]))
    if head == "?":
        return bool(text) and glob(rest, text[1:])
    return text[:1] == head and glob(rest, text[1:])


def written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def one_matches(modifiers: list[str], value: Any, held: Any) -> bool:
    if "gte" in modifiers or "lt" in modifiers:
        try:
            number = float(held) if not isinstance(held, bool) else None
        except ValueError:
            number = None
        return number is not None and (number >= value if "gte" in modifiers else number < value)
    pattern, text = written(value), written(held)
    if "cased" not in modifiers:
        pattern, text = pattern.casefold(), text.casefold()
    if "contains" in modifiers:
        return any(
            glob(pattern, text[start:end]) for start in range(len(text) + 1) for end in range(start, len(text) + 1)
        )
    if "startswith" in modifiers:
        return any(glob(pattern, text[:end]) for end in range(len(text) + 1))
    if "endswith" in modifiers:
        return any(glob(pattern, text[start:]) for start in range(len(text) + 1))
    return glob(pattern, text)


def field_matches(key: str, values: Any, event: dict[str, Any]) -> bool:
    name, *modifiers = key.split("|")
    held = event.get(name)
    held = [each for each in (held if isinstance(held, list) else [held]) if each is not None]
    if "exists" in modifiers:
        return (event.get(name) is not None) is values
    results = [
        event.get(name) is None if value is None else any(one_matches(modifiers, value, each) for each in held)
        for value in (values if isinstance(values, list) else [values])
    ]
    found = all(results) if "all" in modifiers else any(results)
    return not found if "neq" in modifiers else found


def selection_matches(selection: Any, event: dict[str, Any]) -> bool:
    if isinstance(selection, list):
        return any(selection_matches(each, event) for each in selection)
    return all(field_matches(key, value, event) for key, value in selection.items())


def condition_holds(condition: Any, selections: dict[str, Any], event: dict[str, Any]) -> bool:
    match condition:
        case str():
            return selection_matches(selections[condition], event)
        case ("not", part):
            return not condition_holds(part, selections, event)
        case ("and", left, right):
            return condition_holds(left, selections, event) and condition_holds(right, selections, event)
        case ("or", left, right):
            return condition_holds(left, selections, event) or condition_holds(right, selections, event)
        case ("1 of", prefix):
            return any(selection_matches(each, event) for name, each in selections.items() if name.startswith(prefix))
    return all(selection_matches(each, event) for name, each in selections.items() if name.startswith(condition[1]))


def spelled(condition: Any) -> str:
    match condition:
        case str():
            return condition
        case ("not", part):
            return f"not ({spelled(part)})"
        case ("and" | "or" as word, left, right):
            return f"({spelled(left)}) {word} ({spelled(right)})"
    return f"{condition[0]} {condition[1]}*"


texts = st.text(SIGNS, max_size=4)
strings = st.one_of(texts, st.lists(texts, min_size=2, max_size=3))
plain = st.one_of(texts, st.integers(-2, 2), st.booleans(), st.none())
items = st.one_of(
    st.tuples(st.sampled_from(["", "|contains", "|startswith", "|endswith", "|cased", "|contains|cased"]), strings),
    st.tuples(st.sampled_from(["|contains|all", "|startswith|all"]), st.lists(texts, min_size=2, max_size=3)),
    st.tuples(st.just(""), st.one_of(plain, st.lists(plain, min_size=1, max_size=3))),
    st.tuples(st.sampled_from(["|gte", "|lt"]), st.integers(-2, 2)),
    st.tuples(st.just("|exists"), st.booleans()),
    st.tuples(st.just("|neq"), texts),
)
maps = st.dictionaries(st.sampled_from(FIELDS), items, min_size=1).map(
    lambda found: {name + modifiers: value for name, (modifiers, value) in found.items()}
)
selections_of = st.fixed_dictionaries(
    {name: st.one_of(maps, st.lists(maps, min_size=1, max_size=2)) for name in ("s1", "s2", "x")}
)
conditions = st.recursive(
    st.one_of(
        st.sampled_from(["s1", "s2", "x"]), st.tuples(st.sampled_from(["1 of", "all of"]), st.sampled_from(["s", "x"]))
    ),
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
    ),
    max_leaves=4,
)
held = st.one_of(texts, st.integers(-2, 2), st.booleans(), st.none(), st.floats(-2, 2, width=16))
events = st.dictionaries(st.sampled_from(FIELDS), st.one_of(held, st.lists(held, max_size=2)))


@settings(max_examples=150, deadline=None)
@given(selections_of, conditions, st.lists(events, min_size=1, max_size=4))
def test_a_rule_means_what_the_reference_says(
    selections: dict[str, Any], condition: Any, some: list[dict[str, Any]]
) -> None:
    detection = "\n".join(f"{name}: {json.dumps(each)}" for name, each in selections.items())
    rules = loaded(f"{detection}\ncondition: '{spelled(condition)}'")
    assert rules.problems == ()
    (rule,) = rules.rules
    assert isinstance(rule, EventRule)
    matcher = Matcher([(rule.detection.condition, "t")])
    met = matcher.met([Event(str(row), 0, "nginx.access", fields) for row, fields in enumerate(some)])
    expected = [row for row, fields in enumerate(some) if condition_holds(condition, selections, fields)]
    assert [row for row, _ in met] == expected

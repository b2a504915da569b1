"""What rules write and pySigma does not read, or reads as something else, in the words that it knows."""

import re
from collections.abc import Mapping
from typing import Any, Final

_MODIFIERS: Final = {"utf16le": "wide"}
"""The specification has both; pySigma 2.0 knows `wide` only."""
_OPERATORS: Final = re.compile(r"(?<![\w*-])(?:AND|OR|NOT|OF|ALL|ANY|THEM)(?![\w*-])")
"""Rules in the wild shout, as the first converter let them; pySigma takes lower case only."""


def respelled(detection: Any) -> Any:
    """Write a rule's `detection` as pySigma knows it; what is not a map of selections comes back as it is.

    `timeframe` belongs to aggregations of the first version of Sigma; pySigma takes it for a selection, which
    `all of them` would then ask for.
    """
    if not isinstance(detection, Mapping):
        return detection
    condition = detection.get("condition")
    conditions = condition if isinstance(condition, list) else [condition]
    is_asked = any(isinstance(each, str) and "timeframe" in each.split() for each in conditions)
    return {
        name: _condition(part, detection) if name == "condition" else _selection(part, 0)
        for name, part in detection.items()
        if name != "timeframe" or is_asked or isinstance(part, Mapping | list)
    }


def _condition(part: Any, detection: Mapping[str, Any]) -> Any:
    if isinstance(part, list):
        return [_condition(each, detection) for each in part]
    if not isinstance(part, str):
        return part
    return _OPERATORS.sub(lambda match: match[0] if match[0] in detection else match[0].lower(), part)


def _selection(part: Any, depth: int) -> Any:
    if isinstance(part, list) and depth < _MAX_DEPTH:
        return [_selection(each, depth + 1) for each in part]
    if isinstance(part, Mapping):
        return {_key(key): value if "|" in str(key) else _value(value) for key, value in part.items()}
    return part


_MAX_DEPTH: Final = 20


def _value(value: Any) -> Any:
    """Write numbers that pySigma would round, by way of floats, as text."""
    if isinstance(value, list):
        return [_value(each) for each in value] if all(not isinstance(each, list) for each in value) else value
    return str(value) if isinstance(value, int) and abs(value) > 2**53 else value


def _key(key: Any) -> str:
    """Write a field with its modifiers; YAML may have made a number of it."""
    field, *modifiers = str(key).split("|")
    return "|".join([field, *(_MODIFIERS.get(modifier, modifier) for modifier in modifiers)])

"""One peer on the same rules and events, in an environment of its own: peers.py runs it, it imports nothing of ours.

    python peer.py NAME < work.json     {"rules": {source: [rule]}, "events": [[source, fields]], "seconds": 3}

Events are flat maps. Each gets only the rules of its log source, which the peers would otherwise all try. Prints how
many rules it took, how many events it worked through in the time, and how often a rule was met, as JSON.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

Matches = Callable[[Any], int]
"""Tries all rules of one source on an event; how many were met."""
Maker = Callable[[list[dict[str, Any]]], tuple[int, Matches]]


def _count(rules: list[Any], matches: Callable[[Any, Any], bool]) -> Matches:
    return lambda event: sum(1 for rule in rules if matches(rule, event))


def azuma(documents: list[dict[str, Any]]) -> tuple[int, Matches]:
    """See Maker: compiled predicates, one after the other."""
    from azuma import Rule  # type: ignore[import-not-found]  # noqa: PLC0415

    rules = [Rule.model_validate(document) for document in documents]
    return len(rules), _count(rules, lambda rule, event: rule.match(event))


def detkit_cli(documents: list[dict[str, Any]]) -> tuple[int, Matches]:
    """See Maker: reads the detection anew for each event; knows no numbers compared."""
    from detkit.evaluator import event_matches_rule, scan_unsupported  # type: ignore[import-not-found]  # noqa: PLC0415

    rules = [each["detection"] for each in documents if not scan_unsupported(each["detection"])]
    return len(rules), _count(rules, event_matches_rule)


def sigma_rule_matcher(documents: list[dict[str, Any]]) -> tuple[int, Matches]:
    """See Maker: pySigma's objects, asked value by value; takes nested events."""
    from sigma.rule import SigmaRule  # noqa: PLC0415
    from sigma_rule_matcher import RuleMatcher  # type: ignore[import-not-found]  # noqa: PLC0415

    rules = []
    for document in documents:
        plain = {key: value for key, value in document.items() if key != "sakimori"}
        try:
            rules.append(RuleMatcher(SigmaRule.from_dict(plain)))
        except Exception as error:  # noqa: BLE001  # whatever it cannot do, it is not asked to
            print(error, file=sys.stderr)
    return len(rules), _count(rules, lambda rule, event: rule.match(_nested(event)))


def _nested(fields: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in fields.items():
        *path, last = name.split(".")
        at = made
        for part in path:
            at = at.setdefault(part, {})
        at[last] = value
    return made


MAKERS: dict[str, Maker] = {
    "azuma": azuma,
    "detkit-cli": detkit_cli,
    "sigma-rule-matcher": sigma_rule_matcher,
}


def main() -> None:
    """Measure for the given time, after a tenth of it to warm up."""
    work = json.load(sys.stdin)
    made = {source: MAKERS[sys.argv[1]](documents) for source, documents in work["rules"].items()}
    _run(made, work["events"], work["seconds"] / 10)
    events, met, seconds = _run(made, work["events"], work["seconds"])
    taken = sum(count for count, _ in made.values())
    print(json.dumps({"rules": taken, "events": events, "met": met, "seconds": seconds}))


def _run(made: dict[str, tuple[int, Matches]], events: list[Any], limit: float) -> tuple[int, int, float]:
    started, met, done = time.process_time(), 0, 0
    for source, fields in events:
        met += made[source][1](fields)
        done += 1
        if time.process_time() - started > limit:
            break
    return done, met, time.process_time() - started


if __name__ == "__main__":
    main()

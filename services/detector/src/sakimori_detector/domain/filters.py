"""Sigma filters: conditions that rules of others must meet besides their own, without changing their files."""

from collections.abc import Iterable

from sakimori_detector.domain.catalogue import Entry
from sakimori_detector.sigma.parsing import Refused


def check_filter(entry: Entry) -> None:
    """See that a filter says which rules it is for. Raises Refused."""
    given = entry.document.data["filter"]
    if not isinstance(given, dict):
        raise Refused(entry.document, "filter: a map", "filter")
    rules = given.get("rules")
    names = rules if isinstance(rules, list) else [rules]
    if rules is None or not all(isinstance(name, str) for name in names):
        raise Refused(entry.document, "filter: rules: 'any', or names or ids of rules", "filter")


def filters_of(entry: Entry, filters: Iterable[Entry]) -> list[Entry]:
    """Choose the filters of a rule: those that name it, or any, and whose log source asks for nothing it has not."""
    return [each for each in filters if _names(each, entry) and _covers(each, entry)]


def _names(each: Entry, entry: Entry) -> bool:
    rules = each.document.data["filter"]["rules"]
    wanted = {name.lower() for name in (rules if isinstance(rules, list) else [rules])}
    own = {str(key).lower() for key in (entry.rule.name, entry.rule.id, entry.rule.title) if key is not None}
    return not wanted or "any" in wanted or not own.isdisjoint(wanted)


def _covers(each: Entry, entry: Entry) -> bool:
    asked, has = each.rule.logsource, entry.rule.logsource
    return (
        asked.category in {None, has.category}
        and asked.product in {None, has.product}
        and asked.service in {None, has.service}
    )

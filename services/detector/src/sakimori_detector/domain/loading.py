"""From the texts of rule files to rules; what is wrong is a Problem with its place, and the rest still loads.

First every file is read (domain/catalogue.py), then rules are built (domain/building.py), so that a correlation may
refer to rules of other files. A file is used in whole or not at all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import PurePosixPath

from sakimori_detector.domain.analytics import World
from sakimori_detector.domain.building import Builder, correlation_in
from sakimori_detector.domain.catalogue import Catalogue, Entry
from sakimori_detector.domain.intelligence.allowed import AllowList
from sakimori_detector.domain.intelligence.entries import Entry as Known
from sakimori_detector.domain.intelligence.feeds import Feed, read_feeds
from sakimori_detector.domain.intelligence.holder import Intelligence
from sakimori_detector.domain.intelligence.lists import ALLOWED_LIST, FEEDS_LIST, read_list, table_of
from sakimori_detector.domain.placeholders import PLACEHOLDERS_PATH, read_placeholders
from sakimori_detector.domain.rules import Rule
from sakimori_detector.sigma.documents import Problem
from sakimori_detector.sigma.parsing import Refused


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What came of a rules' folder."""

    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]
    world: World
    feeds: tuple[Feed, ...] = ()


def load(
    files: Mapping[str, str],
    lists: Mapping[str, str] | None = None,
    zone: tzinfo = UTC,
    *,
    feeds: str = "",
    allowed: Sequence[str] = (),
    intelligence: Intelligence | None = None,
) -> RuleSet:
    """Make rules of files.

    `files` maps a path relative to the rules' folder to its text, placeholders.yml among them, `lists` the same for the
    files of lists/; `zone` is that of local hours. `feeds` is the text of intelligence/feeds.yml, `allowed` what is
    allowed beside lists/allowed.txt, `intelligence` what the rules shall ask.
    """
    problems: list[Problem] = []
    listed = _lists(lists or {}, problems)
    allow_list = AllowList([*read_list("", "\n".join(allowed)).entries, *listed.pop(ALLOWED_LIST, ())])
    tables = {name: table_of(name, entries) for name, entries in listed.items()}
    world = World(zone, tables, intelligence or Intelligence(), allow_list)
    known = read_feeds(feeds)
    problems += known.problems
    placeholders = read_placeholders(files.get(PLACEHOLDERS_PATH), lists or {}, problems)
    catalogue = Catalogue({path: text for path, text in files.items() if path != PLACEHOLDERS_PATH})
    silent = _silent(catalogue)
    ids = _ids(catalogue, silent)
    builder = Builder(catalogue, ids, world, placeholders)
    rules = _rules(catalogue, builder, silent)
    return RuleSet(
        rules, (*problems, *sorted(catalogue.problems, key=lambda problem: problem.path)), world, known.feeds
    )


def _lists(lists: Mapping[str, str], problems: list[Problem]) -> dict[str, list[Known]]:
    found = {}
    for path, text in sorted(lists.items()):
        name = PurePosixPath(path).stem
        if name == FEEDS_LIST:
            problems.append(Problem(path, 1, 1, f"no list may be called {name!r}: that is what feeds say"))
            continue
        found[name], bad = read_list(path, text)
        problems += bad
    return found


def _silent(catalogue: Catalogue) -> set[Entry]:
    """Collect the entries that only serve correlations: referred to, without a block, and not told to `generate`."""
    referred, generating = set(), set()
    for entry in catalogue:
        if entry.kind == "correlation":
            try:
                correlation = correlation_in(entry)
            except Refused:
                continue  # said when its rule is built
            found = {base for name in correlation.references for base in catalogue.candidates(name, entry)}
            referred |= found
            generating |= found if correlation.generate else set()
    return {entry for entry in referred - generating if not entry.is_ours}


def _ids(catalogue: Catalogue, silent: set[Entry]) -> dict[Entry, str]:
    """Give every entry its id. Those of our own rules come first; another one that is taken gets the Sigma id behind.

    A file of ours whose name is taken, or that is not named as its rule, is dropped.
    """
    ids: dict[str, Entry] = {}
    ours: dict[str, list[Entry]] = {}
    for entry in catalogue:
        if entry.is_ours:
            ours.setdefault(entry.path, []).append(entry)
    for path, entries in ours.items():
        try:
            for entry in entries:
                ids[_own_id(entry, ids, len(entries))] = entry
        except Refused as error:
            catalogue.drop(path, error)
    for entry in sorted(catalogue, key=lambda entry: entry in silent):
        if not entry.is_ours:
            ids[_free_id(entry, ids)] = entry
    return {entry: name for name, entry in ids.items()}


def _own_id(entry: Entry, taken: Mapping[str, Entry], siblings: int) -> str:
    name = entry.rule.name
    if name != entry.stem and (siblings == 1 or name is None):
        why = f"name: must be {entry.stem!r}, as the file" if siblings == 1 else "name: missing"
        raise Refused(entry.document, why, "name")
    if name in taken:
        raise Refused(entry.document, f"the rule {name!r} is in {taken[name].path} already", "name")
    return name


def _free_id(entry: Entry, taken: Mapping[str, Entry]) -> str:
    name = entry.rule.name or entry.stem
    if name in taken and entry.rule.id is not None:
        name = f"{name}_{str(entry.rule.id)[:8]}"
    number, free = 2, name
    while free in taken:
        number, free = number + 1, f"{name}_{number}"
    return free


def _each_file(catalogue: Catalogue, use: Callable[[Entry], object]) -> bool:
    """Use every entry; the files in which that was refused are dropped. Says whether any was."""
    dropped = False
    for path, entries in list(catalogue.files.items()):
        try:
            for entry in entries:
                use(entry)
        except Refused as error:
            catalogue.drop(path, error)
            dropped = True
    return dropped


def _rules(catalogue: Catalogue, builder: Builder, silent: set[Entry]) -> tuple[Rule, ...]:
    """Build the filters, what stands on its own, then the correlations, again while files go that they may refer to."""
    made: dict[Entry, Rule] = {}

    def filtering(entry: Entry) -> None:
        if entry.kind == "filter":
            builder.add_filter(entry)

    def alone(entry: Entry) -> None:
        if entry.kind in {"detection", "analytic"}:
            made[entry] = builder.analytic_rule(entry) if entry.kind == "analytic" else builder.event_rule(entry)

    def correlated(entry: Entry) -> None:
        if entry.kind == "correlation":
            made[entry] = builder.correlation_rule(entry)

    _each_file(catalogue, filtering)
    _each_file(catalogue, alone)
    while _each_file(catalogue, correlated):
        builder.forget_correlations()
    return tuple(made[entry] for entry in catalogue if entry in made and entry not in silent)

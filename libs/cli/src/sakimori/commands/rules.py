"""`sakimori rules`: what is loaded, what is wrong with a file, and the cases of each rule."""

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfoNotFoundError

import typer

from sakimori.commands.rules_import import import_
from sakimori.content import rules_dir
from sakimori_detector.domain.cases import missing_cases
from sakimori_detector.domain.loading import RuleSet
from sakimori_detector.offline import load_folder, play

rules = typer.Typer(
    name="rules", help="Detection content: what is loaded, what is wrong, its cases.", no_args_is_help=True
)

rules.command(name="import")(import_)

Folder = Annotated[Path | None, typer.Argument(help="The rules' folder; by default DETECTOR_RULES_DIR or ./rules.")]
TimeZone = Annotated[
    str, typer.Option(envvar="DETECTOR_TIME_ZONE", help="Zone of local hours, as tz database names it.")
]


@rules.command(name="list")
def list_(folder: Folder = None, time_zone: TimeZone = "Asia/Tokyo") -> None:
    """List the rules that load: severity, id, datasets, title."""
    loaded = loaded_rules(folder, time_zone)
    for rule in loaded.rules:
        typer.echo(f"{rule.severity:<8}  {rule.id:<32}  {','.join(rule.datasets) or '-':<32}  {rule.title}")
    report_problems(loaded)
    raise typer.Exit(1 if loaded.problems else 0)


@rules.command()
def check(folder: Folder = None, time_zone: TimeZone = "Asia/Tokyo") -> None:
    """Check every file: does it load, has it a case that fires and a near miss.

    Rules without a `sakimori:` block are somebody else's and need no cases.
    """
    loaded = loaded_rules(folder, time_zone)
    problems = [*loaded.problems, *(problem for rule in loaded.rules for problem in missing_cases(rule))]
    for problem in sorted(problems, key=lambda problem: (problem.path, problem.line, problem.column)):
        typer.echo(str(problem))
    imported = sum(rule.is_imported for rule in loaded.rules)
    note = f" ({imported} of them imported, no cases)" if imported else ""
    typer.echo(f"{len(loaded.rules)} rules loaded{note}, {len(problems)} problems", err=True)
    raise typer.Exit(1 if problems else 0)


@rules.command()
def test(folder: Folder = None, time_zone: TimeZone = "Asia/Tokyo") -> None:
    """Play the cases of every rule."""
    loaded = loaded_rules(folder, time_zone)
    failed = played = 0
    for rule in loaded.rules:
        for case in rule.cases:
            result = play(rule, case, loaded.world)
            played, failed = played + 1, failed + bool(result.why)
            note = f": {result.why} ({rule.path}:{case.line})" if result.why else ""
            typer.echo(f"{'FAIL' if result.why else 'ok  '}  {rule.id}: {case.name}{note}")
    report_problems(loaded)
    typer.echo(f"{played} cases played, {failed} failed, {len(loaded.problems)} files refused", err=True)
    raise typer.Exit(1 if failed or loaded.problems else 0)


def loaded_rules(folder: Path | None, time_zone: str, kept_feeds: Path | None = None) -> RuleSet:
    """Load the rules or end with status 2 and a sentence; `kept_feeds` has the last good copies of feeds."""
    try:
        return load_folder(folder or rules_dir(), time_zone, kept_feeds)
    except FileNotFoundError as error:
        typer.echo(f"sakimori: {error}", err=True)
    except (ZoneInfoNotFoundError, ValueError):
        typer.echo(f"sakimori: {time_zone}: no such time zone", err=True)
    raise typer.Exit(2)


def report_problems(loaded: RuleSet) -> None:
    """Say on stderr what was refused."""
    for problem in loaded.problems:
        typer.echo(str(problem), err=True)

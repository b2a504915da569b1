"""`sakimori rules import`: public Sigma rules as they are, and what became of each file."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import typer

from sakimori.content import rules_dir
from sakimori_detector.adapters.files import read_files
from sakimori_detector.domain.importing import FileReport, Verdict, is_rule_file, reports, summary
from sakimori_detector.domain.loading import RuleSet, load

Source = Annotated[Path, typer.Argument(help="A folder of Sigma rules, such as a checkout of a public rule set.")]
Target = Annotated[Path | None, typer.Option("--into", help="Where the files go; by default imported/ of the rules.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Copy nothing, only say what would be loaded.")]

_WORDS: Final[dict[Verdict, str]] = {
    "loaded": "loaded",
    "unmapped": "not mapped",
    "refused": "refused",
    "skipped": "skipped",
}


def import_(folder: Source, into: Target = None, dry_run: DryRun = False) -> None:
    """Load a folder of public Sigma rules, say what became of each file, and copy what loads, unchanged.

    Files that are refused or hold no rule are not copied. Ends with 1 if no rule loaded: in a foreign rule set a file
    that is refused is nobody's mistake here.
    """
    if not folder.is_dir():
        typer.echo(f"sakimori: {folder}: no such folder", err=True)
        raise typer.Exit(2)
    made = examined(folder)
    for report in made:
        typer.echo(f"{_WORDS[report.verdict]:<10}  {_line(report)}")
    typer.echo(summary(made), err=True)
    usable = [report.path for report in made if report.verdict in {"loaded", "unmapped"}]
    target = into or rules_dir() / "imported"
    if usable and not dry_run:
        try:
            copied = _copy(folder, target, usable)
        except OSError as error:
            typer.echo(f"sakimori: {error.filename}: {error.strerror}", err=True)
            raise typer.Exit(2) from None
        typer.echo(f"{copied} files copied to {target}", err=True)
    raise typer.Exit(0 if usable else 1)


def examined(folder: Path) -> list[FileReport]:
    """Load the rules of a folder and say of each file what became of it."""
    files = read_files(folder)
    rules = {path: text for path, text in files.rules.items() if is_rule_file(text)}
    loaded = load(rules, files.lists)
    found = RuleSet(loaded.rules, (*files.problems, *loaded.problems), loaded.world)
    skipped = [path for path in files.rules if path not in rules]
    return reports(list(rules), skipped, found)


def _line(report: FileReport) -> str:
    place = report.note if report.verdict == "refused" else f"{report.path}: {report.note}"
    kept = f"; fields as they are: {', '.join(report.kept_fields)}" if report.kept_fields else ""
    return place + kept


def _copy(folder: Path, target: Path, paths: Iterable[str]) -> int:
    """Copy rules with the licence beside them; gives their number."""
    licences = [path.name for path in folder.iterdir() if path.is_file() and path.name.upper().startswith("LICEN")]
    names = [*paths, *licences]
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, target / name)
    return len(names)

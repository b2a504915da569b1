"""docs/reference/formats.md names every format there is, and its example works."""

import re
from pathlib import Path
from typing import Any

import yaml

from sakimori_collector.domain.format import LineRejected, Reference
from sakimori_collector.domain.formats import FORMATS
from sakimori_collector.domain.formats.syslog_program import format_of
from sakimori_collector.domain.programs.program import Program
from sakimori_common.instants import format_instant, parse_instant

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "formats.md").read_text(encoding="utf-8")


def test_the_tables_name_every_format_and_no_other() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \|", PAGE, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == set(FORMATS)


def test_the_example_does_what_its_cases_say() -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    [cases] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  # the page's own text
    program = names["TURNSTILE"]
    assert isinstance(program, Program)
    example, reference = format_of(program), Reference(parse_instant("2026-01-16T02:00:00Z"))
    read, refused = yaml.safe_load(cases)["cases"]
    [(time, fields)] = example.parse(read["line"], reference)
    assert {"@timestamp": format_instant(time), **fields} == read["events"][0]
    try:
        example.parse(refused["line"], reference)
    except LineRejected as error:
        assert refused["rejected"] in str(error)

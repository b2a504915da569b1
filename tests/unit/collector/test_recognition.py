"""`auto`: each line finds its format, and the short way to it finds what the long one does."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sakimori_collector.domain.formats import ASKED, FORMATS, Format, recognise
from sakimori_collector.domain.formats.syslog_program import SYSLOG, is_usual

FOLDER = Path(__file__).parents[2] / "formats"
LINES = [
    (path.stem, case["line"], case.get("path", ""))
    for path in sorted(FOLDER.glob("*.yml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))["cases"]
    if "line" in case and "rejected" not in case
]


def asked_one_by_one(line: str, path: str) -> Format | None:
    if is_usual(line):
        return SYSLOG
    return next((known for known in ASKED if known.recognises(line, path)), None)


@pytest.mark.parametrize(("name", "line", "path"), LINES)
def test_the_first_character_rules_nothing_out_that_fits(name: str, line: str, path: str) -> None:
    assert recognise(line, path) is asked_one_by_one(line, path)


@given(st.sampled_from(LINES), st.text(max_size=3), st.integers(0, 40))
def test_nor_for_lines_that_are_damaged(case: tuple[str, str, str], text: str, place: int) -> None:
    _, line, path = case
    damaged = text + line[place:]
    assert recognise(damaged, path) is asked_one_by_one(damaged, path)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (
            "Jan 16 01:59:58 web-1 app: 2026-01-16 01:59:58,123 fail2ban.actions [1]: NOTICE [sshd] Ban x",
            "linux.syslog",
        ),
        ("2026-01-16 01:59:58 web-1 app[7]: ready", "linux.syslog"),
        ("2026-01-16 01:59:58 7 [Note] web-1 app[7]: ready", "mysql.error"),
        ("2026-01-16 01:59:58.123 UTC [7] LOG:  exim: authenticator failed for x", "postgresql.log"),
        ("type=USER_LOGIN msg=audit(1768528798.123:456): user=a level=info msg='op=login res=failed'", "linux.auditd"),
        ('{"message": "Jan 16 01:59:58 web-1 sshd[1]: Failed password for root from 192.0.2.1 port 5 ssh2"}', "json"),
    ],
)
def test_a_line_inside_another_does_not_name_the_format(line: str, name: str) -> None:
    found = recognise(line, "")
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("line", ["", " ", "hello", "2026-01-16", "Jan 16", "type=", "<>", "{", "[", "Mon Jan 16", "1"])
def test_scraps_are_of_no_format_or_raise_nothing(line: str) -> None:
    found: Any = recognise(line, "")
    assert found is None or found.name in FORMATS

"""The engine as somebody would use it who has nothing else of Sakimori."""

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

from sakimori_detector.sigma import PlainEvent, Vocabulary, load_rules

PACKAGE = Path(__file__).resolve().parents[3] / "services/detector/src/sakimori_detector/sigma"

RULE = """
title: Failed login
logsource: {category: authentication}
detection:
  failed: {Outcome: failure, User|expand: '%admins%'}
  condition: failed
"""


def test_the_example_of_the_readme_does_what_it_says() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "README.md", "exec"), {})  # noqa: S102  # our own file
    first, second = printed.getvalue().splitlines()
    assert first == "1 Somebody looks for secrets /.ENV"
    assert second.startswith("broken.yml 2 ")


def test_fields_and_placeholders_have_the_words_of_the_vocabulary() -> None:
    vocabulary = Vocabulary(lambda name: {"Outcome": "event.outcome"}.get(name, name), {"admins": ["root"]})
    rules = load_rules({"a.yml": RULE}, vocabulary)
    hits = rules.evaluate(
        [PlainEvent("1", {"event.outcome": "failure", "User": "Root"}), PlainEvent("2", {"User": "root"})]
    )
    assert [hit.event.id for hit in hits] == ["1"]


def test_rules_are_chosen_by_the_dataset() -> None:
    text = RULE.replace(", User|expand: '%admins%'", "")
    rules = load_rules({"a.yml": text}, means=lambda rule, dataset: dataset == rule.logsource.category)
    events = [PlainEvent("1", {"Outcome": "failure"}, "web"), PlainEvent("2", {"Outcome": "failure"}, "authentication")]
    assert [hit.event.id for hit in rules.evaluate(events)] == ["2"]


def test_a_correlation_is_passed_over_and_its_base_is_a_rule() -> None:
    text = RULE.replace(", User|expand: '%admins%'", "") + "---\ntitle: C\ncorrelation: {type: event_count}\n"
    rules = load_rules({"a.yml": text})
    assert [rule.sigma.title for rule in rules.rules] == ["Failed login"]
    assert rules.problems == []


def test_it_can_be_imported_without_the_rest_of_sakimori() -> None:
    program = (
        "import sys, sakimori_detector.sigma; print([name for name in sys.modules if name.startswith('sakimori')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "sakimori_common" not in done.stdout
    assert "sakimori_detector.domain" not in done.stdout

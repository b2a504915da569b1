"""The registry of actions against what services emit and what the rules ask for (S0-56)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sakimori_chat.bots.domain.occurrences import BotAction
from sakimori_chat.domain.occurrences import Action
from sakimori_common.contracts import ACTIONS

REPOSITORY = Path(__file__).resolve().parents[3]
RULES = sorted(path for path in (REPOSITORY / "rules").rglob("*.yml"))
WRITTEN = re.compile(r'(?:"event\.action": "|")((?<=event\.action": ")[^"]+|(?:security|system)\.[a-z_]+|ssh_[a-z_]+)"')
"""Actions as code spells them: beside the field's name, or by their beginning."""


def actions_in(value: Any) -> Iterator[str]:
    """Find what a rule's documents say of event.action: conditions, parameters of analytics, cases."""
    if isinstance(value, dict):
        for name, item in value.items():
            if str(name) == "event.action":
                yield from (str(each) for each in (item if isinstance(item, list) else [item]))
            else:
                yield from actions_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from actions_in(item)


def test_every_event_of_the_chat_is_registered() -> None:
    assert {action for action in Action if action not in ACTIONS} == set()
    assert {ACTIONS[action].category for action in Action} == {"chat"}


def test_every_event_of_bots_is_registered_and_every_registered_one_is_emitted() -> None:
    assert set(BotAction) == {action for action, kind in ACTIONS.items() if kind.category == "bot"}


def test_every_action_that_the_code_writes_is_registered() -> None:
    written: set[str] = set()
    for path in (REPOSITORY / "services").glob("*/src/**/*.py"):
        written |= set(WRITTEN.findall(path.read_text(encoding="utf-8")))
    assert {"ssh_login", "console_login", "device.sighted", "security.csrf_failed"} < written
    assert written - set(ACTIONS) == set()


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_a_rule_asks_for_registered_actions_only(path: Path) -> None:
    asked = {
        action for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) for action in actions_in(document)
    }
    assert {action for action in asked if action not in ACTIONS} == set()


def test_techniques_are_written_as_attack_writes_them() -> None:
    assert [kind for kind in ACTIONS.values() if kind.technique and not re.fullmatch(r"T\d{4}", kind.technique)] == []

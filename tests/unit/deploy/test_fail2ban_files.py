"""The jails read what the chat writes and shut the doors that there are."""

import re
from configparser import ConfigParser
from fnmatch import fnmatch

import pytest
import yaml

from dashboards import DEPLOY
from sakimori_common.contracts import ACTIONS

FOLDER = DEPLOY / "fail2ban"
JAILS = ("sakimori-bot", "sakimori-chat", "sakimori-chat-flood")


def _jails() -> ConfigParser:
    parser = ConfigParser()
    parser.read(FOLDER / "jail.d" / "sakimori.conf")
    return parser


def test_the_jails_read_where_the_overlay_has_the_chat_write() -> None:
    chat = yaml.safe_load((DEPLOY / "compose.fail2ban.yml").read_text())["services"]["chat"]
    ((of_host, inside),) = [re.fullmatch(r"\$\{\w+:-(.+)\}:(.+)", volume).groups() for volume in chat["volumes"]]  # type: ignore[union-attr]
    assert chat["environment"]["LOG_DIR"] == inside
    assert fnmatch(f"{of_host}/security.log", _jails()["sakimori-bot"]["logpath"])


@pytest.mark.parametrize("jail", JAILS)
def test_every_door_is_shut_and_nobodys_ports_are_left_alone(jail: str) -> None:
    ports = _jails()[jail]["port"].split(",")
    assert ports == ["http", "https", "8000", "1481:1483", "1491:1493"]
    assert {option: _jails()[jail][option] for option in ("findtime", "bantime")} == {
        "findtime": "600",
        "bantime": "3600",
    }


@pytest.mark.parametrize("jail", JAILS)
def test_a_filter_names_actions_that_there_are(jail: str) -> None:
    text = (FOLDER / "filter.d" / f"{jail}.conf").read_text()
    named = set()
    for prefix, choices in re.findall(r'"action":"(\w+)\\\.(\(\?:[\w|]+\)|\w+)"', text):
        named |= {f"{prefix}.{choice}" for choice in choices.removeprefix("(?:").removesuffix(")").split("|")}
    assert named
    assert named <= set(ACTIONS)

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sakimori_chat.adapters.suffixes import is_suffix
from sakimori_chat.domain.checking.links import Links, lookalike
from sakimori_chat.domain.checks import Said
from sakimori_chat.domain.rooms import CheckName, CheckPolicy, Reaction, RoomPolicy

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "cases" / "links.yml").read_text("utf-8"))
LINKS = Links(is_suffix)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["why"]))
def test_links_are_found_however_they_are_written(case: dict[str, Any]) -> None:
    assert [link.host for link in LINKS.links(case["text"])] == case["hosts"]


def test_a_room_allows_so_many_links() -> None:
    said = Said("example.com and example.org", "", "one", 0.0)
    two = RoomPolicy(checks={CheckName.LINKS: CheckPolicy(reaction=Reaction.HOLD, threshold=2)})
    one = RoomPolicy(checks={CheckName.LINKS: CheckPolicy(reaction=Reaction.HOLD, threshold=1)})
    none = RoomPolicy(checks={CheckName.LINKS: CheckPolicy(reaction=Reaction.HOLD)})
    assert LINKS.objection(said, two) is None
    objection = LINKS.objection(said, one)
    assert objection is not None
    assert (objection.score, objection.threshold, objection.reasons) == (2.0, 1, ("example.com", "example.org"))
    assert objection.outline == ("links: 2",)
    assert LINKS.objection(said, none) is not None
    assert LINKS.objection(Said("no link", "", "one", 0.0), none) is None


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("ехаmрlе.com", "example.com"),  # Cyrillic е, х, а, р
        ("xn--80ak6aa92e.com", "apple.com"),  # the same, as browsers write it
        ("münchen.example", None),
        ("xn--mnchen-3ya.example", None),
        ("пример.example", None),
        ("例え.example", None),
        ("example.com", None),
        ("xn--a-.com", None),
    ],
)
def test_hosts_that_look_like_others_are_told(host: str, plain: str | None) -> None:
    assert lookalike(host) == plain


def test_a_host_that_looks_like_another_is_not_among_those_allowed() -> None:
    policy = RoomPolicy(checks={CheckName.LINKS: CheckPolicy(reaction=Reaction.HOLD, threshold=5)})
    objection = LINKS.objection(Said("https://ехаmрlе.com/", "", "one", 0.0), policy)
    assert objection is not None and objection.reasons == ("ехаmрlе.com looks like example.com",)
    assert objection.outline == ("links: 1", "made to look like another host: 1")


@given(st.text(alphabet="ab.:/@ -。[]()dotxhp*com\u200b", max_size=300))
def test_every_text_gets_an_answer(text: str) -> None:
    LINKS.links(text)

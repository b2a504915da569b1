"""Keyed hashes in place of values."""

import re

from sakimori_collector.domain.privacy.pseudonyms import Pseudonyms
from sakimori_common.contracts import Event, FieldValue

KEY = "privacy-key-of-the-tests"
FIELDS = ["user.name", "source.ip", "source.user.name", "email.to.address"]


def hashed(fields: dict[str, FieldValue], key: str = KEY) -> dict[str, FieldValue]:
    made = Event("x", 0, "test", dict(fields))
    Pseudonyms(key, FIELDS).change([made])
    return made.fields


def test_a_value_is_the_same_token_in_every_field_of_its_kind_and_under_the_same_key_only() -> None:
    one = hashed({"user.name": "hanako", "source.user.name": "hanako", "source.ip": "203.0.113.7"})
    assert re.fullmatch(r"user-[0-9a-f]{16}", str(one["user.name"]))
    assert one["user.name"] == one["source.user.name"] == hashed({"user.name": "hanako"})["user.name"]
    assert re.fullmatch(r"ip-[0-9a-f]{16}", str(one["source.ip"]))
    assert one["user.name"] != hashed({"user.name": "taro"})["user.name"]
    assert one["user.name"] != hashed({"user.name": "hanako"}, "another-privacy-key")["user.name"]


def test_the_value_goes_from_the_other_texts_of_the_event_where_it_stands_alone() -> None:
    made = hashed({"user.name": "hanako", "source.ip": "203.0.113.7", "message": "hanako from 203.0.113.7:22; hanako2"})
    assert made["message"] == f"{made['user.name']} from {made['source.ip']}:22; hanako2"


def test_an_address_within_another_stays() -> None:
    made = hashed({"source.ip": "203.0.113.7", "message": "203.0.113.77 1.203.0.113.7 203.0.113.7."})
    assert made["message"] == f"203.0.113.77 1.203.0.113.7 {made['source.ip']}."


def test_lists_are_replaced_item_by_item_and_what_is_empty_stays() -> None:
    made = hashed({"email.to.address": ["a@shop.example", "b@shop.example"], "user.name": ""})
    assert isinstance(made["email.to.address"], list)
    assert all(re.fullmatch(r"email-[0-9a-f]{16}", str(item)) for item in made["email.to.address"])
    assert made["user.name"] == ""


def test_what_the_collector_itself_says_stays() -> None:
    made = hashed({"user.name": "file", "sakimori.input": "file", "log.file.path": "/file", "observer.name": "file"})
    assert [made[name] for name in ("sakimori.input", "log.file.path", "observer.name")] == ["file", "/file", "file"]

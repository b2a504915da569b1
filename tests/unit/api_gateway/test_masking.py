"""Pseudonyms in place of addresses."""

import re

import pytest

from sakimori_api_gateway.domain.masking import AddressMask

MASK = AddressMask("a secret of the tests that has 32+ characters")


@pytest.mark.parametrize(
    "address", ["203.0.113.42", "2001:db8::7", "::1", "2001:db8:0:0:0:0:0:7", "::ffff:203.0.113.42", "fe80::1"]
)
def test_an_address_becomes_a_pseudonym_wherever_it_stands(address: str) -> None:
    for text in (f"{address}", f"検出: {address}", f"from {address}, port 22", f"[{address}]", f"x={address};"):
        masked = MASK.text(text)
        assert address not in masked
        assert re.search(r"ip-[0-9a-f]{12}", masked)


def test_an_address_with_a_port_is_masked() -> None:
    assert "203.0.113.42" not in MASK.text("203.0.113.42:22")


def test_the_same_address_is_the_same_pseudonym_and_another_key_gives_another() -> None:
    assert MASK.text("203.0.113.42") == MASK.text("::ffff:203.0.113.42")
    assert MASK.text("203.0.113.42") != MASK.text("203.0.113.43")
    assert MASK.text("203.0.113.42") != AddressMask("another secret of the tests, 32 characters").text("203.0.113.42")


@pytest.mark.parametrize(
    "text", ["2026-01-16T02:00:00.000Z", "02:42:ac:11:00:02", "10:30:00", "a::b::c", "version 1.2.3", "", "::" * 500]
)
def test_what_is_no_address_stays(text: str) -> None:
    assert MASK.text(text) == text


def test_every_text_of_a_value_is_masked_keys_too() -> None:
    masked = MASK.value({"203.0.113.42": ["203.0.113.42", {"n": 5, "on": True, "none": None}], "t": "203.0.113.42"})
    assert "203.0.113.42" not in str(masked)
    assert next(iter(masked.values()))[1] == {"n": 5, "on": True, "none": None}

"""What deploy/bots/README.md promises strangers, against the code."""

import re
from pathlib import Path

from sakimori_chat.bots.domain import refusals
from sakimori_chat.bots.domain.device import Bot, BotStatus
from sakimori_chat.bots.domain.limits import BotLimits, BotOutcome, BotVerdict, Period
from sakimori_chat.bots.domain.refusals import BotRefusal, refusal_of_status, refusal_of_verdict
from sakimori_chat.bots.domain.signature import claim_of, sign

README = (Path(__file__).resolve().parents[3] / "deploy" / "bots" / "README.md").read_text(encoding="utf-8")
OF_HTTP_ONLY = {"json_required", "no_such_room", "too_many_registrations", "too_many_secrets", "too_long"}
"""Codes that are put together where they are used."""


def _told() -> dict[str, int]:
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \|", README, re.MULTILINE)
    return {code: int(status) for status, codes in rows for code in re.findall(r"`([a-z_]+)`", codes)}


def _known() -> dict[str, int]:
    made: list[BotRefusal | None] = [value for value in vars(refusals).values() if isinstance(value, BotRefusal)]
    made += [refusals.malformed("x"), refusals.not_understood("x")]
    made += refusals.UNWELCOME.values()
    made += [refusal_of_status(Bot("b", "n", status)) for status in BotStatus]
    made += [refusal_of_verdict("b", BotVerdict(outcome, (), Period.MINUTE, 1)) for outcome in BotOutcome]
    return {refusal.code: refusal.status for refusal in made if refusal is not None}


def test_every_refusal_is_told_with_its_status_and_none_that_there_is_not() -> None:
    told, known = _told(), _known()
    assert known == {code: status for code, status in told.items() if code not in OF_HTTP_ONLY}
    assert told.keys() >= OF_HTTP_ONLY


def test_the_example_of_a_signature_is_right() -> None:
    signature = re.search(r"X-Sakimori-Signature: (v1=[0-9a-f]{64})", README)
    secret = re.search(r"`(sbk_[A-Za-z0-9_-]{43})`", README)
    assert signature is not None
    assert secret is not None
    claim = claim_of(
        bot_id="bot-0123456789abcdef",
        timestamp="1768528800",
        nonce="AAAAAAAAAAAAAAAA",
        signature=signature[1],
        method="POST",
        target=b"/bots/messages",
        body=b'{"room":"lobby","text":"It will rain."}',
    )
    assert sign(secret[1].encode(), claim.text()) == signature[1]


def test_the_limits_are_the_ones_that_hold() -> None:
    limits = BotLimits()
    assert f'"minute";q={limits.minute};w=60, "hour";q={limits.hour};w=3600, "day";q={limits.day};w=86400' in README

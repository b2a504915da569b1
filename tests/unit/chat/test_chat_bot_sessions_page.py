"""What deploy/bots/sessions.md tells strangers, against the code."""

import json
import re
from pathlib import Path

from sakimori_chat.bots.domain import endings
from sakimori_chat.bots.domain.device import BotSecret
from sakimori_chat.bots.domain.endings import Ending, close_code
from sakimori_chat.bots.domain.frames import Post, bodies, envelopes, handshakes, signed_text
from sakimori_chat.bots.domain.refusals import BotRefusal
from sakimori_chat.bots.domain.session import FaultCode
from sakimori_chat.bots.domain.signature import SESSION_METHOD, SESSION_TARGET, claim_of, signer_of, tag_of

PAGE = (Path(__file__).resolve().parents[3] / "deploy" / "bots" / "sessions.md").read_text(encoding="utf-8")
SECRETS = (BotSecret(b"sbk_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"),)
UNSEEN = {Ending.LEFT, FaultCode.CLOSED}
"""A bot that left is told nothing, nor one whose session is closed."""


def _lines_with(word: str) -> list[str]:
    return [line.strip() for line in PAGE.splitlines() if line.startswith("    {") and word in line]


def test_the_handshake_is_signed_as_the_page_says() -> None:
    (line,) = _lines_with('"handshake",')
    handshake = handshakes.decode(line)
    claim = claim_of(
        bot_id=handshake.id,
        timestamp=str(handshake.timestamp),
        nonce=handshake.nonce,
        signature=handshake.signature,
        method=SESSION_METHOD,
        target=SESSION_TARGET,
        body=handshake.body,
    )
    assert signer_of(claim.text(), claim.tag, SECRETS, 0.0) is not None


def test_the_frame_is_signed_as_the_page_says() -> None:
    (answer,), (line,) = _lines_with("handshake_complete"), _lines_with('"sequence"')
    envelope = envelopes.decode(line)
    text = signed_text(json.loads(answer)["session"], envelope.sequence, envelope.body)
    assert signer_of(text, tag_of(envelope.signature), SECRETS, 0.0) is not None
    assert isinstance(bodies.decode(envelope.body), Post)


def test_every_end_and_every_refusal_is_told() -> None:
    told = set(re.findall(r"`([a-z0-9_]+)`", PAGE))
    refused = {value.code for value in vars(endings).values() if isinstance(value, BotRefusal)}
    refused |= {endings.too_many_connects(1).code, endings.rapid_reconnect(1).code}
    ends = {str(code) for code in [*Ending, *FaultCode] if code not in UNSEEN} | refused
    assert ends - told == set()


def test_close_codes_are_those_of_the_page() -> None:
    rows = re.findall(r"^\| ((?:`[a-z0-9_]+`(?:, )?)+) \|.*\| (\d{4}) \|$", PAGE, re.MULTILINE)
    told = {code: int(number) for codes, number in rows for code in re.findall(r"`([a-z0-9_]+)`", codes)}
    assert len(told) >= 18
    assert told == {code: close_code(code) for code in told}

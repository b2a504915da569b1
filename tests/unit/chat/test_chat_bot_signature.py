import hmac
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_chat.bots.domain.device import BotSecret
from sakimori_chat.bots.domain.signature import (
    Claim,
    MalformedClaim,
    claim_of,
    is_authentic,
    is_skewed,
    sign,
    signer_of,
    tag_of,
)

SECRET = BotSecret(b"sbk_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG")
OTHER = BotSecret(b"sbk_another-secret-another-secret-another-secre")
NOW = 1_768_528_800.0

# Each signature was made with `openssl dgst -sha256 -hmac`, not with the code under test.
VECTORS = [
    (
        ("POST", b"/bots/messages", "1768528800", "AAAAAAAAAAAAAAAA"),
        b'{"room":"lobby","text":"It will rain."}',
        "v1=88d94f1be60f210973441b2d127e9a5cfb359ebfab730731335ad4ea1342bf7c",
    ),
    (
        ("GET", b"/bots/messages?room=lobby&after=41", "1768528801", "n_-" + "x" * 61),
        b"",
        "v1=57f053a3b0c89733a28deb917308f7a70c257d5ff929c3f5a4ac2dbaedec4515",
    ),
    (
        ("SESSION", b"/bots/ws", "1768528802", "0123456789abcdef"),
        b"bot-0123456789abcdef\nWeather\n1.0",
        "v1=3d3d94a5c687e1f89285bd957007fbe6eec1e70995513ff8db90f7c4cbb40c89",
    ),
    (
        ("POST", b"/bots/messages", "1768528803", "BBBBBBBBBBBBBBBB"),
        '{"room":"lobby","text":"雨"}'.encode(),
        "v1=2e71a83d46af1a828fb42726f98a6140c0ec5542462682a143c27200af4c0a6e",
    ),
]


def _claim(head: tuple[str, bytes, str, str], body: bytes, signature: str) -> Claim:
    method, target, timestamp, nonce = head
    return claim_of(
        bot_id="bot-0123456789abcdef",
        timestamp=timestamp,
        nonce=nonce,
        signature=signature,
        method=method,
        target=target,
        body=body,
    )


GOOD = _claim(*VECTORS[0])


def _is_signed(claim: Claim) -> bool:
    return signer_of(claim.text(), claim.tag, [SECRET], NOW) is SECRET


@pytest.mark.parametrize(("head", "body", "signature"), VECTORS)
def test_a_signature_made_elsewhere_is_right(head: tuple[str, bytes, str, str], body: bytes, signature: str) -> None:
    claim = _claim(head, body, signature)
    assert _is_signed(claim)
    assert sign(SECRET.key, claim.text()) == signature


def test_the_signed_text_is_six_lines_without_an_end() -> None:
    assert GOOD.text() == (
        b"SAKIMORI-HMAC-SHA256\nPOST\n/bots/messages\n1768528800\nAAAAAAAAAAAAAAAA\n"
        b"96a7ce30730f70eb7d5ad491ec905c31e4aedb29a4214c953532dab9b7aa5b8c"
    )


@pytest.mark.parametrize(
    "altered",
    [
        replace(GOOD, body=GOOD.body + b" "),
        replace(GOOD, body=GOOD.body.replace(b"rain", b"Rain")),
        replace(GOOD, method="GET"),
        replace(GOOD, target=b"/bots/messages?"),
        replace(GOOD, target=b"/bots/message%73"),
        replace(GOOD, timestamp=GOOD.timestamp + 1),
        replace(GOOD, nonce="AAAAAAAAAAAAAAAB"),
        replace(GOOD, tag=bytes([GOOD.tag[0] ^ 1]) + GOOD.tag[1:]),
        replace(GOOD, tag=GOOD.tag[:-1] + bytes([GOOD.tag[-1] ^ 0x80])),
    ],
)
def test_one_thing_changed_breaks_the_signature(altered: Claim) -> None:
    assert not _is_signed(altered)


@given(st.integers(0, len(GOOD.body) * 8 - 1))
def test_any_bit_of_the_body_counts(bit: int) -> None:
    body = bytearray(GOOD.body)
    body[bit // 8] ^= 1 << bit % 8
    assert not _is_signed(replace(GOOD, body=bytes(body)))


@pytest.mark.parametrize("length", range(32))
def test_a_truncated_tag_is_wrong_however_right_its_beginning(length: int) -> None:
    assert not is_authentic(GOOD.text(), GOOD.tag[:length], SECRET.key)
    assert not is_authentic(GOOD.text(), GOOD.tag + b"\x00", SECRET.key)


def test_either_of_two_secrets_signs_and_it_is_told_which() -> None:
    assert signer_of(GOOD.text(), GOOD.tag, [OTHER, SECRET], NOW) is SECRET
    assert signer_of(GOOD.text(), GOOD.tag, [SECRET, OTHER], NOW) is SECRET
    assert signer_of(GOOD.text(), GOOD.tag, [OTHER], NOW) is None
    assert signer_of(GOOD.text(), GOOD.tag, [], NOW) is None


def test_a_secret_signs_until_it_expires_and_a_third_one_never() -> None:
    expiring = BotSecret(SECRET.key, expires_at=NOW)
    assert signer_of(GOOD.text(), GOOD.tag, [OTHER, expiring], NOW - 0.001) is expiring
    assert signer_of(GOOD.text(), GOOD.tag, [OTHER, expiring], NOW) is None
    assert signer_of(GOOD.text(), GOOD.tag, [OTHER, OTHER, SECRET], NOW) is None


def test_what_takes_the_place_of_a_missing_secret_signs_nothing() -> None:
    text = GOOD.text()
    decoy = hmac.digest(b"a key of no bot: keeps the time that checking takes", text, "sha256")
    assert signer_of(text, decoy, [], NOW) is None
    assert signer_of(text, decoy, [OTHER], NOW) is None


@pytest.mark.parametrize("seconds", [-300, -1, 0, 300])
def test_a_clock_may_be_300_seconds_away(seconds: int) -> None:
    assert not is_skewed(int(NOW) + seconds, NOW + 0.9)


@pytest.mark.parametrize("seconds", [-301, 301, -(10**9), 10**10])
def test_301_seconds_are_too_many_on_both_sides(seconds: int) -> None:
    assert is_skewed(int(NOW) + seconds, NOW + 0.9)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("bot_id", ""),
        ("bot_id", "weather"),
        ("bot_id", "bot-0123456789ABCDEF"),
        ("bot_id", "bot-0123456789abcdef\n"),
        ("timestamp", ""),
        ("timestamp", "-1"),
        ("timestamp", "+1768528800"),
        ("timestamp", "01768528800"),
        ("timestamp", "1768528800.0"),
        ("timestamp", "1768528800\n"),
        ("timestamp", "١٧٦٨٥٢٨٨٠٠"),
        ("timestamp", "1" * 12),
        ("nonce", "A" * 15),
        ("nonce", "A" * 65),
        ("nonce", "A" * 15 + "\n"),
        ("nonce", "A" * 16 + "\n"),
        ("nonce", "A" * 15 + "+"),
        ("nonce", "A" * 15 + "é"),
        ("signature", ""),
        ("signature", "88d94f1be60f210973441b2d127e9a5cfb359ebfab730731335ad4ea1342bf7c"),
        ("signature", "v2=88d94f1be60f210973441b2d127e9a5cfb359ebfab730731335ad4ea1342bf7c"),
        ("signature", "v1=88D94F1BE60F210973441B2D127E9A5CFB359EBFAB730731335AD4EA1342BF7C"),
        ("signature", "v1=88d94f1be60f210973441b2d127e9a5c"),
        ("signature", "v1=88d94f1be60f210973441b2d127e9a5cfb359ebfab730731335ad4ea1342bf7c0"),
        ("signature", "v1=88d94f1be60f210973441b2d127e9a5cfb359ebfab730731335ad4ea1342bf7c\n"),
    ],
)
def test_a_part_without_its_shape_is_refused(part: str, value: str) -> None:
    given: dict[str, Any] = {
        "bot_id": "bot-0123456789abcdef",
        "timestamp": "1768528800",
        "nonce": "AAAAAAAAAAAAAAAA",
        "signature": VECTORS[0][2],
        "method": "POST",
        "target": b"/bots/messages",
        "body": b"",
        part: value,
    }
    with pytest.raises(MalformedClaim):
        claim_of(**given)


def test_neither_secret_nor_signature_nor_text_shows_when_printed() -> None:
    shown = f"{GOOD!r} {SECRET!r}"
    assert "It will rain" not in shown
    assert "sbk_" not in shown
    assert tag_of(VECTORS[0][2]).hex() not in shown
    assert repr(GOOD.tag) not in shown


def _wycheproof(folder: Path, name: str) -> list[dict[str, Any]]:
    lines = (folder / "crypto" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.data
@pytest.mark.parametrize(("algorithm", "bits"), [("sha1", 160), ("sha256", 256), ("sha512", 512)])
def test_wycheproof_every_invalid_tag_is_refused_and_every_valid_one_of_full_length_accepted(
    development_data: Path, algorithm: str, bits: int
) -> None:
    treated = {"accepted": 0, "refused": 0, "refused for its length": 0}
    for case in _wycheproof(development_data, f"hmac_{algorithm}"):
        message, tag, key = (bytes.fromhex(case[part]) for part in ("msg", "tag", "key"))
        is_right = is_authentic(message, tag, key, algorithm)
        if case["result"] == "invalid":
            assert not is_right, case["tcId"]
            treated["refused"] += 1
        elif case["tagSize"] < bits:  # right as far as it goes, which is not enough here
            assert not is_right, case["tcId"]
            assert hmac.digest(key, message, algorithm).startswith(tag)
            treated["refused for its length"] += 1
        else:
            assert is_right, case["tcId"]
            treated["accepted"] += 1
    assert treated == WYCHEPROOF[algorithm]


WYCHEPROOF = {
    "sha1": {"accepted": 12, "refused": 33, "refused for its length": 8},
    "sha256": {"accepted": 14, "refused": 31, "refused for its length": 10},
    "sha512": {"accepted": 8, "refused": 38, "refused for its length": 11},
}


@pytest.mark.data
def test_wycheproof_through_the_door_s_own_check_with_two_secrets(development_data: Path) -> None:
    for case in _wycheproof(development_data, "hmac_sha256"):
        message, tag, key = (bytes.fromhex(case[part]) for part in ("msg", "tag", "key"))
        is_right = signer_of(message, tag, [OTHER, BotSecret(key)], NOW) is not None
        assert is_right == (case["result"] == "valid" and case["tagSize"] == 256), case["tcId"]

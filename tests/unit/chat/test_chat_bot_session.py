import hmac
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sakimori_chat.bots.domain.frames import Body, Handshake, Ping, Pong, Post, Read, frame, signed_text
from sakimori_chat.bots.domain.session import Fault, FaultCode, Phase, Session

Step = Handshake | Body | Fault
KEY = b"the secret of one bot"
HANDSHAKE = {"type": "handshake", "id": "bot-1", "timestamp": 1700000000, "nonce": "n-1", "signature": "v1=00"}


def _signature(text: bytes, key: bytes = KEY) -> str:
    return "v1=" + hmac.digest(key, text, "sha256").hex()


def _is_signed(text: bytes, signature: str) -> bool:
    return hmac.compare_digest(_signature(text).encode(), signature.encode())


def _open() -> Session:
    session = Session()
    assert isinstance(_feed(session, HANDSHAKE), Handshake)
    session.opened("s-1")
    return session


def _feed(session: Session, given: object) -> Step:
    return _read(session, given if isinstance(given, bytes) else json.dumps(given).encode())


def _read(session: Session, raw: bytes) -> Step:
    return session.greet(raw) if session.phase is Phase.EXPECTING else session.feed(raw, _is_signed)


def _envelope(body: object, sequence: int = 1, session_id: str = "s-1", key: bytes = KEY) -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return {"sequence": sequence, "body": text, "signature": _signature(signed_text(session_id, sequence, text), key)}


def _code(step: Step) -> str:
    assert isinstance(step, Fault), step
    return step.code.value


POST = {"type": "post", "room": "lobby", "text": "hello", "ref": "r"}


def test_the_signed_text_is_five_lines() -> None:
    assert signed_text("s-1", 7, '{"type":"ping"}').decode().split("\n") == [
        "SAKIMORI-HMAC-SHA256",
        "FRAME",
        "s-1",
        "7",
        "cdeb977b07509618335ceaa57b4b76fe3ec9c72f50102f74dcfbab92228ec6fb",
    ]


def test_an_open_session_takes_signed_frames_in_order() -> None:
    session = _open()
    assert _feed(session, _envelope(POST, 1)) == Post("lobby", "hello", "r")
    assert _feed(session, _envelope({"type": "read", "room": "lobby", "after": 5}, 2)) == Read("lobby", 5)
    assert _feed(session, _envelope({"type": "ping", "ref": "x"}, 3)) == Ping("x")
    pong = {"type": "pong", "id": 9, "memory_bytes": 10, "queue": 0, "rooms": 2}
    assert _feed(session, _envelope(pong, 4)) == Pong(9, 10, 0, 2)


def test_a_frame_that_comes_again_is_a_replay() -> None:
    session = _open()
    once = _envelope(POST)
    assert isinstance(_feed(session, once), Post)
    assert _code(_feed(session, once)) == "replayed"
    assert session.phase is Phase.CLOSED
    assert _code(_feed(session, _envelope(POST, 2))) == "closed"


def test_frames_in_another_order_are_refused() -> None:
    session = _open()
    assert _code(_feed(session, _envelope(POST, 2))) == "out_of_order"
    assert session.phase is Phase.CLOSED


@pytest.mark.parametrize(
    "altered",
    [
        {**_envelope(POST), "body": json.dumps({**POST, "text": "hallo"})},
        {**_envelope(POST), "sequence": 2},
        _envelope(POST, session_id="s-2"),
        _envelope(POST, key=b"the secret of another bot"),
        {**_envelope(POST), "signature": ""},
        {**_envelope(POST), "signature": _envelope(POST)["signature"].removeprefix("v1=")},
    ],
)
def test_what_the_signature_does_not_fit_is_refused(altered: dict[str, Any]) -> None:
    session = _open()
    assert _code(_feed(session, altered)) == "signature_wrong"
    assert session.phase is Phase.CLOSED


def test_the_signature_is_looked_at_before_the_sequence() -> None:
    session = _open()
    assert isinstance(_feed(session, _envelope(POST)), Post)
    assert _code(_feed(session, {**_envelope(POST), "signature": "v1=00"})) == "signature_wrong"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "invalid_json"),
        (b"hello", "invalid_json"),
        (b'{"type":"handshake"', "invalid_json"),
        (b'{"type":"handshake","id":"\xff"}', "invalid_utf8"),
        (b"\xc3\x28", "invalid_json"),
        (b"[" * 4000, "handshake_expected"),
        (b'{"x":' + b"[" * 4000, "handshake_expected"),
        (b'{"x":' * 800, "handshake_expected"),
        (b'{"type":"handshake","id":"\\ud800"}', "invalid_json"),
        (b'{"type":"post","room":"lobby","text":"hi"}', "handshake_expected"),
        (json.dumps({**HANDSHAKE, "id": "bot\n1"}).encode(), "handshake_expected"),
        (json.dumps({**HANDSHAKE, "name": "a\n"}).encode(), "handshake_expected"),
        (json.dumps({**HANDSHAKE, "timestamp": -1}).encode(), "handshake_expected"),
        (json.dumps({**HANDSHAKE, "timestamp": 10**400}).encode(), "handshake_expected"),
        (json.dumps({**HANDSHAKE, "more": 1}).encode(), "handshake_expected"),
        (b" " * 4097, "frame_too_large"),
    ],
)
def test_a_first_frame_that_is_no_handshake_ends_the_session(raw: bytes, code: str) -> None:
    session = Session()
    assert _code(_feed(session, raw)) == code
    assert session.phase is Phase.CLOSED


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", "invalid_json"),
        ("[" * 60_000, "unknown_frame"),
        ('{"x":' + "[" * 60_000, "invalid_json"),
        ('{"type":"dance"}', "unknown_frame"),
        ('{"type":"post","room":"lobby"}', "unknown_frame"),
        ('{"type":"read","room":"lobby","limit":101}', "unknown_frame"),
        ('{"type":"handshake"}', "unknown_frame"),
    ],
)
def test_a_signed_frame_that_makes_no_sense_is_refused_and_the_session_goes_on(body: str, code: str) -> None:
    session = _open()
    assert _code(_feed(session, _envelope(body))) == code
    assert isinstance(_feed(session, _envelope(POST, 2)), Post)


def test_64_kib_are_taken_and_a_byte_more_ends_the_session() -> None:
    session = _open()
    whole = json.dumps(_envelope(POST)).encode()
    assert isinstance(_feed(session, whole + b" " * (65536 - len(whole))), Post)
    whole = json.dumps(_envelope(POST, 2)).encode()
    assert _code(_feed(session, whole + b" " * (65537 - len(whole)))) == "frame_too_large"


def test_a_text_has_at_most_65000_characters() -> None:
    session = Session(max_frame_bytes=1 << 20)
    _feed(session, HANDSHAKE)
    session.opened("s-1")
    widest = "\N{GRINNING FACE}" * 65_000  # 14 bytes each, and within a frame of 1 MiB
    assert isinstance(_feed(session, _envelope({**POST, "text": widest}, 1)), Post)
    assert _code(_feed(session, _envelope({**POST, "text": widest + "x"}, 2))) == "unknown_frame"


def test_the_longest_text_of_a_room_fits_into_64_kib_however_it_is_spelt() -> None:
    widest = json.dumps(_envelope({**POST, "text": "\N{GRINNING FACE}" * 2000}))
    assert len(widest) < 32 * 1024


def test_a_session_does_not_open_without_a_handshake() -> None:
    with pytest.raises(ValueError, match="does not open"):
        Session().opened("s-1")


def test_nothing_is_taken_while_the_handshake_is_looked_at() -> None:
    session = Session()
    _feed(session, HANDSHAKE)
    assert _code(_feed(session, _envelope(POST))) == "closed"


def test_frames_of_the_server_leave_out_what_is_none() -> None:
    assert frame("pong", ref="x", code=None) == b'{"type":"pong","ref":"x"}'


_pieces = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([HANDSHAKE, _envelope(POST), _envelope(POST, 2), _envelope({"type": "ping"}, 1), {}]).map(
        lambda found: json.dumps(found).encode()
    ),
    st.dictionaries(
        st.sampled_from(["type", "id", "sequence", "body", "signature", "nonce", "timestamp"]),
        st.one_of(st.text(max_size=20), st.integers(), st.none(), st.lists(st.integers(), max_size=3)),
    ).map(lambda found: json.dumps(found).encode()),
)


@settings(deadline=None)
@given(st.lists(_pieces, max_size=12))
def test_no_sequence_of_frames_raises_or_gets_a_post_past_the_handshake(frames: list[bytes]) -> None:
    session = Session()
    for raw in frames:
        assert isinstance(_read(session, raw), Handshake | Fault)  # nobody ever opens it


@settings(deadline=None)
@given(st.lists(_pieces, max_size=12), st.integers(0, 11))
def test_only_frames_that_are_signed_for_this_session_and_in_turn_get_through(
    frames: list[bytes], opens_after: int
) -> None:
    session, taken = Session(), 0
    for number, raw in enumerate(frames):
        if number == opens_after and session.phase is Phase.CHECKING:
            session.opened("s-1")
        was_open = session.phase is Phase.OPEN
        step = _read(session, raw)
        if isinstance(step, Post | Read | Ping | Pong):
            taken += 1
            envelope = json.loads(raw)
            assert was_open
            assert envelope["sequence"] == taken
            assert _is_signed(signed_text("s-1", taken, envelope["body"]), envelope["signature"])
        if isinstance(step, Fault) and step.ends:
            assert session.phase is Phase.CLOSED


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_with_a_wrong_signature_change_anything_but_the_end(raw: bytes) -> None:
    session = _open()
    step = session.feed(raw, lambda _text, _signature: False)
    assert isinstance(step, Fault)
    assert step.code is not FaultCode.REPLAYED


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), _pieces), max_size=12))
def test_no_order_of_calls_gets_a_frame_out_of_a_session_that_nobody_opened(calls: list[tuple[bool, bytes]]) -> None:
    session = Session()
    for greets, raw in calls:
        step = session.greet(raw) if greets else session.feed(raw, lambda _text, _signature: True)
        assert isinstance(step, Handshake | Fault)

"""Stratum: miners, by their software and their worker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packets.conversations import ENDS, Said, check_survives, converse, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.stratum import PROTOCOL

SESSION: list[Said] = [
    (CLIENT, b'{"id":1,"method":"mining.subscribe","params":["cgminer/4.10"]}\n'),
    (SERVER, b'{"id":1,"result":[[["mining.notify","1"]],"08",4],"error":null}\n'),
    (CLIENT, b'{"id":2,"method":"mining.authorize","params":["wallet.camera","hunter2"]}\n'),
    (SERVER, b'{"id":2,"result":true,"error":null}\n{"id":null,"method":"mining.set_difficulty","params":[512]}\n'),
    (CLIENT, b'{"id":3,"method":"mining.submit","params":["wallet.camera","1","2","3","4"]}\n' * 3),
]
MONERO: list[Said] = [
    (CLIENT, b'{"id":1,"method":"login","params":{"login":"4Awallet","pass":"x","agent":"XMRig/6.2"}}\n'),
    (SERVER, b'{"id":1,"result":null,"error":{"code":-1,"message":"no"}}\n'),
]


def test_software_worker_and_outcome_are_said() -> None:
    said = fields(PROTOCOL, SESSION)
    assert said[0] == {"stratum.method": "mining.subscribe", "stratum.agent": "cgminer/4.10"}
    assert said[1] == {
        "stratum.method": "mining.authorize",
        "stratum.agent": "cgminer/4.10",
        "stratum.worker": "wallet.camera",
        "stratum.has_password": True,
        "event.outcome": "success",
    }
    assert said[2]["stratum.difficulty"] == 512
    assert said[-1]["stratum.count.mining.submit"] == 3
    assert "hunter2" not in str(said)


def test_a_refused_login_of_a_monero_miner() -> None:
    said = fields(PROTOCOL, MONERO)[0]
    assert (said["stratum.agent"], said["stratum.worker"]) == ("XMRig/6.2", "4Awallet")
    assert said["event.outcome"] == "failure"


def test_deep_nesting_is_no_way_out() -> None:
    said = fields(
        PROTOCOL,
        [(CLIENT, b'{"method":' + b"[" * 8000 + b"\n"), (CLIENT, b'{"id":' + b"[" * 900 + b"]" * 900 + b"}\n")],
    )
    assert said == [{"stratum.method": "summary", "stratum.count.malformed": 1}]


@pytest.mark.parametrize(
    ("first", "verdict"),
    [
        (SESSION[0][1], Verdict.YES),
        (MONERO[0][1], Verdict.YES),
        (b'{"id":1,"method":"get', Verdict.MORE),
        (b'{"id":1,"method":"getinfo"}\n', Verdict.NO),
    ],
)
def test_it_is_told_by_what_only_miners_call(first: bytes, verdict: Verdict) -> None:
    assert PROTOCOL.recognise(first, CLIENT, ENDS) is verdict


@given(cut_anywhere(SESSION))
def test_pieces_make_no_difference(pieces: list[Said]) -> None:
    assert converse(PROTOCOL, pieces) == converse(PROTOCOL, SESSION)


@given(st.one_of(mutated(SESSION), mutated(MONERO), garbage()))
def test_whatever_comes_the_decoder_keeps_its_word(said: list[Said]) -> None:
    check_survives(PROTOCOL, said)

"""BitTorrent over TCP, uTP and in its DHT; eDonkey and Kademlia."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packets.conversations import ENDS, Said, at_port, check_survives, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols import bittorrent, edonkey
from sakimori_packet_sensor.domain.protocols.bencode import decode_bencode
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, DONE, SERVER, ProtocolKind, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

PEERS, DATAGRAMS = bittorrent.PROTOCOLS
EDONKEY, KADEMLIA = edonkey.PROTOCOLS
HASH, NODE = bytes(range(20)), bytes(range(20, 40))
HANDSHAKE = b"\x13BitTorrent protocol" + bytes(8) + HASH + b"-TR4050-abcdefghijkl"
FIND = b"d1:ad2:id20:" + NODE + b"6:target20:" + HASH + b"e1:q9:find_node1:t2:aa1:v4:LT011:y1:qe"
FOUND = b"d1:rd2:id20:" + NODE + b"5:nodes52:" + bytes(52) + b"e1:t2:aa1:y1:re"
SYN = pack(">BBHIIIHH", 0x41, 0, 777, 1, 0, 65_536, 1, 0)


def test_a_handshake_says_torrent_and_software() -> None:
    (said,) = fields(PEERS, [(CLIENT, HANDSHAKE)])
    assert said == {
        "bittorrent.type": "handshake",
        "bittorrent.info_hash": HASH.hex(),
        "bittorrent.peer_id": b"-TR4050-abcdefghijkl".hex(),
        "bittorrent.client": "Transmission 4.0.5.0",
    }


def test_behind_both_handshakes_nothing_is_read() -> None:
    decoder = PEERS.decoder(ENDS)
    decoder.feed(CLIENT, HANDSHAKE, 0)
    assert decoder.feed(SERVER, HANDSHAKE, 0).consumed == DONE


def test_the_dht_says_who_looks_for_what() -> None:
    said = fields(DATAGRAMS, [(CLIENT, FIND), (SERVER, FOUND)])
    assert said[0] == {
        "bittorrent.type": "dht_query",
        "bittorrent.query": "find_node",
        "bittorrent.node_id": NODE.hex(),
        "bittorrent.target": HASH.hex(),
        "bittorrent.version": "LT01",
    }
    assert said[1]["bittorrent.nodes_count"] == 2
    assert said[2] == {
        "bittorrent.type": "summary",
        "bittorrent.count.dht_query": 1,
        "bittorrent.count.dht_response": 1,
    }


def test_a_busy_node_is_counted() -> None:
    said = fields(DATAGRAMS, [(CLIENT, FIND)] * 1000)
    assert len(said) == 17
    assert said[-1]["bittorrent.count.dht_query"] == 1000


def test_a_handshake_over_utp_is_found() -> None:
    data = pack(">BBHIIIHH", 0x01, 0, 778, 2, 9, 65_536, 2, 1) + HANDSHAKE
    said = fields(DATAGRAMS, [(CLIENT, SYN), (CLIENT, data)])
    assert said[0]["bittorrent.transport"] == "utp"
    assert said[0]["bittorrent.info_hash"] == HASH.hex()
    assert said[1]["bittorrent.count.utp"] == 2


@pytest.mark.parametrize(
    ("kind", "first", "verdict"),
    [
        (PEERS, HANDSHAKE, Verdict.YES),
        (PEERS, HANDSHAKE[:7], Verdict.MORE),
        (PEERS, b"\x13BitTorrent prose....", Verdict.NO),
        (DATAGRAMS, FIND, Verdict.YES),
        (DATAGRAMS, SYN, Verdict.YES),
        (DATAGRAMS, b"\x00\x00\x04\x17\x27\x10\x19\x80" + bytes(4) + b"abcd", Verdict.YES),
        (DATAGRAMS, b"data of another kind", Verdict.NO),
        (DATAGRAMS, bytes(48), Verdict.NO),
        (EDONKEY, b"\xe3" + pack("<I", 40) + b"\x01" + bytes(39), Verdict.YES),
        (EDONKEY, b"\xe3" + pack("<I", 1 << 30) + b"\x01" + bytes(39), Verdict.NO),
        (KADEMLIA, b"\xe4\x21\x0b" + bytes(32), Verdict.YES),
        (KADEMLIA, b"\xe4\x21\x0b" + bytes(31), Verdict.NO),
    ],
)
def test_each_is_told_by_its_content(kind: ProtocolKind, first: bytes, verdict: Verdict) -> None:
    assert kind.recognise(first, CLIENT, ENDS) is verdict


def test_utp_in_progress_is_told_on_its_ports_only() -> None:
    state = pack(">BBHIIIHH", 0x21, 0, 777, 5, 9, 65_536, 8, 3)
    assert DATAGRAMS.recognise(state, CLIENT, at_port(6881)) is Verdict.YES
    assert DATAGRAMS.recognise(state, CLIENT, ENDS) is Verdict.NO


def test_edonkey_and_kademlia_messages_have_names() -> None:
    (hello,) = fields(EDONKEY, [(CLIENT, b"\xe3" + pack("<I", 40) + b"\x01" + bytes(39))])
    assert hello["edonkey.message"] == "hello"
    said = fields(KADEMLIA, [(CLIENT, b"\xe4\x21\x0b" + bytes(32))] * 20)
    assert said[0]["kademlia.message"] == "kademlia2_request"
    assert said[-1]["kademlia.count.kademlia2_request"] == 20


def test_bencode_is_bounded() -> None:
    assert decode_bencode(b"d1:ai-7e1:bl1:x1:yee") == {b"a": -7, b"b": [b"x", b"y"]}
    for endless in (b"l" * 5000, b"d" + b"1:a" * 9000, b"l" + b"i1e" * 9000, b"i" + b"9" * 5000, b"9999999999:"):
        with pytest.raises(Malformed):
            decode_bencode(endless)


@given(st.one_of(mutated([(CLIENT, HANDSHAKE), (SERVER, HANDSHAKE)]), garbage()))
def test_whatever_comes_the_decoders_of_streams_keep_their_word(said: list[Said]) -> None:
    check_survives(PEERS, said)
    check_survives(EDONKEY, said)


@given(st.one_of(mutated([(CLIENT, FIND), (SERVER, FOUND), (CLIENT, SYN)]), garbage()))
def test_whatever_comes_the_decoders_of_datagrams_keep_their_word(said: list[Said]) -> None:
    check_survives(DATAGRAMS, said)
    check_survives(KADEMLIA, said)

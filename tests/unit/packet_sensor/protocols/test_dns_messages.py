"""DNS messages, judged by Scapy's."""

from contextlib import suppress
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRRMX, DNSRRSRV

from sakimori_packet_sensor.domain.protocols.dns_messages import Question, _plain_question, decode_dns
from sakimori_packet_sensor.domain.protocols.dns_names import read_name
from sakimori_packet_sensor.domain.protocols.dns_records import Record
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

QUERY = bytes(DNS(id=4711, qd=[DNSQR(qname="www.Example.COM", qtype="AAAA")]))


def test_a_query_tells_id_name_and_type() -> None:
    message = decode_dns(QUERY)
    assert (message.id, message.is_answer, message.operation) == (4711, False, "QUERY")
    assert message.questions == [Question("www.example.com", "AAAA", "IN", False, "www.Example.COM")]


def test_every_record_of_an_answer_is_kept() -> None:
    records = [
        DNSRR(rrname="www.example.com", type="CNAME", rdata="web.example.com"),
        DNSRR(rrname="web.example.com", type="A", rdata="192.0.2.1"),
        DNSRR(rrname="web.example.com", type="AAAA", rdata="2001:db8::1"),
        DNSRR(rrname="example.com", type="NS", rdata="ns1.example.com"),
        DNSRR(rrname="example.com", type="TXT", rdata=[b"v=spf1 -all", b"second"]),
        DNSRRMX(rrname="example.com", preference=10, exchange="mail.example.com"),
        DNSRRSRV(rrname="_ldap._tcp.example.com", priority=1, weight=2, port=389, target="ldap.example.com"),
        DNSRR(rrname="1.2.0.192.in-addr.arpa", type="PTR", rdata="host.example.com"),
        DNSRR(rrname="example.com", type=65280, rdata=b"\x01\x02"),
    ]
    message = decode_dns(bytes(DNS(id=1, qr=1, qd=[DNSQR(qname="www.example.com")], an=records)))
    assert message.is_answer
    assert [(answer.kind, answer.data) for answer in message.answers] == [
        ("CNAME", "web.example.com"),
        ("A", "192.0.2.1"),
        ("AAAA", "2001:db8::1"),
        ("NS", "ns1.example.com"),
        ("TXT", "v=spf1 -all second"),
        ("MX", "10 mail.example.com"),
        ("SRV", "1 2 389 ldap.example.com"),
        ("PTR", "host.example.com"),
        ("TYPE65280", "\\# 2 0102"),
    ]


@pytest.mark.parametrize(
    ("code", "name"), [(0, "NOERROR"), (2, "SERVFAIL"), (3, "NXDOMAIN"), (5, "REFUSED"), (15, "RCODE15")]
)
def test_response_codes_have_names(code: int, name: str) -> None:
    assert decode_dns(bytes(DNS(qr=1, rcode=code, qd=[DNSQR(qname="example.com")]))).response_code == name


def test_compressed_names_are_followed() -> None:
    question = b"\x03www\x07example\x03com\x00" + pack("!HH", 1, 1)
    answer = b"\xc0\x0c" + pack("!HHIH", 5, 1, 60, 6) + b"\x03web\xc0\x10"
    message = decode_dns(pack("!HHHHHH", 1, 0x8180, 1, 1, 0, 0) + question + answer)
    assert message.answers == [Record("www.example.com", "CNAME", "web.example.com", 60)]


@pytest.mark.parametrize(
    "name",
    [
        b"\xc0\x0c",  # to itself
        b"\xc0\x0e\xc0\x0c",  # round and round
        b"\x01a\xc0\x0c",  # back to the label that led here
        b"\xc0\xff",  # beyond
        b"\x03www",  # without end
        b"\x40" + b"x" * 64 + b"\x00",  # a label of 64
        b"\x3f" + b"x" * 63 + (b"\x3f" + b"y" * 63) * 4 + b"\x00",  # 320 bytes
        b"\xc0",
    ],
)
def test_impossible_names_are_refused(name: bytes) -> None:
    with pytest.raises(Malformed):
        decode_dns(pack("!HHHHHH", 1, 0x0100, 1, 0, 0, 0) + name + b"\0\1\0\1")


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b"\x05a.b\\c\x00", "a\\.b\\\\c"),
        (b"\x03a\x00b\x00", "a\\000b"),
        (b"\x02\xff\xfe\x00", "\\255\\254"),
        (b"\x06" + "居間".encode() + b"\x00", "居間"),
        (b"\x00", "."),
    ],
)
def test_names_are_written_as_zone_files_do(wire: bytes, text: str) -> None:
    assert read_name(wire, 0) == (text, len(wire))


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        QUERY[:11],
        b"\0" * 12,
        pack("!HHHHHH", 1, 0x0100, 33, 0, 0, 0) + b"\1a\0\0\1\0\1" * 33,
        pack("!HHHHHH", 1, 0x7800, 1, 0, 0, 0) + b"\1a\0\0\1\0\1",
        QUERY[:20],
    ],
)
def test_what_is_no_message_is_refused(junk: bytes) -> None:
    with pytest.raises(Malformed):
        decode_dns(junk)


def test_of_a_cut_message_is_kept_what_is_whole() -> None:
    records = [DNSRR(rrname="example.com", type="A", rdata=f"192.0.2.{number}") for number in range(1, 6)]
    whole = bytes(DNS(qr=1, qd=[DNSQR(qname="example.com")], an=records))
    message = decode_dns(whole[:-3])
    assert [answer.data for answer in message.answers] == ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]


def test_a_long_text_is_cut_to_what_an_event_may_carry() -> None:
    strings = [bytes(range(1, 32)) * 8] * 30
    message = decode_dns(bytes(DNS(qr=1, an=[DNSRR(rrname="x", type="TXT", rdata=strings)])))
    assert len(message.answers[0].data) == 4096


def test_answers_of_one_message_are_bounded_together() -> None:
    records = [DNSRR(rrname="x", type="TXT", rdata=[b"y" * 250] * 12)] * 20
    message = decode_dns(bytes(DNS(qr=1, qd=[DNSQR(qname="x")], an=records)))
    assert len(message.answers) == 5


def test_a_chain_of_pointers_ends() -> None:
    chain = b"".join(pack("!H", 0xC000 | 12 + 2 * place) for place in range(200))
    raw = pack("!HHHHHH", 1, 0x8180, 0, 1, 0, 0) + b"\0\0" + chain
    assert read_name(raw, 14 + 2 * 126) == (".", 14 + 2 * 127)
    with pytest.raises(Malformed):
        read_name(raw, 14 + 2 * 127)


def test_a_name_that_ends_with_a_pointer_to_the_root_has_no_final_dot() -> None:
    owner = b"\1a" + pack("!H", 0xC000 | 12)
    record = owner + pack("!HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, 1])
    message = decode_dns(pack("!HHHHHH", 1, 0x8180, 1, 1, 0, 0) + b"\0" + pack("!HH", 1, 1) + record)
    assert message.answers[0].name == "a"


def test_a_pointer_into_the_name_it_ends_is_malformed() -> None:
    owner = b"\2\1b" + pack("!H", 0xC000 | 18)
    record = owner + pack("!HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, 1])
    message = decode_dns(pack("!HHHHHH", 1, 0x8180, 1, 1, 0, 0) + b"\0" + pack("!HH", 1, 1) + record)
    assert not message.answers
    assert message.problem == "a pointer does not point backwards, or one of too many"


def test_records_that_say_nothing_are_bounded_too() -> None:
    option = b"\0" + pack("!HHIH", 41, 1232, 0, 0)
    message = decode_dns(pack("!HHHHHH", 1, 0x8180, 1, 0, 0, 5000) + b"\1a\0\0\1\0\1" + option * 5000)
    assert message.end == -1


def test_a_question_without_end_is_not_remembered() -> None:
    before = _plain_question.cache_info().currsize
    with pytest.raises(Malformed):
        decode_dns(pack("!HHHHHH", 1, 0x0100, 1, 0, 0, 0) + b"\x3f" + b"x" * 60_000 + bytes(9))
    assert _plain_question.cache_info().currsize == before


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_a_message_or_refused(data: bytes) -> None:
    with suppress(Malformed):
        decode_dns(data)


ANSWER = bytes(
    DNS(
        qr=1,
        qd=[DNSQR(qname="a.example.com")],
        an=[DNSRRSRV(rrname="s.example.com", target="t.example.com"), DNSRR(rrname="x", type="TXT", rdata=b"abc")],
    )
)


@settings(deadline=None)
@given(st.integers(0, len(ANSWER) - 1), st.binary(min_size=1, max_size=6), st.integers(0, len(ANSWER)))
def test_mutated_messages_are_decoded_or_refused(at: int, change: bytes, length: int) -> None:
    with suppress(Malformed):
        decode_dns((ANSWER[:at] + change + ANSWER[at + len(change) :])[:length])

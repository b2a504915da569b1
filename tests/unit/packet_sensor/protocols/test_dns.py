"""DNS, multicast DNS and LLMNR as conversations: recognised, turned into fields, put together from segments."""

from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRROPT, DNSRRSOA, DNSRRSRV

from packets.conversations import ENDS, Said, at_port, check_survives, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols import dns
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Ends, ProtocolKind, Verdict

UDP_KIND, MDNS_KIND, LLMNR_KIND, TCP_KIND = dns.PROTOCOLS
GROUP = Ends(b"\xc0\x00\x02\x0a", b"\xe0\x00\x00\xfb", 5353, 5353)
"""192.0.2.10 to 224.0.0.251."""

QUERY = bytes(DNS(id=7, rd=1, qd=[DNSQR(qname="Q3fk9.tunnel.Example.com", qtype="TXT")]))
ANSWER = bytes(
    DNS(
        id=7,
        qr=1,
        rd=1,
        ra=1,
        aa=1,
        qd=[DNSQR(qname="www.example.com")],
        an=[
            DNSRR(rrname="www.example.com", type="CNAME", ttl=300, rdata="web.example.com"),
            DNSRR(rrname="web.example.com", type="A", ttl=60, rdata="192.0.2.1"),
            DNSRR(rrname="web.example.com", type="A", ttl=60, rdata="192.0.2.2"),
            DNSRR(rrname="web.example.com", type="A", ttl=60, rdata="192.0.2.3"),
            DNSRR(rrname="web.example.com", type="AAAA", ttl=61, rdata="2001:db8::1"),
        ],
        ns=[DNSRR(rrname="example.com", type="NS", ttl=900, rdata="ns1.example.com")],
        ar=[DNSRROPT(rclass=1232, z=0x8000)],
    )
)


def test_a_query_tells_what_a_tunnel_is_known_by() -> None:
    assert fields(UDP_KIND, [(CLIENT, QUERY)], at_port(53)) == [
        {
            "dns.id": "7",
            "dns.type": "query",
            "dns.op_code": "QUERY",
            "dns.header_flags": ["RD"],
            "dns.question.name": "q3fk9.tunnel.example.com",
            "dns.question.type": "TXT",
            "dns.question.class": "IN",
            "dns.question.registered_domain": "example.com",
            "dns.question.subdomain": "q3fk9.tunnel",
            "sakimori.dns.subdomain_entropy": 3.2776,
            "sakimori.dns.name_length": 24,
        }
    ]


def test_an_answer_tells_every_record_of_every_section() -> None:
    [answer] = fields(UDP_KIND, [(SERVER, ANSWER)], at_port(53))
    assert answer["dns.header_flags"] == ["AA", "RD", "RA"]
    assert answer["dns.response_code"] == "NOERROR"
    assert answer["dns.answers.type"] == ["CNAME", "A", "A", "A", "AAAA"]
    assert answer["dns.answers.data"] == ["web.example.com", "192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"]
    assert answer["dns.answers.ttl"] == [300, 60, 60, 60, 61]
    assert answer["dns.resolved_ip"] == ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"]
    assert (answer["dns.authorities.type"], answer["dns.authorities.data"]) == (["NS"], ["ns1.example.com"])
    assert (answer["dns.opt.udp_size"], answer["dns.opt.version"], answer["dns.opt.do"]) == (1232, 0, True)
    assert "dns.additionals.name" not in answer


def test_a_name_that_does_not_exist_comes_with_who_says_so() -> None:
    authority = DNSRRSOA(
        rrname="example.com", mname="ns1.example.com", rname="admin.example.com", serial=2026, refresh=7200, retry=900,
        expire=1209600, minimum=86400,
    )  # fmt: skip
    raw = bytes(DNS(qr=1, rcode=3, qd=[DNSQR(qname="no.example.com")], ns=[authority]))
    [answer] = fields(UDP_KIND, [(SERVER, raw)], at_port(53))
    assert answer["dns.response_code"] == "NXDOMAIN"
    assert answer["dns.authorities.data"] == ["ns1.example.com admin.example.com 2026 7200 900 1209600 86400"]


def test_edns_adds_its_bits_to_the_response_code() -> None:
    raw = bytes(DNS(qr=1, qd=[DNSQR(qname="example.com")], ar=[DNSRROPT(extrcode=1)]))
    assert fields(UDP_KIND, [(SERVER, raw)], at_port(53))[0]["dns.response_code"] == "BADVERS"


def test_compressed_and_plain_messages_say_the_same() -> None:
    compressed = bytes(DNS(ANSWER).compress())  # type: ignore[no-untyped-call]
    assert len(compressed) < len(ANSWER)
    assert fields(UDP_KIND, [(SERVER, compressed)], at_port(53)) == fields(UDP_KIND, [(SERVER, ANSWER)], at_port(53))


def test_every_question_is_a_message_of_its_own() -> None:
    raw = bytes(DNS(qd=[DNSQR(qname="a.example"), DNSQR(qname="b.example")]))
    names = [message["dns.question.name"] for message in fields(UDP_KIND, [(CLIENT, raw)], at_port(53))]
    assert names == ["a.example", "b.example"]


@pytest.mark.parametrize(
    ("side", "raw", "is_turned"),
    [(CLIENT, QUERY, False), (SERVER, ANSWER, False), (CLIENT, ANSWER, True), (SERVER, QUERY, True)],
)
def test_the_source_is_the_side_that_asks_whoever_spoke_first(side: int, raw: bytes, is_turned: bool) -> None:
    [message] = UDP_KIND.decoder(at_port(53)).feed(side, raw, 0).messages
    assert (message.side, message.is_turned) == (side, is_turned)


def test_the_source_of_what_is_told_to_a_group_is_who_tells_it() -> None:
    [message] = MDNS_KIND.decoder(GROUP).feed(CLIENT, ANSWER, 0).messages
    assert not message.is_turned


ANNOUNCEMENT = bytes(
    DNS(
        id=0,
        qr=1,
        aa=1,
        qd=[],
        an=[
            DNSRR(rrname="_services._dns-sd._udp.local", type="PTR", rdata="_googlecast._tcp.local"),
            DNSRR(rrname="_googlecast._tcp.local", type="PTR", rdata="Living Room._googlecast._tcp.local"),
            DNSRR(rrname="_printer._sub._http._tcp.local", type="PTR", rdata="Office._http._tcp.local"),
        ],
        ar=[
            DNSRR(rrname="Living Room._googlecast._tcp.local", type="TXT", rdata=[b"md=Chromecast", b"fn=Living Room"]),
            DNSRRSRV(rrname="Living Room._googlecast._tcp.local", port=8009, target="cast-1.local"),
            DNSRR(rrname="cast-1.local", type="A", rdata="192.0.2.10"),
        ],
    )
)


def test_an_announcement_names_services_hosts_and_models() -> None:
    [message] = fields(MDNS_KIND, [(CLIENT, ANNOUNCEMENT)], GROUP)
    assert message["mdns.services"] == ["_googlecast._tcp", "_http._tcp"]
    assert message["mdns.instances"] == ["Living Room", "Office"]
    assert message["mdns.hosts"] == ["cast-1.local"]
    assert message["mdns.addresses"] == ["192.0.2.10"]
    assert message["mdns.txt"] == ["md=Chromecast", "fn=Living Room"]
    assert message["dns.additionals.type"] == ["TXT", "SRV", "A"]


def test_a_multicast_question_may_want_an_answer_for_itself() -> None:
    raw = bytes(DNS(id=0, rd=0, qd=[DNSQR(qname="_hap._tcp.local", qtype="PTR", unicastresponse=1)]))
    [message] = fields(MDNS_KIND, [(CLIENT, raw)], GROUP)
    assert (message["mdns.is_unicast_wanted"], message["dns.question.class"]) == (True, "IN")


@pytest.mark.parametrize(
    ("kind", "data", "port", "verdict"),
    [
        (UDP_KIND, QUERY, 53, Verdict.YES),
        (UDP_KIND, QUERY, 4_000, Verdict.YES),
        (UDP_KIND, ANSWER, 4_000, Verdict.YES),
        (UDP_KIND, QUERY[:-1], 4_000, Verdict.NO),
        (UDP_KIND, QUERY + b"x", 4_000, Verdict.NO),
        (UDP_KIND, QUERY[:20], 53, Verdict.YES),
        (UDP_KIND, b"no DNS", 53, Verdict.NO),
        (UDP_KIND, b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe", 53, Verdict.NO),
        (MDNS_KIND, ANNOUNCEMENT, 5353, Verdict.YES),
        (MDNS_KIND, ANNOUNCEMENT, 53, Verdict.NO),
        (LLMNR_KIND, QUERY, 5355, Verdict.YES),
        (TCP_KIND, pack("!H", len(QUERY)) + QUERY, 53, Verdict.YES),
        (TCP_KIND, pack("!H", len(QUERY)) + QUERY, 4_000, Verdict.YES),
        (TCP_KIND, pack("!H", len(QUERY)) + QUERY[:15], 4_000, Verdict.MORE),
        (TCP_KIND, pack("!H", len(QUERY)), 53, Verdict.MORE),
        (TCP_KIND, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 53, Verdict.NO),
        (TCP_KIND, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), 53, Verdict.NO),
    ],
)
def test_content_decides(kind: ProtocolKind, data: bytes, port: int, verdict: Verdict) -> None:
    assert kind.recognise(data, CLIENT, at_port(port)) is verdict


@settings(deadline=None, max_examples=300)
@given(st.binary(min_size=12, max_size=60))
def test_random_bytes_on_an_odd_port_are_not_dns(data: bytes) -> None:
    assert UDP_KIND.recognise(data, CLIENT, ENDS) is Verdict.NO


FRAMED = pack("!H", len(QUERY)) + QUERY + pack("!H", len(ANSWER)) + ANSWER


@settings(deadline=None)
@given(cut_anywhere([(CLIENT, FRAMED)]))
def test_messages_over_tcp_are_put_together_from_pieces(said: list[Said]) -> None:
    assert [message["dns.type"] for message in fields(TCP_KIND, said, at_port(53))] == ["query", "answer"]


def test_a_broken_message_over_tcp_leaves_the_next_one_readable() -> None:
    raw = pack("!H", 14) + b"\0\1\1\0\0\1\0\0\0\0\0\0\xff\xff" + pack("!H", len(QUERY)) + QUERY
    broken, query = fields(TCP_KIND, [(CLIENT, raw)], at_port(53))
    assert (broken["error.code"], query["dns.type"]) == ("malformed", "query")


def test_a_stream_of_broken_messages_is_given_up() -> None:
    raw = (pack("!H", 14) + b"\0\1\1\0\0\1\0\0\0\0\0\0\xff\xff") * 100
    assert len(fields(TCP_KIND, [(CLIENT, raw)], at_port(53))) == 8


def test_a_message_that_is_cut_says_so_and_keeps_what_is_whole() -> None:
    [answer] = fields(UDP_KIND, [(SERVER, ANSWER[:-30])], at_port(53))
    assert answer["error.code"] == "malformed"
    assert answer["dns.answers.type"] == ["CNAME", "A", "A", "A", "AAAA"]


@settings(deadline=None)
@given(
    st.sampled_from(dns.PROTOCOLS),
    st.one_of(garbage(), mutated([(CLIENT, FRAMED), (SERVER, ANSWER), (CLIENT, QUERY), (CLIENT, ANNOUNCEMENT)])),
    st.sampled_from([53, 5353, 4_000]),
)
def test_whatever_arrives_becomes_fields_or_is_refused(kind: ProtocolKind, said: list[Said], port: int) -> None:
    check_survives(kind, said, at_port(port))

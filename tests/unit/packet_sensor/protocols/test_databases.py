"""MySQL, PostgreSQL and LDAP: who logs in, and how it went."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.ldap import LDAP, LDAP_BindRequest, LDAP_BindResponse, LDAP_SearchRequest

from packets.conversations import ENDS, Said, check_survives, converse, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import AGAIN, CLIENT, DONE, SERVER, ProtocolKind, Verdict
from sakimori_packet_sensor.domain.protocols.ldap import PROTOCOL as LDAP_KIND
from sakimori_packet_sensor.domain.protocols.mysql import PROTOCOL as MYSQL
from sakimori_packet_sensor.domain.protocols.postgresql import PROTOCOL as POSTGRESQL


def mysql_packet(number: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([number]) + body


GREETING = mysql_packet(0, b"\x0a8.0.36\x00" + bytes(40))
MYSQL_LOGIN = mysql_packet(
    1,
    pack("<IIB23x", 1 << 9 | 1 << 3 | 1 << 19, 1 << 24, 33)
    + b"camera\x00\x04hash"
    + b"door\x00caching_sha2_password\x00",
)
MYSQL_SESSION: list[Said] = [(SERVER, GREETING), (CLIENT, MYSQL_LOGIN), (SERVER, mysql_packet(2, bytes(7)))]


def postgresql_message(kind: bytes, body: bytes) -> bytes:
    return kind + pack(">I", len(body) + 4) + body


def startup(body: bytes) -> bytes:
    return pack(">I", len(body) + 4) + body


STARTUP = startup(pack(">I", 3 << 16) + b"user\x00camera\x00database\x00door\x00application_name\x00psql\x00\x00")
POSTGRESQL_SESSION: list[Said] = [
    (CLIENT, startup(pack(">I", 80877103))),
    (SERVER, b"N"),
    (CLIENT, STARTUP),
    (SERVER, postgresql_message(b"R", pack(">I", 5) + b"salt")),
    (CLIENT, postgresql_message(b"p", b"md5hunter2\x00")),
    (SERVER, postgresql_message(b"R", bytes(4)) + postgresql_message(b"Z", b"I")),
]


def ldap_message(number: int, operation: bytes) -> bytes:
    body = b"\x02\x01" + bytes([number]) + operation
    return b"\x30" + bytes([len(body)]) + body


def result(tag: int, code: int) -> bytes:
    return bytes([tag, 7, 0x0A, 1, code, 4, 0, 4, 0])


BIND = b"\x60\x1c\x02\x01\x03\x04\x0ccn=door,dc=x\x80\x09hunter222"
LDAP_SESSION: list[Said] = [
    (CLIENT, ldap_message(1, BIND)),
    (SERVER, ldap_message(1, result(0x61, 49))),
    (CLIENT, ldap_message(2, b"\x4a\x04cn=x")),
    (SERVER, ldap_message(2, result(0x6B, 0))),
    (CLIENT, ldap_message(3, b"\x42\x00")),
]


@pytest.mark.parametrize(
    ("kind", "session", "name", "outcome"),
    [
        (MYSQL, MYSQL_SESSION, "camera", "success"),
        (POSTGRESQL, POSTGRESQL_SESSION, "camera", "success"),
        (LDAP_KIND, LDAP_SESSION, "cn=door,dc=x", "failure"),
    ],
)
def test_a_login_is_an_event_without_the_password(
    kind: ProtocolKind, session: list[Said], name: str, outcome: str
) -> None:
    said = fields(kind, session)
    assert said[0]["user.name"] == name
    assert said[0]["event.outcome"] == outcome
    assert said[0][f"{kind.name}.has_password"] is True
    assert not any(secret in str(said) for secret in ("hunter2", "hash"))


def test_a_mysql_login_says_server_database_and_plugin() -> None:
    (said,) = fields(MYSQL, MYSQL_SESSION)
    assert said["mysql.version"] == "8.0.36"
    assert said["mysql.database"] == "door"
    assert said["mysql.auth_plugin"] == "caching_sha2_password"


def test_a_mysql_error_has_its_code() -> None:
    refused: list[Said] = [*MYSQL_SESSION[:2], (SERVER, mysql_packet(2, b"\xff\x15\x04#28000denied"))]
    assert fields(MYSQL, refused)[0]["mysql.error_code"] == 1045
    blocked = mysql_packet(0, b"\xff\x69\x04Host is blocked")
    assert MYSQL.recognise(blocked, SERVER, ENDS) is Verdict.YES
    assert fields(MYSQL, [(SERVER, blocked)])[0]["event.outcome"] == "failure"


def test_a_postgresql_login_says_database_and_program() -> None:
    (said,) = fields(POSTGRESQL, POSTGRESQL_SESSION)
    assert said["postgresql.database"] == "door"
    assert said["postgresql.application"] == "psql"
    assert said["postgresql.auth_method"] == "md5"


def test_a_postgresql_error_has_its_code() -> None:
    error = postgresql_message(b"E", b"SFATAL\x00C28P01\x00Mpassword authentication failed\x00\x00")
    (said,) = fields(POSTGRESQL, [*POSTGRESQL_SESSION[:5], (SERVER, error)])
    assert (said["postgresql.error_code"], said["event.outcome"]) == ("28P01", "failure")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (MYSQL, [(SERVER, GREETING), (CLIENT, mysql_packet(1, pack("<IIB23x", 1 << 9 | 1 << 11, 1 << 24, 33)))]),
        (POSTGRESQL, [(CLIENT, startup(pack(">I", 80877103))), (SERVER, b"S")]),
        (
            LDAP_KIND,
            [
                (CLIENT, ldap_message(1, b"\x77\x18\x80\x161.3.6.1.4.1.1466.20037")),
                (SERVER, ldap_message(1, result(0x78, 0))),
            ],
        ),
    ],
)
def test_tls_takes_over_when_it_was_granted(kind: ProtocolKind, said: list[Said]) -> None:
    decoder = kind.decoder(ENDS)
    assert [decoder.feed(side, data, 0).consumed for side, data in said][-1] == AGAIN


@pytest.mark.parametrize(("kind", "session"), [(MYSQL, MYSQL_SESSION), (POSTGRESQL, POSTGRESQL_SESSION)])
def test_after_the_login_nothing_more_is_read(kind: ProtocolKind, session: list[Said]) -> None:
    decoder = kind.decoder(ENDS)
    assert [decoder.feed(side, data, 0).consumed for side, data in session][-1] == DONE


def test_ldap_operations_have_their_result() -> None:
    said = fields(LDAP_KIND, LDAP_SESSION)
    assert [(event["ldap.operation"], event.get("ldap.result_code")) for event in said] == [
        ("bind_request", "invalid_credentials"),
        ("del_request", "success"),
        ("unbind_request", None),
    ]
    assert said[1]["ldap.object"] == "cn=x"


def wrapped(message: bytes, flags: int) -> bytes:
    token = pack(">HBBHHQ", 0x0504, flags, 0xFF, 12, 12, 7) + bytes(12) + message
    return pack(">I", len(token)) + token


SASL: list[Said] = [
    (CLIENT, ldap_message(1, b"\x60\x14\x02\x01\x03\x04\x00\xa3\x0d\x04\x06GSSAPI\x04\x03xyz")),
    (SERVER, ldap_message(1, result(0x61, 0))),
]


def test_what_sasl_signs_is_read_and_what_it_seals_is_not() -> None:
    signed: list[Said] = [(CLIENT, wrapped(ldap_message(2, b"\x4a\x04cn=x"), 4)), (CLIENT, wrapped(b"\x00" * 40, 6))]
    said = fields(LDAP_KIND, [*SASL, *signed])
    assert said[0]["ldap.auth_mechanism"] == "GSSAPI"
    assert [event["ldap.operation"] for event in said] == ["bind_request", "del_request"]
    assert said[1]["event.outcome"] == "unknown"


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes([tag, len(body)]) + body


def search(wanted: bytes) -> bytes:
    limits = b"\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00"
    return ldap_message(2, tlv(0x63, tlv(4, b"dc=x"), limits, wanted, tlv(0x30, tlv(4, b"cn"))))


NAME = tlv(4, b"cn")


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (tlv(0x87, b"objectClass"), "(objectClass=*)"),
        (tlv(0xA3, NAME, tlv(4, b"a(b")), "(cn=a\\28b)"),
        (tlv(0xA5, NAME, tlv(4, b"7")), "(cn>=7)"),
        (tlv(0xA0, tlv(0x87, b"cn"), tlv(0xA2, tlv(0x87, b"ou"))), "(&(cn=*)(!(ou=*)))"),
        (tlv(0xA4, NAME, tlv(0x30, tlv(0x80, b"a"), tlv(0x81, b"b"), tlv(0x82, b"c"))), "(cn=a*b*c)"),
        (tlv(0xA4, NAME, tlv(0x30, tlv(0x81, b"b"))), "(cn=*b*)"),
        (
            tlv(0xA9, tlv(0x81, b"2.5.13.2"), tlv(0x82, b"cn"), tlv(0x83, b"x"), tlv(0x84, b"\xff")),
            "(cn:dn:2.5.13.2:=x)",
        ),
    ],
)
def test_a_search_says_what_is_looked_for(wanted: bytes, text: str) -> None:
    (said,) = fields(LDAP_KIND, [(CLIENT, search(wanted))])
    assert said["ldap.filter"] == text
    assert said["ldap.attributes"] == ["cn"]


FILTERS: list[Said] = [
    (
        CLIENT,
        search(tlv(0xA1, tlv(0xA4, NAME, tlv(0x30, tlv(0x80, b"a"))), tlv(0xA9, tlv(0x82, b"cn"), tlv(0x83, b"x")))),
    )
]


def test_a_deep_filter_is_cut() -> None:
    wanted = tlv(0x87, b"cn")
    for _ in range(40):
        wanted = tlv(0xA2, wanted)
    (said,) = fields(LDAP_KIND, [(CLIENT, search(wanted))])
    assert said["ldap.filter"] == "(!" * 13 + "..." + ")" * 13


def test_scapys_ldap_says_what_scapy_put_in() -> None:
    asked = bytes(LDAP(messageID=5, protocolOp=LDAP_BindRequest(bind_name="cn=a", version=3)))
    answered = bytes(LDAP(messageID=5, protocolOp=LDAP_BindResponse(resultCode=0)))
    (said,) = fields(LDAP_KIND, [(CLIENT, asked), (SERVER, answered)])
    assert (said["user.name"], said["ldap.version"], said["ldap.result_code"]) == ("cn=a", 3, "success")
    assert LDAP_KIND.recognise(asked, CLIENT, ENDS) is Verdict.YES
    assert LDAP_KIND.recognise(answered, SERVER, ENDS) is Verdict.YES
    (search,) = fields(
        LDAP_KIND, [(CLIENT, bytes(LDAP(messageID=6, protocolOp=LDAP_SearchRequest(baseObject="dc=x", scope=2))))]
    )
    assert (search["ldap.object"], search["ldap.scope"]) == ("dc=x", "tree")


@pytest.mark.parametrize(
    ("kind", "side", "first", "verdict"),
    [
        (MYSQL, SERVER, GREETING, Verdict.YES),
        (MYSQL, SERVER, b"\x00\x00\x00\x00\x00\x00\x00\x00", Verdict.NO),
        (POSTGRESQL, CLIENT, STARTUP, Verdict.YES),
        (POSTGRESQL, CLIENT, bytes(64), Verdict.NO),
        (LDAP_KIND, CLIENT, ldap_message(1, BIND), Verdict.YES),
        (LDAP_KIND, CLIENT, b"\x30\x06\x02\x01\x06\x50\x01\x05", Verdict.YES),
        (LDAP_KIND, CLIENT, b"\x30\x82\x01\x0a\x02\x01\x00\x02\x82", Verdict.NO),
    ],
)
def test_each_is_told_by_its_first_message(kind: ProtocolKind, side: int, first: bytes, verdict: Verdict) -> None:
    assert kind.recognise(first, side, ENDS) is verdict


@given(cut_anywhere(MYSQL_SESSION), cut_anywhere(POSTGRESQL_SESSION), cut_anywhere(LDAP_SESSION))
def test_pieces_make_no_difference(mysql: list[Said], postgresql: list[Said], ldap: list[Said]) -> None:
    assert converse(MYSQL, mysql) == converse(MYSQL, MYSQL_SESSION)
    assert converse(POSTGRESQL, postgresql) == converse(POSTGRESQL, POSTGRESQL_SESSION)
    assert converse(LDAP_KIND, ldap) == converse(LDAP_KIND, LDAP_SESSION)


@given(
    st.one_of(
        mutated(MYSQL_SESSION),
        mutated(POSTGRESQL_SESSION),
        mutated(LDAP_SESSION),
        mutated(SASL),
        mutated(FILTERS),
        garbage(),
    )
)
def test_whatever_comes_the_decoders_keep_their_word(said: list[Said]) -> None:
    for kind in (MYSQL, POSTGRESQL, LDAP_KIND):
        check_survives(kind, said)

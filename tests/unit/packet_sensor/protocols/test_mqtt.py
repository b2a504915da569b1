"""MQTT, packet by packet; Scapy builds what is valid."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib import mqtt as scapy_mqtt

from packets.conversations import ENDS, Said, at_port, check_survives, converse, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.mqtt import PROTOCOL


def text(value: str) -> bytes:
    return pack("!H", len(value)) + value.encode()


def packet(head: int, body: bytes) -> bytes:
    length = len(body)
    digits = bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes([head, *digits]) + body


def connect(level: int = 4, *, flags: int = 0xC2, keep_alive: int = 60, rest: bytes | None = None) -> bytes:
    name = text("MQIsdp" if level == 3 else "MQTT")
    properties = b"\x00" if level == 5 else b""
    payload = text("thermometer-7") + text("greenhouse") + text("secret") if rest is None else rest
    return packet(0x10, name + bytes([level, flags]) + pack("!H", keep_alive) + properties + payload)


ACCEPTED = packet(0x20, b"\x00\x00")
SESSION: list[Said] = [
    (CLIENT, connect()),
    (SERVER, ACCEPTED),
    (CLIENT, packet(0x82, b"\x00\x01" + text("garden/+/set") + b"\x01" + text("garden/#") + b"\x02")),
    (SERVER, packet(0x90, b"\x00\x01\x01\x80")),
    (CLIENT, packet(0x3B, text("garden/bed1/temperature") + b"\x00\x02" + b"21.5")),
    (SERVER, packet(0x40, b"\x00\x02")),
    (CLIENT, packet(0xA2, b"\x00\x03" + text("garden/#"))),
    (SERVER, packet(0xB0, b"\x00\x03")),
    (CLIENT, packet(0xC0, b"")),
    (SERVER, packet(0xD0, b"")),
    (CLIENT, packet(0xE0, b"")),
]


def test_a_connect_says_who_wants_what_and_not_the_password() -> None:
    (said,) = fields(PROTOCOL, [(CLIENT, connect(keep_alive=300))])
    assert said == {
        "mqtt.type": "connect",
        "mqtt.from_client": True,
        "mqtt.connect.dup": False,
        "mqtt.connect.qos": 0,
        "mqtt.connect.retain": False,
        "mqtt.connect.protocol_string": "MQTT",
        "mqtt.connect.protocol_version": 4,
        "mqtt.connect.flags.username": True,
        "mqtt.connect.flags.password": True,
        "mqtt.connect.flags.will_retain": False,
        "mqtt.connect.flags.will": False,
        "mqtt.connect.flags.clean_session": True,
        "mqtt.connect.keep_alive_seconds": 300,
        "mqtt.connect.client_id": "thermometer-7",
        "mqtt.connect.username": "greenhouse",
        "user.name": "greenhouse",
    }


@pytest.mark.parametrize(("level", "name"), [(3, "MQIsdp"), (4, "MQTT"), (5, "MQTT")])
def test_every_version_is_told_by_its_first_packet_on_any_port(level: int, name: str) -> None:
    first = connect(level)
    assert PROTOCOL.recognise(first, CLIENT, ENDS) is Verdict.YES
    assert PROTOCOL.recognise(first[:5], CLIENT, ENDS) is Verdict.MORE
    said = fields(PROTOCOL, [(CLIENT, first)])[0]
    assert (said["mqtt.connect.protocol_string"], said["mqtt.connect.protocol_version"]) == (name, level)


def test_a_will_is_reported_by_topic_and_size() -> None:
    rest = text("thermometer-7") + text("garden/offline") + text("gone")
    said = fields(PROTOCOL, [(CLIENT, connect(flags=0x2E, rest=rest))])[0]
    assert said["mqtt.connect.flags.will_retain"] is True
    assert said["mqtt.connect.will.topic"] == "garden/offline"
    assert said["mqtt.connect.will.qos"] == 1
    assert said["mqtt.connect.will.bytes"] == 4


def test_topics_their_quality_and_what_was_granted_are_kept() -> None:
    said = {event["mqtt.type"]: event for event in fields(PROTOCOL, SESSION)}
    assert said["subscribe"]["mqtt.subscribe.topics"] == ["garden/+/set", "garden/#"]
    assert said["subscribe"]["mqtt.subscribe.topics_qos"] == [1, 2]
    assert said["suback"]["mqtt.suback.qos_granted"] == [1, 0x80]
    assert said["suback"]["event.outcome"] == "failure"
    assert said["unsubscribe"]["mqtt.unsubscribe.topics"] == ["garden/#"]
    assert said["unsuback"]["mqtt.unsuback.message_id"] == 3


def test_a_publish_has_its_topic_and_size_and_not_its_payload() -> None:
    said = next(event for event in fields(PROTOCOL, SESSION) if event["mqtt.type"] == "publish")
    assert said == {
        "mqtt.type": "publish",
        "mqtt.from_client": True,
        "mqtt.publish.topic": "garden/bed1/temperature",
        "mqtt.publish.dup": True,
        "mqtt.publish.qos": 1,
        "mqtt.publish.retain": True,
        "mqtt.publish.message_id": 2,
        "mqtt.publish.bytes": 4,
    }


def test_a_large_payload_is_skipped_and_what_follows_is_read() -> None:
    large = packet(0x30, text("picture") + bytes(2_000_000))
    said = fields(PROTOCOL, [(CLIENT, connect()), (CLIENT, large[:1000]), (CLIENT, large[1000:] + packet(0xE0, b""))])
    assert [event["mqtt.type"] for event in said] == ["connect", "publish", "disconnect"]
    assert said[1]["mqtt.publish.bytes"] == 2_000_000


def test_a_capture_that_begins_with_the_server_takes_the_port_for_it() -> None:
    publish = packet(0x30, text("garden/light") + b"on")
    (message,) = converse(PROTOCOL, [(CLIENT, publish)], ENDS._replace(source_port=1883))
    assert message.is_turned
    assert message.fields["mqtt.from_client"] is False


def test_a_refusal_names_the_user_that_was_refused() -> None:
    said = fields(PROTOCOL, [(CLIENT, connect()), (SERVER, packet(0x20, b"\x00\x05"))])[1]
    assert said["mqtt.connack.return_code"] == 5
    assert said["event.outcome"] == "failure"
    assert said["user.name"] == "greenhouse"


def test_of_pings_and_acknowledgements_the_first_is_an_event_and_the_rest_are_counted() -> None:
    ping, pong = packet(0xC0, b""), packet(0xD0, b"")
    said = fields(PROTOCOL, [(CLIENT, connect()), *[(CLIENT, ping), (SERVER, pong)] * 5])
    assert [event["mqtt.type"] for event in said] == ["connect", "pingreq", "pingresp", "summary"]
    assert said[-1] == {"mqtt.type": "summary", "mqtt.count.pingreq": 5, "mqtt.count.pingresp": 5}


def test_all_packet_types_have_names() -> None:
    exchange: list[Said] = [
        (CLIENT, connect(5)),
        (CLIENT, packet(0xF0, b"\x18\x00")),
        (SERVER, packet(0x20, b"\x00\x00\x00")),
        (CLIENT, packet(0x34, text("a") + b"\x00\x07\x00")),
        *((side, packet(head, b"\x00\x07")) for side, head in ((SERVER, 0x50), (CLIENT, 0x62), (SERVER, 0x70))),
    ]
    said = {event["mqtt.type"] for event in fields(PROTOCOL, exchange)}
    said |= {event["mqtt.type"] for event in fields(PROTOCOL, SESSION)}
    assert said == {
        "connect", "connack", "publish", "puback", "pubrec", "pubrel", "pubcomp", "subscribe", "suback", "unsubscribe",
        "unsuback", "pingreq", "pingresp", "disconnect", "auth",
    }  # fmt: skip


def test_properties_of_version_5_are_named_and_credentials_are_measured_only() -> None:
    properties = b"\x21\x00\x14" + b"\x15" + text("token") + b"\x16" + text("1234") + b"\x26" + text("unit") + text("c")
    body = text("MQTT") + b"\x05\x02\x00\x3c" + bytes([len(properties)]) + properties + text("probe")
    said = fields(PROTOCOL, [(CLIENT, packet(0x10, body))])[0]
    prefix = "mqtt.connect.properties."
    assert {name: value for name, value in said.items() if name.startswith(prefix)} == {
        f"{prefix}receive_maximum": 20,
        f"{prefix}authentication_method": "token",
        f"{prefix}authentication_data_bytes": 4,
        f"{prefix}user_property": ["unit=c"],
    }


def test_a_topic_alias_stands_for_its_topic() -> None:
    first = packet(0x30, text("garden/light") + b"\x03\x23\x00\x01" + b"on")
    again = packet(0x30, text("") + b"\x03\x23\x00\x01" + b"off")
    said = fields(PROTOCOL, [(CLIENT, connect(5)), (CLIENT, first), (CLIENT, again)])
    assert [event["mqtt.publish.topic"] for event in said[1:]] == ["garden/light", "garden/light"]
    assert said[2]["mqtt.publish.bytes"] == 3


@pytest.mark.parametrize(
    ("wrong", "anomaly"),
    [
        (packet(0x36, text("topic") + b"\x00\x01"), "invalid_qos_level"),
        (packet(0x00, text("topic")), "unassigned_msg_type"),
        (packet(0x82, b"\x00"), "malformed_traffic"),
        (packet(0x82, b"\x00\x01" + text("a") + b"\x03"), "malformed_traffic"),
    ],
)
def test_a_wrong_packet_is_an_event_and_the_conversation_goes_on(wrong: bytes, anomaly: str) -> None:
    said = fields(PROTOCOL, [(CLIENT, connect()), (SERVER, ACCEPTED), (CLIENT, wrong), (CLIENT, packet(0xE0, b""))])
    assert said[2]["mqtt.anomaly"] == anomaly
    assert said[2]["error.code"] == "malformed"
    assert said[3]["mqtt.type"] == "disconnect"


@pytest.mark.parametrize(
    ("exchange", "anomaly"),
    [
        ([(CLIENT, connect()), (CLIENT, connect())], "double_connect"),
        ([(CLIENT, packet(0x30, text("topic") + b"1"))], "unintroduced_message"),
        ([(SERVER, ACCEPTED)], "missing_connect"),
        ([(CLIENT, connect()), (SERVER, packet(0x90, b"\x00\x01\x00"))], "missing_subscribe"),
        ([(CLIENT, connect()), (SERVER, packet(0xB0, b"\x00\x01"))], "missing_unsubscribe"),
        ([(CLIENT, connect()), (SERVER, packet(0x40, b"\x00\x01"))], "missing_publish"),
    ],
)
def test_what_does_not_fit_what_was_before_is_said(exchange: list[Said], anomaly: str) -> None:
    assert fields(PROTOCOL, exchange)[-1]["mqtt.anomaly"] == anomaly


def test_an_endless_length_ends_the_conversation() -> None:
    said = fields(PROTOCOL, [(CLIENT, connect() + b"\x30\xff\xff\xff\xff\x01"), (CLIENT, packet(0xE0, b""))])
    assert [event.get("mqtt.type", event.get("error.code")) for event in said] == ["connect", "malformed"]


def test_a_conversation_in_progress_is_told_on_its_port_only() -> None:
    publish = packet(0x30, text("garden/bed1/temperature") + b"21.5")
    assert PROTOCOL.recognise(publish, CLIENT, at_port(1883)) is Verdict.YES
    assert PROTOCOL.recognise(publish, CLIENT, ENDS) is Verdict.NO
    assert PROTOCOL.recognise(b"GET / HTTP/1.1\r\n", CLIENT, at_port(1883)) is Verdict.NO


TOPIC = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)


@given(topic=TOPIC, payload=st.binary(max_size=300), qos=st.integers(0, 2), retain=st.booleans())
def test_a_publish_of_scapy_says_what_scapy_put_in(topic: str, payload: bytes, qos: int, *, retain: bool) -> None:
    layer = scapy_mqtt.MQTTPublish(topic=topic, value=payload, msgid=9 if qos else None)
    raw = bytes(scapy_mqtt.MQTT(type=3, QOS=qos, RETAIN=int(retain)) / layer)
    said = fields(PROTOCOL, [(CLIENT, connect()), (CLIENT, raw)])[1]
    assert said["mqtt.publish.topic"] == topic
    assert said["mqtt.publish.bytes"] == len(payload)
    assert (said["mqtt.publish.qos"], said["mqtt.publish.retain"]) == (qos, retain)


@given(name=TOPIC, user=TOPIC, keep_alive=st.integers(0, 65_535))
def test_a_connect_of_scapy_says_what_scapy_put_in(name: str, user: str, keep_alive: int) -> None:
    layer = scapy_mqtt.MQTTConnect(
        protoname="MQTT", protolevel=4, usernameflag=1, klive=keep_alive, clientId=name, username=user
    )
    said = fields(PROTOCOL, [(CLIENT, bytes(scapy_mqtt.MQTT(type=1) / layer))])[0]
    assert (said["mqtt.connect.client_id"], said["user.name"]) == (name, user)
    assert said["mqtt.connect.keep_alive_seconds"] == keep_alive


@given(cut_anywhere(SESSION))
def test_pieces_make_no_difference(pieces: list[Said]) -> None:
    assert converse(PROTOCOL, pieces) == converse(PROTOCOL, SESSION)


@given(st.one_of(mutated(SESSION), mutated([(CLIENT, connect(5)), *SESSION[1:]]), garbage()))
def test_whatever_comes_the_decoder_keeps_its_word(said: list[Said]) -> None:
    check_survives(PROTOCOL, said, at_port(1883))

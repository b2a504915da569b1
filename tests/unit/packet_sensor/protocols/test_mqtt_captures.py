"""MQTT in captures that nobody of this project made, against Suricata's and Zeek's expectations."""

from pathlib import Path
from typing import Any

import pytest

from packets.captures import Flat, of, suricata, zeek

pytestmark = [pytest.mark.data, pytest.mark.timeout(300)]

TESTS = (
    "mqtt31-unsub-qos1", "mqtt311-pub-userpass-auto-clientid", "mqtt311-unsub-qos2", "mqtt5-sub-customauth",
    "mqtt5-unsub-qos1", "mqtt5-unsub-userpass",
)  # fmt: skip


def translated(name: str, value: Any) -> Flat:
    """Suricata's field as one of ours. It keeps secrets and payloads; of these the sensor keeps sizes only."""
    match name:
        case "mqtt.connect.password":
            return {"mqtt.connect.flags.password": True}
        case "mqtt.connect.properties.authentication_data":
            return {"mqtt.connect.properties.authentication_data_bytes": len(value)}
        case "mqtt.publish.message":
            return {"mqtt.publish.bytes": len(value)}
        case "mqtt.disconnect.reason_code":
            return {}  # the packet is e0 01 04, reason 4 (5.0, 3.14.2.1); Suricata wants properties behind it
        case "mqtt.subscribe.topics":
            return {
                "mqtt.subscribe.topics": [each["topic"] for each in value],
                "mqtt.subscribe.topics_qos": [each["qos"] for each in value],
            }
        case _:
            return {name: value}


@pytest.mark.parametrize("test", TESTS)
def test_all_that_suricata_expects_is_there_as_often(development_data: Path, test: str) -> None:
    said = of(development_data / "pcaps" / "suricata-verify" / test / "input.pcap", "mqtt")
    checks = list(suricata(development_data, test, "mqtt"))
    assert checks
    for count, match in checks:
        wanted = {ours: it for name, value in match.items() for ours, it in translated(name, value).items()}
        fitting = [event for event in said if all(event.get(name) == value for name, value in wanted.items())]
        assert len(fitting) == count, wanted
    assert not any(event.get("mqtt.anomaly") for event in said)


@pytest.mark.parametrize(
    ("test", "anomaly"),
    [("mqtt-events-invalid-qos", "invalid_qos_level"), ("mqtt-events-unassigned-msgtype", "unassigned_msg_type")],
)
def test_what_suricata_calls_an_anomaly_is_one(development_data: Path, test: str, anomaly: str) -> None:
    said = of(development_data / "pcaps" / "suricata-verify" / test / "input.pcap", "mqtt")
    assert [event["mqtt.anomaly"] for event in said if "mqtt.anomaly" in event] == [anomaly]
    assert [event["mqtt.type"] for event in said][-1] == "disconnect"


def test_connections_publications_and_subscriptions_are_those_of_zeek(development_data: Path) -> None:
    said = of(development_data / "pcaps" / "zeek" / "traces" / "mqtt.pcap", "mqtt")

    def ours(kind: str, *names: str) -> list[tuple[Any, ...]]:
        return sorted(tuple(event[name] for name in names) for event in said if event["mqtt.type"] == kind)

    assert ours("connect", "source.port", "mqtt.connect.client_id", "mqtt.connect.protocol_string") == sorted(
        (int(row["id.orig_p"]), row["client_id"], row["proto_name"])
        for row in zeek(development_data, "mqtt.mqtt", "mqtt_connect")
    )
    publish = ("source.port", "mqtt.from_client", "mqtt.publish.retain", "mqtt.publish.topic", "mqtt.publish.bytes")
    assert ours("publish", *publish) == sorted(
        (int(row["id.orig_p"]), row["from_client"] == "T", row["retain"] == "T", row["topic"], int(row["payload_len"]))
        for row in zeek(development_data, "mqtt.mqtt", "mqtt_publish")
    )
    assert ours("subscribe", "mqtt.subscribe.topics", "mqtt.subscribe.topics_qos") == [(["SampleTopic"], [0])]
    assert ours("suback", "mqtt.suback.qos_granted") == [([0],)]


def test_a_device_that_reports_to_a_cloud_is_read(development_data: Path) -> None:
    said = of(development_data / "pcaps" / "ndpi" / "mqtt.pcap", "mqtt")
    assert {event["mqtt.connect.protocol_version"] for event in said if event["mqtt.type"] == "connect"} == {3, 4}
    assert not any("error.code" in event for event in said)

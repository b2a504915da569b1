"""DNP3, RFB, databases, Redis, IRC, mailboxes and file sharing in captures that nobody of this project made."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from packets.captures import events, of, zeek

pytestmark = [pytest.mark.data, pytest.mark.timeout(300)]


@pytest.mark.parametrize("name", ["dnp3_file_write", "dnp3_udp_read", "dnp3_write"])
def test_dnp3_is_that_of_zeek(development_data: Path, name: str) -> None:
    said = of(development_data / "pcaps" / "zeek" / "traces" / "dnp3" / f"{name}.pcap", "dnp3")
    assert [
        (event.get("dnp3.function", "-"), event["dnp3.response_function"], event["dnp3.iin"]) for event in said
    ] == [
        (row["fc_request"].lower(), row["fc_reply"].lower(), int(row["iin"]))
        for row in zeek(development_data, f"dnp3.{name}", "dnp3")
    ]


def test_dnp3_commands_are_those_of_zeek_in_a_long_capture(development_data: Path) -> None:
    """Zeek pairs whatever follows; we by sequence number, so answers with another one stand alone: functions agree."""
    said = of(development_data / "pcaps" / "zeek" / "traces" / "dnp3" / "dnp3.pcap", "dnp3")
    ours = Counter(event["dnp3.function"] for event in said if "dnp3.function" in event)
    theirs = Counter(row["fc_request"].lower() for row in zeek(development_data, "dnp3.events", "dnp3"))
    del theirs["-"], theirs["confirm"]
    assert not theirs - ours
    assert dict(ours - theirs) == {"disable_unsolicited": 1, "stop_appl": 1}  # not answered: Zeek logs answers


def test_a_screen_that_is_shared_is_that_of_zeek(development_data: Path) -> None:
    said = of(development_data / "pcaps" / "zeek" / "traces" / "rfb" / "vnc-mac-to-linux.pcap", "rfb")

    def ours(event: dict[str, Any]) -> tuple[Any, ...]:
        result = {"ok": "T", "failed": "F"}.get(event.get("rfb.authentication.result", ""), "-")
        name = event.get("rfb.framebuffer.name", "-")
        minor = event["rfb.client_protocol_version.minor"], event["rfb.server_protocol_version.minor"]
        return (str(event["source.port"]), *minor, event["rfb.authentication.method"].upper(), result, name)

    columns = (
        "id.orig_p",
        "client_minor_version",
        "server_minor_version",
        "authentication_method",
        "auth",
        "desktop_name",
    )
    assert sorted(map(ours, said)) == sorted(
        tuple(row[name] for name in columns) for row in zeek(development_data, "rfb.vnc-mac-to-linux", "rfb")
    )


def test_a_screens_refusal_has_suricatas_reason(development_data: Path) -> None:
    folder = development_data / "pcaps" / "suricata-verify" / "rfb-failure"
    assert [event["rfb.server_security_failure_reason"] for event in of(folder / "rfb_failure_16.pcap", "rfb")] == [
        "A" * 16
    ]


@pytest.mark.parametrize(
    ("trace", "protocol", "users"),
    [
        ("zeek/traces/mysql/selects_with_new_proto.pcap", "mysql", ["root"]),
        ("zeek/traces/mysql/caching_sha2_password-after-auth-switch.pcapng", "mysql", ["root"]),
        ("zeek/traces/postgresql/greenhouse-app.pcap", "postgresql", ["user", "user"]),
        ("ndpi/imap.pcap", "imap", ["samir"]),
    ],
)
def test_logins_are_read(development_data: Path, trace: str, protocol: str, users: list[str]) -> None:
    said = of(development_data / "pcaps" / trace, protocol)
    assert [event["user.name"] for event in said] == users
    assert {event["event.outcome"] for event in said} == {"success"}


@pytest.mark.parametrize("trace", ["ndpi/mysql.pcapng", "ndpi/pgsql2.pcapng", "zeek/traces/tls/irc-starttls.pcap",
                                   "zeek/traces/ftp/ftp-auth-tls.pcap"])  # fmt: skip
def test_what_becomes_tls_is_read_as_tls(development_data: Path, trace: str) -> None:
    assert "network.tls" in {event["event.dataset"] for event in events(development_data / "pcaps" / trace)}


@pytest.mark.parametrize(
    ("name", "trace"),
    [
        ("redis.client-reply-off-2conn", "reply-off-on-2conn.pcap"),
        ("redis.django-cloud", "django-cloud.pcapng"),
        ("redis.pipelined-with-commands", "pipeline-with-commands.pcap"),
        ("redis.pubsub", "pubsub.pcap"),
        ("redis.stream", "stream.pcap"),
    ],
)
def test_redis_commands_are_those_of_zeek(development_data: Path, name: str, trace: str) -> None:
    said = of(development_data / "pcaps" / "zeek" / "traces" / "redis" / trace, "redis")
    rows = zeek(development_data, name, "redis")
    assert {
        (event["source.port"], event["redis.command"]) for event in said if event["redis.command"] != "summary"
    } == {(int(row["id.orig_p"]), row["cmd.name"]) for row in rows}
    assert sum(event.get("redis.count.commands", 0) for event in said) == len(rows)


def test_a_chat_is_found_on_an_odd_port(development_data: Path) -> None:
    said = of(development_data / "pcaps" / "ndpi" / "irc.pcap", "irc")
    assert {event["destination.port"] for event in said} == {8000}
    assert said[0]["irc.command"] == "user"
    assert any(event.get("irc.channels") for event in said)


@pytest.mark.parametrize(
    ("capture", "protocol", "flows"),
    [
        ("bittorrent_utp.pcap", "bittorrent", 2),
        ("targusdataspeed_false_positives.pcap", "bittorrent", 2),
        ("lru_ipv6_caches.pcapng", "bittorrent", 5),
        ("edonkey.pcap", "edonkey", 1),
        ("mqtt.pcap", "mqtt", 2),
        ("modbus.pcap", "modbus", 1),
        ("mysql.pcapng", "mysql", 2),
        ("pgsql2.pcapng", "postgresql", 1),
    ],
)
def test_as_many_flows_as_ndpi_has(development_data: Path, capture: str, protocol: str, flows: int) -> None:
    said = of(development_data / "pcaps" / "ndpi" / capture, protocol)
    assert len({event["network.community_id"] for event in said}) == flows

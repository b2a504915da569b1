"""FTP in captures that nobody of this project made, against Zeek's logs and Suricata's expectations."""

from pathlib import Path

import pytest

from packets.captures import of, suricata, zeek

pytestmark = [pytest.mark.data, pytest.mark.timeout(300)]


@pytest.mark.parametrize("test", ["ftp-epsv", "ftp-port-memcap"])
def test_all_that_suricata_expects_is_there_as_often(development_data: Path, test: str) -> None:
    said = of(development_data / "pcaps" / "suricata-verify" / test / "input.pcap", "ftp")
    checks = list(suricata(development_data, test, "ftp"))
    assert checks
    for count, match in checks:
        assert sum(all(event.get(name) == value for name, value in match.items()) for event in said) == count


@pytest.mark.parametrize(("name", "trace"), [("ftp.ftp-ipv4", "ipv4.pcap"), ("ftp.ftp-auth-tls", "ftp-auth-tls.pcap")])
def test_commands_replies_and_data_ports_are_those_of_zeek(development_data: Path, name: str, trace: str) -> None:
    said = of(development_data / "pcaps" / "zeek" / "traces" / "ftp" / trace, "ftp")
    ours = [
        (
            event.get("ftp.command", "<init>"),
            event["ftp.reply_code"],
            event["ftp.reply"],
            event.get("ftp.dynamic_port"),
            event.get("user.name", "<unknown>"),
        )
        for event in said
    ]
    for row in zeek(development_data, name, "ftp"):
        port = row["data_channel.resp_p"]
        wanted = (row["command"], int(row["reply_code"]), row["reply_msg"], int(port) if port != "-" else None)
        assert (*wanted, row["user"]) in ours


def test_an_invalid_reply_answers_its_command(development_data: Path) -> None:
    said = of(development_data / "pcaps" / "zeek" / "traces" / "ftp" / "ftp-invalid-reply-code.pcap", "ftp")
    assert [(event.get("ftp.command"), event.get("error.code")) for event in said] == [
        (None, None),
        ("USER", None),
        ("PASS", None),
        ("PASV", "malformed"),
        ("QUIT", None),
    ]


def test_replies_stay_with_their_commands_when_one_is_too_long(development_data: Path) -> None:
    """Zeek gives up and pairs the next replies wrongly; the server names the command that it answers."""
    said = of(development_data / "pcaps" / "zeek" / "traces" / "ftp" / "fake-long-commands.pcap", "ftp")
    for event in said[1:]:
        assert event["ftp.command"] in {"unknown", event["ftp.reply"].split()[2]}
    assert [event["ftp.command"] for event in said[1:]].count("unknown") == 2


def test_refused_logins_are_failures_and_no_password_is_kept(development_data: Path) -> None:
    said = of(development_data / "pcaps" / "ndpi" / "ftp_failed.pcap", "ftp")
    assert "failure" in {event["event.outcome"] for event in said}
    for event in said:
        assert event.get("ftp.command") != "PASS" or "ftp.command_data" not in event

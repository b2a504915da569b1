"""SMTP in captures that nobody of this project made, against Suricata's expectations and Zeek's logs."""

from pathlib import Path

import pytest

from packets.captures import Flat, events, of, suricata, zeek

pytestmark = [pytest.mark.data, pytest.mark.timeout(300)]

TESTS = (
    "smtp-bdat-bad-tail-next-mail", "smtp-bdat-bad-tail-reply-queue", "smtp-bdat-last-next-mail",
    "smtp-bdat-multichunk-inspection", "smtp-bug-5981", "smtp-ehlo-reset", "smtp-helo-reset-after-rcpt",
    "smtp-long-DATA-line", "smtp-pipelined-post-data-rset-sequence", "smtp-pipelined-rset-data-replies",
    "smtp-pipelining", "smtp-rejected-ehlo-preserves-envelope",
)  # fmt: skip


def envelope(match: Flat) -> Flat:
    """What Suricata expects of the envelope; it keeps the brackets, and looks into the mail, which we never do."""
    wanted: Flat = {}
    for name, value in match.items():
        match name:
            case "smtp.mail_from":
                wanted[name] = value.strip("<>")
            case "smtp.rcpt_to[0]":
                wanted["smtp.rcpt_to"] = [value.strip("<>")]
            case "smtp.helo":
                wanted[name] = value
    return wanted


@pytest.mark.parametrize("test", TESTS)
def test_all_that_suricata_expects_is_there_as_often(development_data: Path, test: str) -> None:
    said = of(development_data / "pcaps" / "suricata-verify" / test / "input.pcap", "smtp")
    mails = [event for event in said if event["smtp.type"] == "mail"]
    for count, match in suricata(development_data, test, "smtp"):
        wanted = envelope(match)
        assert sum(all(event.get(name) == value for name, value in wanted.items()) for event in mails) == count, wanted
    bad_chunks = sum(
        check[1].get("anomaly.event") == "INVALID_BDAT" for check in suricata(development_data, test, "anomaly")
    )
    assert sum(event.get("smtp.anomaly") == "invalid_bdat" for event in mails) == bad_chunks


@pytest.mark.parametrize(
    ("name", "trace"),
    [
        ("smtp.bdat-chunk-size-overflow2", "smtp/smtp-bdat-cmd-chunk-size-overflow2.pcap"),
        ("smtp.bdat-cmd-invalid", "smtp/smtp-bdat-cmd-invalid.pcapng"),
        ("smtp.bdat-pipeline-8bitmime", "smtp/smtp-bdat-pipeline-8bitmime.pcap"),
        ("smtp.one-side", "smtp-one-side-only.pcap"),
        ("http.http-connect", "http/connect-with-smtp.pcap"),
    ],
)
def test_envelopes_are_those_of_zeek(development_data: Path, name: str, trace: str) -> None:
    said = of(development_data / "pcaps" / "zeek" / "traces" / trace, "smtp")
    assert [(each["smtp.helo"], each["smtp.mail_from"], each["smtp.rcpt_to"]) for each in said] == [
        (row["helo"], row["mailfrom"], [row["rcptto"]]) for row in zeek(development_data, name, "smtp")
    ]


def test_behind_starttls_the_handshake_is_read(development_data: Path) -> None:
    path = development_data / "pcaps" / "ndpi" / "smtp-starttls.pcap"
    assert [event["smtp.starttls"] for event in of(path, "smtp")] == [True, True]
    assert sum(event["event.dataset"] == "network.tls" for event in events(path)) == 2

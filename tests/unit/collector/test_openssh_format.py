"""The OpenSSH format, message by message."""

import zoneinfo

import pytest

from sakimori_collector.domain.formats import FORMATS, LineRejected, Reference
from sakimori_common.contracts import FieldValue
from sakimori_common.instants import format_instant, parse_instant

NOW = parse_instant("2026-01-16T02:00:00Z")
HEAD = "Jan 16 01:59:58 web-1 sshd[4711]: "


def parse_all(line: str, zone: str = "UTC", now: int = NOW) -> list[dict[str, FieldValue]]:
    records = FORMATS["openssh.auth"].parse(line, Reference(now, zoneinfo.ZoneInfo(zone)))
    return [{"@timestamp": format_instant(time), **fields} for time, fields in records]


def parse(line: str, zone: str = "UTC", now: int = NOW) -> dict[str, FieldValue]:
    [event] = parse_all(line, zone, now)
    return event


def said(message: str) -> tuple[FieldValue, ...]:
    event = parse(HEAD + message)
    return tuple(event.get(name) for name in ("event.action", "event.outcome", "user.name", "source.ip", "source.port"))


def test_a_line_gives_header_and_message() -> None:
    assert parse(HEAD + "Failed password for root from 192.0.2.7 port 50000 ssh2") == {
        "@timestamp": "2026-01-16T01:59:58.000Z",
        "event.category": "authentication",
        "event.action": "ssh_login",
        "event.outcome": "failure",
        "host.hostname": "web-1",
        "process.name": "sshd",
        "process.pid": 4711,
        "message": "Failed password for root from 192.0.2.7 port 50000 ssh2",
        "user.name": "root",
        "source.ip": "192.0.2.7",
        "source.port": 50000,
        "sakimori.auth.method": "password",
    }


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "Accepted publickey for git from 192.0.2.7 port 22022 ssh2: ED25519 SHA256:abc",
            ("ssh_login", "success", "git", "192.0.2.7", 22022),
        ),
        (
            "Accepted password for ann from 2001:db8::7 port 1 ssh2",
            ("ssh_login", "success", "ann", "2001:db8::7", 1),
        ),
        (
            "Failed password for invalid user oracle from 192.0.2.7 port 5 ssh2",
            ("ssh_login", "failure", "oracle", "192.0.2.7", 5),
        ),
        (
            "Failed keyboard-interactive/pam for ann from 192.0.2.7 port 5 ssh2",
            ("ssh_login", "failure", "ann", "192.0.2.7", 5),
        ),
        (
            "Failed publickey for ann from 192.0.2.7 port 5 ssh2: RSA SHA256:abc",
            ("ssh_method_refused", "unknown", "ann", "192.0.2.7", 5),
        ),
        (
            "Failed publickey for invalid user bob from 192.0.2.7 port 5 ssh2: RSA SHA256:abc",
            ("ssh_login", "failure", "bob", "192.0.2.7", 5),
        ),
        (
            "Failed none for invalid user bob from 192.0.2.7 port 5 ssh2",
            ("ssh_method_refused", "unknown", "bob", "192.0.2.7", 5),
        ),
        ("Invalid user bob from 192.0.2.7 port 5", ("ssh_invalid_user", "failure", "bob", "192.0.2.7", 5)),
        ("Invalid user  from 192.0.2.7 port 5", ("ssh_invalid_user", "failure", None, "192.0.2.7", 5)),
        ("Invalid user bob from 192.0.2.7", ("ssh_invalid_user", "failure", "bob", "192.0.2.7", None)),
        (
            "Connection closed by authenticating user root 192.0.2.7 port 5 [preauth]",
            ("ssh_disconnect", "failure", "root", "192.0.2.7", 5),
        ),
        (
            "Connection reset by invalid user bob 192.0.2.7 port 5 [preauth]",
            ("ssh_disconnect", "failure", "bob", "192.0.2.7", 5),
        ),
        ("Connection closed by 192.0.2.7 port 5 [preauth]", ("ssh_disconnect", "unknown", None, "192.0.2.7", 5)),
        (
            "Disconnected from invalid user bob 192.0.2.7 port 5 [preauth]",
            ("ssh_disconnect", "failure", "bob", "192.0.2.7", 5),
        ),
        ("Disconnected from user ann 192.0.2.7 port 5", ("ssh_disconnect", "unknown", "ann", "192.0.2.7", 5)),
        (
            "error: maximum authentication attempts exceeded for invalid user bob from 192.0.2.7 port 5 ssh2 [preauth]",
            ("ssh_max_attempts", "failure", "bob", "192.0.2.7", 5),
        ),
        (
            "Disconnecting authenticating user root 192.0.2.7 port 5: Too many authentication failures [preauth]",
            ("ssh_max_attempts", "failure", "root", "192.0.2.7", 5),
        ),
        (
            "Received disconnect from 192.0.2.7 port 5:11: Bye Bye [preauth]",
            ("ssh_disconnect", "unknown", None, "192.0.2.7", 5),
        ),
        (
            "Received disconnect from 2001:db8::7: 14: No supported authentication methods available",
            ("ssh_disconnect", "failure", None, "2001:db8::7", None),
        ),
        (
            "Unable to negotiate with 192.0.2.7 port 5: no matching host key type found. Their offer: ssh-dss",
            ("ssh_negotiation_failed", "failure", None, "192.0.2.7", 5),
        ),
        (
            "banner exchange: Connection from 192.0.2.7 port 5: invalid format",
            ("ssh_probe", "unknown", None, "192.0.2.7", 5),
        ),
        (
            "Did not receive identification string from 192.0.2.7 port 5",
            ("ssh_probe", "unknown", None, "192.0.2.7", 5),
        ),
        (
            "User ann from 192.0.2.7 not allowed because not listed in AllowUsers",
            ("ssh_user_denied", "failure", "ann", "192.0.2.7", None),
        ),
        (
            "User ann not allowed because account is locked",
            ("ssh_user_denied", "failure", "ann", None, None),
        ),
        (
            "Postponed keyboard-interactive for invalid user bob from 192.0.2.7 port 5 ssh2 [preauth]",
            ("ssh_postponed", "unknown", "bob", "192.0.2.7", 5),
        ),
        (
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= "
            "rhost=192.0.2.7  user=ann",
            ("ssh_pam_failure", "failure", "ann", "192.0.2.7", None),
        ),
        (
            "PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=ann",
            ("ssh_pam_failure", "failure", "ann", "192.0.2.7", None),
        ),
        (
            "error: PAM: Authentication failure for illegal user bob from 192.0.2.7",
            ("ssh_pam_failure", "failure", "bob", "192.0.2.7", None),
        ),
        (
            "pam_unix(sshd:session): session opened for user ann(uid=1000) by ann(uid=0)",
            ("ssh_session_opened", "success", "ann", None, None),
        ),
        (
            "pam_unix(sshd:session): session closed for user ann",
            ("ssh_session_closed", "unknown", "ann", None, None),
        ),
        ("Server listening on 0.0.0.0 port 22.", ("ssh_other", "unknown", None, None, None)),
        ("", ("ssh_other", "unknown", None, None, None)),
    ],
)
def test_messages_and_what_they_mean(message: str, expected: tuple[FieldValue, ...]) -> None:
    assert said(message) == expected


@pytest.mark.parametrize(
    ("message", "address", "user"),
    [
        (
            "Failed password for invalid user x from 198.51.100.1 port 22 ssh2 from 192.0.2.7 port 5 ssh2",
            "192.0.2.7",
            "x from 198.51.100.1 port 22 ssh2",
        ),
        (
            "Failed password for invalid user x from 198.51.100.1 port 22 ssh2: y from 192.0.2.7 port 5 ssh2",
            "192.0.2.7",
            "x from 198.51.100.1 port 22 ssh2: y",
        ),
        (
            "Failed publickey for invalid user x from 198.51.100.1 port 22 ssh2: RSA a "
            "from 192.0.2.7 port 5 ssh2: RSA b",
            "192.0.2.7",
            "x from 198.51.100.1 port 22 ssh2: RSA a",
        ),
        (
            "Failed hostbased for ann from 192.0.2.7 port 5 ssh2: RSA a, "
            'client user "b from 198.51.100.1 port 22 ssh2: "',
            "192.0.2.7",
            "ann",
        ),
        ("Invalid user x from 198.51.100.1 port 22 from 192.0.2.7 port 5", "192.0.2.7", "x from 198.51.100.1 port 22"),
        (
            "Connection closed by invalid user x 198.51.100.1 port 22 192.0.2.7 port 5 [preauth]",
            "192.0.2.7",
            "x 198.51.100.1 port 22",
        ),
        (
            "maximum authentication attempts exceeded for invalid user a from 198.51.100.1 port 2 ssh2 "
            "from 192.0.2.7 port 5 ssh2",
            "192.0.2.7",
            "a from 198.51.100.1 port 2 ssh2",
        ),
        (
            "Disconnecting invalid user a 192.0.2.7 port 5: Change of username or service not allowed: "
            "(a,ssh-connection) -> (b 198.51.100.1 port 2: Too many authentication failures,ssh-connection) [preauth]",
            "192.0.2.7",
            "a",
        ),
        (
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  "
            "user=x rhost=198.51.100.1  user=y",
            "192.0.2.7",
            "x rhost=198.51.100.1  user=y",
        ),
        (
            "Bad protocol version identification 'x' from 198.51.100.1 port 2' from 192.0.2.7 port 5",
            "192.0.2.7",
            None,
        ),
        ("Received disconnect from 192.0.2.7 port 5:11: from 198.51.100.1 port 2:14: x", "192.0.2.7", None),
    ],
)
def test_a_name_cannot_put_another_address_in_its_place(message: str, address: str, user: str | None) -> None:
    event = parse(HEAD + message)
    assert event["event.action"] != "ssh_other"
    assert (event["source.ip"], event.get("user.name")) == (address, user)


@pytest.mark.parametrize(
    ("head", "time", "process"),
    [
        ("Jan 16 01:59:58 web-1 sshd[1]: ", "2026-01-16T01:59:58.000Z", "sshd"),
        ("Jan  6 01:59:58 web-1 sshd-session[1]: ", "2026-01-06T01:59:58.000Z", "sshd-session"),
        ("<38>Dec 31 23:59:58 web-1 sshd: ", "2025-12-31T23:59:58.000Z", "sshd"),
        ("2026-01-16T10:59:58.123456+09:00 web-1 sshd[1]: ", "2026-01-16T01:59:58.123456Z", "sshd"),
        ("2026-01-16T10:59:58+0900 web-1 sshd[1]: ", "2026-01-16T01:59:58.000Z", "sshd"),
        ("<38>1 2026-01-16T01:59:58Z web-1 sshd-auth 1 - - ", "2026-01-16T01:59:58.000Z", "sshd-auth"),
        ('<38>1 2026-01-16T01:59:58Z web-1 sshd - - [a@1 b="]\\""] \ufeff', "2026-01-16T01:59:58.000Z", "sshd"),
    ],
)
def test_headers_of_all_daemons(head: str, time: str, process: str) -> None:
    event = parse(head + "Invalid user bob from 192.0.2.7 port 5")
    assert (event["@timestamp"], event["process.name"], event["user.name"]) == (time, process, "bob")


@pytest.mark.parametrize(
    ("stamp", "now", "zone", "time"),
    [
        ("Jan 16 10:59:58", "2026-01-16T02:00:00Z", "Asia/Tokyo", "2026-01-16T01:59:58.000Z"),
        ("Dec 31 23:59:59", "2026-01-01T00:00:00Z", "UTC", "2025-12-31T23:59:59.000Z"),
        ("Jan  1 08:00:00", "2025-12-31T23:30:00Z", "Asia/Tokyo", "2025-12-31T23:00:00.000Z"),
        ("Jan  1 08:00:00", "2025-12-31T23:30:00Z", "UTC", "2026-01-01T08:00:00.000Z"),
        ("Jan 17 03:00:00", "2026-01-16T02:00:00Z", "UTC", "2025-01-17T03:00:00.000Z"),
        ("Feb 29 12:00:00", "2026-01-16T02:00:00Z", "UTC", "2024-02-29T12:00:00.000Z"),
        ("Jan 16 01:59:60", "2026-01-16T02:00:00Z", "UTC", "2026-01-16T01:59:59.000Z"),
    ],
)
def test_the_missing_year_is_the_last_that_fits(stamp: str, now: str, zone: str, time: str) -> None:
    assert parse(f"{stamp} web-1 sshd[1]: x", zone, parse_instant(now))["@timestamp"] == time


def test_a_repeated_message_is_as_many_events_and_a_huge_one_is_bounded() -> None:
    line = HEAD + "message repeated {} times: [ Failed password for root from 192.0.2.7 port 5 ssh2]"
    events = parse_all(line.format(3))
    assert len(events) == 3
    assert {(event["event.outcome"], event["sakimori.log.repeated"]) for event in events} == {("failure", 3)}
    events[0]["x"] = 1
    assert "x" not in events[1]
    assert len(parse_all(line.format(999_999_999))) == 100


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Jan 16 01:59:58 web-1 CRON[1]: pam_unix(cron:session): session opened", "not a line of openssh.auth: CRON"),
        ("Jan 16 01:59:58 web-1 sshd-keygen[1]: x", "not a line of openssh.auth: sshd-keygen"),
        ("Foo 16 01:59:58 web-1 sshd[1]: x", "no such time"),
        ("Jan 32 01:59:58 web-1 sshd[1]: x", "no such time"),
        ("2026-13-16T01:59:58Z web-1 sshd[1]: x", "no such time"),
        ("2100-01-16T01:59:58Z web-1 sshd[1]: x", "over a day ahead"),
        ("1969-01-16T01:59:58Z web-1 sshd[1]: x", "no such time"),
        ("Failed password for root from 192.0.2.7 port 5 ssh2", "no syslog header"),
        ("", "no syslog header"),
    ],
)
def test_what_sshd_did_not_write_is_rejected_with_the_reason(line: str, reason: str) -> None:
    with pytest.raises(LineRejected, match=reason):
        parse(line)

"""Daemons without a file of their own: who logged in, or was refused."""

from typing import Any

import pytest

from sakimori_collector.domain.formats import Reference
from sakimori_collector.domain.reading import Source
from sakimori_common.instants import parse_instant

NOW = Reference(parse_instant("2026-01-16T02:00:00Z"))


def read(message: str, program: str = "daemon[7]") -> dict[str, Any]:
    [event] = Source("t", "t", "auto", NOW, {}).read(f"Jan 16 01:59:58 host-1 {program}: {message}".encode(), 0)
    return {"dataset": event.dataset, **event.fields}


@pytest.mark.parametrize(
    ("message", "user"),
    [
        ("Bad password attempt for 'root' from 198.51.100.7:60588", "root"),
        ("Bad PAM password attempt for 'root' from 198.51.100.7:60588", "root"),
        ("Login attempt for nonexistent user from 198.51.100.7:60794", None),
        (
            "Exit before auth (user 'root', 10 fails): Max auth tries reached - user 'root' from 198.51.100.7:60588",
            "root",
        ),
        ("Non-existent login as admin from 198.51.100.7", "admin"),
        ("Invalid login as admin from 198.51.100.7", "admin"),
        ("Security alert: Host 198.51.100.7 blocked after 5 failed logins for user admin", None),
        ("authentication failure; rhost=::ffff:198.51.100.7 user=root@pam msg=Authentication failure", "root@pam"),
        ("[admin] failed to login from 198.51.100.7:65009", "admin"),
        ("(sshd) Failed SSH login from 198.51.100.7 (JP/Japan/host.example.net): 5 in the last 300 secs", None),
        ("[10:22:17] [INF] Authentication request for hanako has been denied (IP: 198.51.100.7).", "hanako"),
        ("[Warn] Auth: Auth-Failure ip 198.51.100.7 username 'hanako'", "hanako"),
        ("FAIL: smtps address from=198.51.100.7", None),
        ('Auth: 198.51.100.7:2709->192.0.2.1:993 authentication_id="a" protocol=IMAP4 status="failed: x"', None),
        ("authentication failed: no such user: hanako - 198.51.100.7", "hanako"),
        ("user denied: root (mysql-denied) from 198.51.100.7", "root"),
        ("Authentication: FAILED :: User Name: hanako :: Viewer Address: 198.51.100.7 :: Type: DH", "hanako"),
        ("Host 198.51.100.7 is not allowed to talk to us!", None),
        ("SOGoRootPage Login from '198.51.100.7' for user 'hanako' might not have worked - grace: -1", "hanako"),
        ('error,relay=::ffff:198.51.100.7,msg="535 Authentication failed.",cmd: AUTH PLAIN x', None),
        ("Failed login attempt for user hanako from 198.51.100.7", "hanako"),
        ("Failed password for hanako from 198.51.100.7", "hanako"),
        ("Login failed: hanako (Remote IP: 198.51.100.7)", "hanako"),
    ],
)
def test_a_refused_login_names_who_and_whence(message: str, user: str | None) -> None:
    event = read(message)
    assert (event["dataset"], event["event.category"], event["event.outcome"]) == (
        "linux.auth",
        "authentication",
        "failure",
    )
    assert (event["source.ip"], event.get("user.name")) == ("198.51.100.7", user)


@pytest.mark.parametrize(
    ("message", "user"),
    [
        ("Password auth succeeded for 'hanako' from 198.51.100.7:60588", "hanako"),
        ("Pubkey auth succeeded for 'hanako' with key sha1!! aa:bb from 198.51.100.7:60588", "hanako"),
        ("user hanako logged in from 198.51.100.7 via winbox", "hanako"),
    ],
)
def test_a_login_names_who_and_whence(message: str, user: str) -> None:
    event = read(message)
    assert (event["dataset"], event["event.outcome"]) == ("linux.auth", "success")
    assert (event["source.ip"], event["user.name"]) == ("198.51.100.7", user)


@pytest.mark.parametrize(
    "message",
    [
        "198.51.100.7 to 192.0.2.1 ports 80, 81, 83, 88, ..., fSrpauxy, TOS 00 @01:59:58",
        "attackalert: Connect from host: host.example.net/198.51.100.7 to TCP port: 1",
    ],
)
def test_a_scan_is_one_and_no_login(message: str) -> None:
    event = read(message)
    assert (event["dataset"], event["event.action"], event["source.ip"]) == (
        "linux.syslog",
        "port_scan",
        "198.51.100.7",
    )


@pytest.mark.parametrize(
    "message",
    [
        "ready",
        "the login page was shown",
        "host=web-1 is up",
        "Failed to open /etc/passwords: no such file",
        "password file read from 198.51.100.7",
        "job finished, 0 failed, 3 passed from 198.51.100.7",
        "user hanako logged out from 198.51.100.7 via winbox",
    ],
)
def test_words_alone_make_no_login(message: str) -> None:
    event = read(message)
    assert (event["dataset"], event["event.category"]) == ("linux.syslog", "host")


@pytest.mark.parametrize("name", ["x", "from 203.0.113.99", "a' from 203.0.113.99:22", "root (x) from 203.0.113.99"])
def test_a_name_does_not_move_the_address(name: str) -> None:
    for message in (
        f"Bad password attempt for '{name}' from 198.51.100.7:60588",
        f"Invalid login as {name} from 198.51.100.7",
        f"user denied: {name} from 198.51.100.7",
        f"Failed login attempt for user {name} from 198.51.100.7",
    ):
        assert read(message)["source.ip"] == "198.51.100.7"


def test_postfix_is_known_by_the_last_part_of_its_name() -> None:
    said = "warning: unknown[198.51.100.7]: SASL LOGIN authentication failed: x"
    assert read(said, "postfix/smtpd[1]")["dataset"] == "postfix.auth"
    assert read(said, "mail-in/submission/smtpd[1]")["dataset"] == "postfix.auth"
    assert read(said, "smtpd[1]")["dataset"] == "linux.syslog"

"""Guessed passwords of any daemon are found from its log; jobs, sudo and mail that is refused are no logins."""

import io
from pathlib import Path

import pytest

from sakimori_collector.domain.formats import Reference
from sakimori_collector.offline import parse_stream
from sakimori_common.contracts import Event
from sakimori_common.instants import parse_instant
from sakimori_detector.offline import Latest, OfflineDetector, load_folder

LOADED = load_folder(Path(__file__).resolve().parents[3] / "rules", "UTC")
NOW = Reference(parse_instant("2026-01-16T12:00:00Z"))
WHEN = "Jan 16 10:00:{second:02} web-1 "


def events_of(pattern: str, times: int) -> list[Event]:
    log = "\n".join(pattern.format(second=second, user=f"u{second}") for second in range(times))
    results = list(parse_stream(io.BytesIO(log.encode()), "-", "auto", NOW))
    assert [reason for _, reason in results if reason is not None] == []
    return [event for found, _ in results for event in found]


def rules_that_fire(events: list[Event]) -> set[str]:
    detector, latest = OfflineDetector(LOADED.rules, LOADED.world), Latest()
    latest.add(detector.feed(events))
    return {finding.rule_id for finding in latest.all()}


@pytest.mark.parametrize(
    "line",
    [
        WHEN + "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<info>, method=PLAIN, "
        "rip=198.51.100.7, lip=192.0.2.1, session=<a>",
        WHEN
        + "postfix/smtpd[5]: warning: unknown[198.51.100.7]: SASL LOGIN authentication failed: x, sasl_username=info",
        'Fri Jan 16 10:00:{second:02} 2026 [pid 7] [info] FAIL LOGIN: Client "198.51.100.7"',
        WHEN + "proftpd[5]: web-1 (198.51.100.7[198.51.100.7]) - USER info: no such user found from 198.51.100.7 "
        "[198.51.100.7] to 192.0.2.1:21",
        WHEN + "cockpit[5]: pam_unix(cockpit:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= "
        "rhost=198.51.100.7  user=info",
        WHEN + "dropbear[5]: Bad password attempt for 'info' from 198.51.100.7:4000",
        "2026-01-16T10:00:{second:02}.000000Z 8 [Note] Access denied for user 'info'@'198.51.100.7'",
        "198.51.100.7 2026-01-16 10:00:{second:02} UTC [5] info@app FATAL:  password authentication failed for user "
        '"info"',
    ],
)
def test_five_wrong_passwords_of_one_address_are_found_whatever_the_daemon(line: str) -> None:
    assert "brute_force_attack" not in rules_that_fire(events_of(line, 4))
    assert "brute_force_attack" in rules_that_fire(events_of(line, 5))


@pytest.mark.parametrize(
    "line",
    [
        WHEN + "CRON[5]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
        WHEN + "systemd[5]: pam_unix(systemd-user:session): session opened for user hanako(uid=1000) by (uid=0)",
        WHEN + "sudo: hanako : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id",
        WHEN
        + "postfix/smtpd[5]: NOQUEUE: reject: RCPT from unknown[198.51.100.7]: 554 5.7.1 <{user}@example.org>: Relay "
        "access denied; from=<a@example.net> to=<{user}@example.org> proto=ESMTP helo=<x>",
        'Fri Jan 16 10:00:{second:02} 2026 [pid 7] [info] FAIL UPLOAD: Client "198.51.100.7", "/srv/{user}"',
        WHEN
        + "dovecot: imap-login: Disconnected (no auth attempts in 0 secs): user=<>, rip=198.51.100.7, lip=192.0.2.1",
        WHEN + "systemd[1]: app.service: Main process exited, code=exited, status=1/FAILURE",
        WHEN
        + "named[5]: client @0x7f6510001230 198.51.100.7#3076 (example.com): query (cache) 'example.com/ANY/IN' denied",
    ],
)
def test_what_is_no_login_raises_nothing_however_often(line: str) -> None:
    assert rules_that_fire(events_of(line, 50)) == set()

"""fail2ban's own cases: which lines are offences, whose, and when.

An offence is what our events call a failure, a ban or a scan with somebody at its other end. Of access logs only host
and time are compared: whether a request is an offence is for the rules to say. Cases of other modes of a filter than
the default ask for host and time, too. Times are those of the zone that fail2ban's tests run in; winter times are
given without saying so, hence an hour more or less is the zone's doing.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from bench.conformance import Check, Flat
from bench.parse_conformance.lines import fields_of, offenders_of, source_of
from sakimori_collector.domain.format import Reference
from sakimori_common.instants import parse_instant

_ZONE: Final = ZoneInfo("Europe/Zurich")
OLD: Final = Reference(parse_instant("2005-08-14T10:00:00Z"), _ZONE)
"""The clock of fail2ban's tests, for lines that do not say their year."""
TODAY: Final = Reference(parse_instant("2026-01-16T02:00:00Z"), _ZONE)

_RECENT: Final = re.compile(r"\b20[012]\d[-/]")
FORMATS: Final = {
    "openssh": ("sshd", "sshd-journal", "selinux-ssh"),
    "logins": ("dropbear", "pam-generic", "webmin-auth", "routeros-auth", "znc-adminlog", "xinetd-fail", "perdition",
               "cyrus-imap", "sieve", "solid-pop3d", "uwimap-auth", "courier-auth", "screensharingd", "slapd"),
    "ftp": ("proftpd", "pure-ftpd", "vsftpd", "wuftpd", "gssftpd"),
    "mail": ("postfix", "dovecot", "exim", "exim-spam", "sendmail-auth", "sendmail-reject", "courier-smtp"),
    "database": ("mysqld-auth", "postgresql"),
    "dns": ("named-refused",),
    "fail2ban": ("recidive",),
    "firewall": ("scanlogd", "portsentry", "netfilter"),
    "web error": ("apache-auth", "apache-noscript", "apache-overflows", "apache-modsecurity", "apache-shorewall",
                  "apache-nohome", "apache-botsearch", "nginx-http-auth", "nginx-forbidden", "nginx-limit-req",
                  "nginx-error-common"),
    "web access": ("apache-badbots", "apache-fakegooglebot", "apache-pass", "nginx-bad-request", "nginx-botsearch",
                   "php-url-fopen", "haproxy-http-auth", "traefik-auth", "lighttpd-auth"),
}  # fmt: skip
"""Our groups of formats, and the filters whose lines those read."""
_GROUP: Final = {filter_: group for group, filters in FORMATS.items() for filter_ in filters}
_OFFENCES: Final = frozenset({"address_banned", "port_scan"})


def checks(data: Path) -> Iterator[Check]:
    """Compare each line of the filters whose formats we have."""
    seen: Counter[str] = Counter()
    for text in (data / "logs" / "fail2ban" / "fail2ban.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(text)
        group = _GROUP.get(case["filter"])
        if group is not None:
            seen[case["filter"]] += 1
            yield _check(case, group, f"{case['filter']}#{seen[case['filter']]}")


def _check(case: dict[str, Any], group: str, name: str) -> Check:
    line = case["line"]
    if case["filter"] == "sshd-journal":
        line = f"Aug 14 11:00:00 {line}"  # the journal's text has no time of its own
    reference = OLD if (case["time"] or "2005")[:4] in {"2004", "2005"} and not _RECENT.search(line) else TODAY
    event = fields_of(line.encode(), source_of(reference))
    expected = f"{'offence' if case['match'] else 'none'} of {case['host']} at {case['time']}: {line[:160]}"
    got = f"{event.get('event.action', event.get('rejected'))} ({event.get('event.outcome')}) of " + (
        f"{', '.join(sorted(offenders_of(event))) or 'nobody'} at {event.get('@timestamp')}"
    )
    return Check("fail2ban", group, name, expected, got, _agrees(case, event, group))


def _agrees(case: dict[str, Any], event: Flat, group: str) -> bool:
    offenders = offenders_of(event)
    if "rejected" in event:
        return not case["match"]
    if case["match"] and (case["host"] or "").lower() not in offenders:
        return False
    if group != "web access" and _is_default(case["filter_options"]):
        is_offence = bool(offenders) and (
            event.get("event.outcome") == "failure" or event.get("event.action") in _OFFENCES
        )
        if is_offence != case["match"]:
            return False
    return (
        not case["match"] or case["time"] is None or case["filter"] == "sshd-journal" or _same_time(case["time"], event)
    )


def _is_default(options: Any) -> bool:
    """Whether what is expected holds without settings of the filter; else it may differ by them."""
    modes = options if isinstance(options, list) else [options]
    return any(not mode or mode.get("mode") == "normal" for mode in modes)


def _same_time(text: str, event: Flat) -> bool:
    ours = parse_instant(event["@timestamp"]) // 1_000_000
    theirs = parse_instant(f"{text[:19]}+02:00") // 1_000_000
    return ours - theirs in {0, 3600}

"""What sshd says, and what it means.

User names come from whoever knocks and may hold anything, also ` from 198.51.100.7 port 22 ssh2`. Where a name is one
of this host (no `invalid user` before it) it is taken from the left, as the shortest; where it is the attacker's, from
the right, as the longest that leaves the daemon's own words at the very end. Messages: OpenSSH 3.6 to 10.0 (auth.c,
packet.c, monitor.c, session.c) and Linux-PAM's `pam_unix`.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Outcome = Literal["success", "failure", "unknown"]

_WORDS: Final = {
    "@address": r"(?P<address>\S+)",
    "@port": r"port (?P<port>\d{1,5})",
    "@on": r"(?: port (?P<port>\d{1,5}))?",
    "@ssh": r"(?: ssh\d)?",
    "@method": r"(?P<method>[^\s/]++)(?:/\S++)?+",
    "@known": r"(?P<user>.*?)",
    "@name": r"(?P<user>.*)",
    "@stranger": r"(?:invalid|illegal) user (?P<user>.*)",
    "@anyone": r"(?:(?:invalid|illegal) user )?(?P<user>.*)",
    "@attempting": r"(?:authenticating|invalid) user (?P<user>.*)",
}

_FIELDS: Final = {
    "address": "source.ip",
    "port": "source.port",
    "method": "sakimori.auth.method",
    "ruser": "user.name",  # before the user, who counts where both are said
    "user": "user.name",
}

_OF_SSHD: Final[dict[tuple[str, Outcome], tuple[str, ...]]] = {
    ("ssh_login", "success"): ("Accepted @method for @known from @address@on@ssh(?:: .*)?",),
    ("ssh_login", "failure"): (
        # Of what strangers can try, only publickey and hostbased add anything behind "ssh2" (auth2_record_info).
        "Failed @method for @stranger from @address@on@ssh",
        r"Failed @method for @stranger from @address@on ssh\d: .*",
        "Failed @method for @known from @address@on@ssh(?:: .*)?",
    ),
    ("ssh_postponed", "unknown"): ("Postponed @method for @anyone from @address@on@ssh",),
    ("ssh_partial_login", "unknown"): ("Partial @method for @anyone from @address@on@ssh(?:: .*)?",),
    ("ssh_invalid_user", "failure"): (
        "Invalid user @name from @address@on",
        "Illegal user @name from @address@on",
    ),
    ("ssh_user_denied", "failure"): (
        "User @known from @address not allowed because .*",
        "User @known not allowed because .*",
    ),
    ("ssh_max_attempts", "failure"): (
        "maximum authentication attempts exceeded for @anyone from @address@on@ssh",
        "Disconnecting @attempting @address @port: Too many authentication failures",
        "Disconnecting: Too many authentication failures for @anyone",
    ),
    ("ssh_disconnect", "failure"): (
        "Connection (?:closed|reset) by @attempting @address @port",
        "Disconnected from @attempting @address @port",
        # The names before and after the change are both the client's: the first must be the one that is said twice.
        r"Disconnecting @attempting @address @port: Change of username or service not allowed: \((?P=user),.*",
        "Disconnecting @attempting @address @port: [^:]*",
        # Reason 14 of RFC 4253, 11.1: no more authentication methods available. The client's own text follows.
        "Received disconnect from @address @port: ?14: .*",
        "Received disconnect from @address: (?:14: .*|3: .*: Auth fail.*)",
    ),
    ("ssh_disconnect", "unknown"): (
        "Connection (?:closed|reset) by @address@on",
        "Disconnected from user @known @address @port",
        "Disconnected from @address@on",
        "Disconnecting @address @port: .*",
        r"Received disconnect from @address @port: ?\d+:.*",
        r"Received disconnect from @address: \d+:.*",
    ),
    ("ssh_connection", "unknown"): (r"Connection from @address@on(?: on \S+ port .*)?",),
    ("ssh_connection_refused", "failure"): (r"refused connect from .* \((?P<address>[^()\s]+)\)",),
    ("ssh_connection_refused", "unknown"): (
        r"drop connection #\d+ from \[(?P<address>[^\]\s]+)\]:(?P<port>\d{1,5}) .*",
    ),
    ("ssh_negotiation_failed", "failure"): (
        "Unable to negotiate with @address@on: .*",
        "Unable to negotiate a key exchange method with @address@on.*",
    ),
    ("ssh_probe", "unknown"): (
        "Did not receive identification string from @address@on.*",
        "banner exchange: Connection from @address@on: .*",
        "Bad protocol version identification .* from @address@on",
    ),
    ("ssh_timeout", "failure"): (r"Timeout before authentication for (?:connection from )?(?P<address>[^\s,]+)@on.*",),
    ("ssh_protocol_error", "unknown"): (
        "ssh_dispatch_run_fatal: Connection from (?:@attempting )?@address @port: [^:]*",
    ),
    ("ssh_pam_failure", "failure"): (
        r"PAM: .*? for @anyone from @address(?: via \S+)?",
        r"PAM \d+ more authentication failures?; .*? rhost=(?P<address>\S*)(?:\s+user=@name)?",
    ),
    ("ssh_session_opened", "unknown"): (r"Starting session: .* for (?P<user>\S+) from @address @port id \d+",),
    ("ssh_session_closed", "unknown"): (r"Close session: user @known from @address @port id \d+",),
}
"""Action and outcome to the messages with that meaning; the first that fits counts."""

_PAM_MODULES: Final[dict[tuple[str, Outcome], tuple[str, ...]]] = {
    ("ssh_pam_failure", "failure"): (
        r"(?:\(?pam_\w+\)?(?:\(sshd\S*:auth\))?:? )?authentication failure; .*?"
        r"ruser=(?P<ruser>\S*) rhost=(?P<address>\S*)(?:\s+user=@name)?",
    ),
    ("ssh_session_opened", "success"): (
        r"pam_\w+\(\S+:session\): session opened for user (?P<user>[^\s(]+)(?:\(uid=\d+\))?(?: by .*)?",
    ),
    ("ssh_session_closed", "unknown"): (
        r"pam_\w+\(\S+:session\): session closed for user (?P<user>[^\s(]+)(?:\(uid=\d+\))?",
    ),
}
"""The same for what PAM modules say in sshd's name; they begin with the name of the module."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """One kind of message. `names`: the field of each group of the expression, in their order.

    What stands for `source.ip` may be a name. `may_go_on`: it tells of one method that failed.
    """

    action: str
    outcome: Outcome
    expression: re.Pattern[str]
    names: tuple[str, ...]
    may_go_on: bool


def meaning_of(message: str) -> tuple[Meaning, re.Match[str]] | None:
    """Find what a message means; None where it is of no known kind.

    `message` is without `[preauth]` at its end and without `error: ` or the like before it.
    """
    meanings = _BY_WORD.get(message.partition(" ")[0])
    for meaning in meanings or (_OF_PAM if message.startswith(_PAM) else ()):
        match = meaning.expression.match(message)
        if match is not None:
            return meaning, match
    return None


def _compiled(messages: Mapping[tuple[str, Outcome], Sequence[str]]) -> Iterator[tuple[str, Meaning]]:
    for (action, outcome), texts in messages.items():
        for text in texts:
            source = re.sub(r"@[a-z]+", lambda word: _WORDS[word[0]], text) + r"\Z"
            expression = re.compile(source, re.DOTALL)
            names = tuple(_FIELDS[group] for group in expression.groupindex)
            may_go_on = outcome == "failure" and "method" in expression.groupindex
            yield text.partition(" ")[0], Meaning(action, outcome, expression, names, may_go_on)


def _by_word(messages: Mapping[tuple[str, Outcome], Sequence[str]]) -> dict[str, list[Meaning]]:
    table: dict[str, list[Meaning]] = defaultdict(list)
    for word, meaning in _compiled(messages):
        table[word].append(meaning)
    return dict(table)


_BY_WORD: Final = _by_word(_OF_SSHD)
"""By the first word of the message, so that a line meets three or four expressions, not fifty."""
_OF_PAM: Final = [meaning for _, meaning in _compiled(_PAM_MODULES)]
_PAM: Final = ("pam_", "(pam_", "authentication failure;")

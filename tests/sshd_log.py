"""An sshd log of people and of guessers, in all forms that sshd has for it, and who of them is an offender.

What is a failure is written down as it is made, so nothing here reads the log to say so.
"""

import random
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 16, 1, 0, tzinfo=UTC)
KEYS = ("RSA SHA256:q83vEjRWeJq83vEjRWeJ", "ED25519 SHA256:EjRWeJq83vEjRWeJq83v", "ECDSA SHA256:Jq83vEjRWeJq83vEjRWe")


@dataclass
class SshdLog:
    """Gathers lines with their second; `failures` maps (address, user) to the seconds of what was made to fail."""

    dice: random.Random
    lines: list[tuple[int, int, str]] = field(default_factory=list)
    failures: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    process: int = 1000

    def text(self) -> str:
        """Write the log in the order of its seconds."""
        return "".join(f"{line}\n" for _, _, line in sorted(self.lines))

    def offenders(self, threshold: int, seconds: int) -> set[tuple[str, str]]:
        """Name who reached the threshold with first and last at most so many seconds apart; counted by bisection."""
        return {
            who
            for who, times in self.failures.items()
            if any(
                bisect_right(sorted(times), time + seconds) - number >= threshold
                for number, time in enumerate(sorted(times))
            )
        }

    def say(self, second: int, message: str, program: str = "sshd") -> None:
        """Write a line at its second; lines of one second stay in the order they were said."""
        stamp = START + timedelta(seconds=second)
        head = f"{stamp:%b} {stamp.day:>2} {stamp:%H:%M:%S} bastion {program}[{self.process}]: "
        self.lines.append((second, len(self.lines), head + message))

    def connect(self, address: str) -> str:
        """Begin a connection; gives `address port N` as sshd writes it."""
        self.process += self.dice.randint(1, 9)
        return f"{address} port {self.dice.randint(1024, 65535)}"

    def fail(self, second: int, address: str, user: str) -> None:
        """Let one attempt fail, in one of the forms of docs and logs, with all that is said besides."""
        self.failures[address, user].append(second)
        peer = self.connect(self.dice.choice([address, f"::ffff:{address}"]) if "." in address else address)
        self.dice.choice([self._password, self._stranger, self._prompt, self._none_first, self._too_many])(
            second, address, user, peer
        )

    def fail_repeatedly(self, second: int, address: str, user: str, times: int) -> None:
        """Let a password fail `times` times in one second, of which syslog folds all but the first."""
        self.failures[address, user] += [second] * times
        peer = self.connect(address)
        said = f"Failed password for {user} from {peer} ssh2"
        self.say(second, said)
        self.say(second, f"message repeated {times - 1} times: [ {said}]")
        self.say(second, f"Connection closed by authenticating user {user} {peer} [preauth]")

    def log_in(self, second: int, address: str, user: str, keys: int) -> None:
        """Let somebody in whose agent offers so many keys that do not fit before the one that does."""
        peer = self.connect(address)
        for number in range(keys):
            self.say(second, f"Failed publickey for {user} from {peer} ssh2: {KEYS[number % len(KEYS)]}")
        self.say(second, f"Postponed publickey for {user} from {peer} ssh2 [preauth]")
        self.say(second, f"Accepted publickey for {user} from {peer} ssh2: {KEYS[0]}")
        self.say(second, f"pam_unix(sshd:session): session opened for user {user}(uid=1000) by (uid=0)")
        self.say(second + 1, f"Received disconnect from {peer}:11: disconnected by user")
        self.say(second + 1, f"Disconnected from user {user} {peer}")

    def lose_agent(self, second: int, address: str, user: str) -> None:
        """Let an agent offer more keys than the server takes: no guess among them."""
        peer = self.connect(address)
        for number in range(6):
            self.say(second, f"Failed publickey for {user} from {peer} ssh2: {KEYS[number % len(KEYS)]}")
        self.say(second, f"error: maximum authentication attempts exceeded for {user} from {peer} ssh2 [preauth]")
        self.say(second, f"Disconnecting authenticating user {user} {peer}: Too many authentication failures [preauth]")

    def mistype_name(self, second: int, address: str, user: str) -> None:
        """Let an agent offer its keys under a name that the host does not have: sshd reports each of them."""
        peer = self.connect(address)
        self.say(second, f"Invalid user {user} from {peer}")
        for number in range(6):
            self.say(second, f"Failed publickey for invalid user {user} from {peer} ssh2: {KEYS[number % len(KEYS)]}")
        self.say(second, f"Connection closed by invalid user {user} {peer} [preauth]")

    def murmur(self, second: int) -> None:
        """Write what sshd and others say beside logins."""
        peer = self.connect(f"2001:db8:ffff::{self.dice.randint(1, 250):x}")
        self.say(second, *self.dice.choice([
            (f"Connection from {peer} on 192.0.2.1 port 22 rdomain \"\"",),
            (f"Did not receive identification string from {peer}",),
            (f"Connection closed by {peer} [preauth]",),
            (f"banner exchange: Connection from {peer}: invalid format",),
            ("pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)", "CRON"),
            ("Server listening on :: port 22.",),
        ]))  # fmt: skip

    def _password(self, second: int, address: str, user: str, peer: str) -> None:
        self._pam(second, self.dice.choice([address, "host.example.net"]), f"  user={user}")
        self.say(second, f"Failed password for {user} from {peer} ssh2")
        self.say(
            second, f"Connection {self.dice.choice(['closed', 'reset'])} by authenticating user {user} {peer} [preauth]"
        )

    def _stranger(self, second: int, address: str, user: str, peer: str) -> None:
        self.say(second, f"Invalid user {user} from {peer}")
        self.say(second, f"input_userauth_request: invalid user {user} [preauth]")
        self.say(second, "pam_unix(sshd:auth): check pass; user unknown")
        self._pam(second, address, "")
        self.say(second, f"Failed password for invalid user {user} from {peer} ssh2")
        self.say(second, f"Disconnected from invalid user {user} {peer} [preauth]")

    def _prompt(self, second: int, address: str, user: str, peer: str) -> None:
        self.say(second, f"Postponed keyboard-interactive for {user} from {peer} ssh2 [preauth]")
        self.say(second, f"error: PAM: Authentication failure for {user} from {address}")
        self.say(second, f"Failed keyboard-interactive/pam for {user} from {peer} ssh2")
        self.say(second, f"Received disconnect from {peer}:11: Bye Bye [preauth]")

    def _none_first(self, second: int, address: str, user: str, peer: str) -> None:
        self.say(second, f"Failed none for invalid user {user} from {peer} ssh2")
        self.say(second, f"Failed publickey for {user} from {peer} ssh2: {KEYS[1]}")
        self.say(second, f"Failed password for {user} from {peer} ssh2", self.dice.choice(["sshd", "sshd-session"]))

    def _too_many(self, second: int, address: str, user: str, peer: str) -> None:
        self.say(second, f"Failed password for {user} from {peer} ssh2")
        self.say(second, f"error: maximum authentication attempts exceeded for {user} from {peer} ssh2 [preauth]")
        self.say(second, f"Disconnecting authenticating user {user} {peer}: Too many authentication failures [preauth]")
        self.say(
            second,
            f"PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost={address}  user={user}",
        )

    def _pam(self, second: int, host: str, user: str) -> None:
        said = f"authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={host}{user}"
        self.say(second, f"pam_unix(sshd:auth): {said}")

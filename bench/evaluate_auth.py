"""Which password guessers of an sshd log the detector finds, against a count that knows nothing of it.

    python -m bench.evaluate_auth [LOG...] [--data DIR] [--timezone ZONE] [--rules DIR]

Each log is read twice. Parser and engine (what `sakimori parse | sakimori detect` does) give the findings of
brute_force_attack: five failures of one address and account within 300 s. Beside it an expression of this file and a
plain sliding count name who should be found. Prints Markdown: offenders by either, and those that only one of them
names, which should be none; which other rules spoke, by findings. Without a LOG, the sshd files of the development data
(`../shared/data` or SAKIMORI_DATA) are read, and their own expectations are shown beside what was found.
"""

import io
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bench.development_data import REPOSITORY, data_options
from sakimori_collector.domain.formats import FORMATS, LineRejected, Reference
from sakimori_collector.offline import parse_stream
from sakimori_common.contracts import Finding
from sakimori_common.instants import now
from sakimori_detector.domain.loading import RuleSet
from sakimori_detector.offline import BATCH_EVENTS, Latest, OfflineDetector, load_folder

RULE, THRESHOLD, SECONDS = "brute_force_attack", 5, 300
AUTOMATIC = {"none", "publickey", "hostbased", "gssapi-with-mic"}
ANY_YEAR = 2024
"""Of syslog's times, which have none; only differences count, and it has a 29 February."""
_FAILED = re.compile(
    r"(?P<time>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)?) .*?sshd\S*: "
    r"(?:message repeated (?P<times>\d+) times: \[ ?)?"
    r"Failed (?P<method>\S+) for (?:(?:invalid|illegal) user )?(?P<user>.*) from (?P<address>\S+)"
    r"(?: port \d+)?(?: ssh\d)?(?:: .*)?\]?$"
)

Who = tuple[str, str]


class Log(NamedTuple):
    """A log and who should be found in it besides, if its source says so."""

    name: str
    content: bytes
    expected: frozenset[str] | None = None


def failures(lines: Iterable[str]) -> Iterator[tuple[Who, float]]:
    """Read failed attempts with one expression, without what clients try by themselves before anybody types."""
    for line in lines:
        match = _FAILED.search(line.rstrip())
        if match is None or match["method"] in AUTOMATIC:
            continue
        for _ in range(int(match["times"] or 1)):
            yield (canonical(match["address"]), match["user"]), seconds_of(match["time"])


def seconds_of(written: str) -> float:
    """Read a time of syslog or RFC 3339."""
    if written[0].isdigit():
        return datetime.fromisoformat(written).timestamp()
    return datetime.strptime(f"{ANY_YEAR} {written} +0000", "%Y %b %d %X %z").timestamp()


def canonical(address: str) -> str:
    """Write an address as the events do."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str((isinstance(parsed, IPv6Address) and parsed.ipv4_mapped) or parsed)


def counted_offenders(lines: Iterable[str]) -> set[Who]:
    """Name address and account of whoever failed THRESHOLD times within SECONDS, both ends included."""
    times: dict[Who, list[float]] = defaultdict(list)
    for who, time in failures(lines):
        times[who].append(time)
    return {who for who, of_them in times.items() if _reaches(sorted(of_them))}


def _reaches(times: Sequence[float]) -> bool:
    return any(last - first <= SECONDS for first, last in zip(times, times[THRESHOLD - 1 :], strict=False))


def findings(log: Log, loaded: RuleSet, reference: Reference) -> tuple[list[Finding], int, int]:
    """Run a log through parser and engine; returns the findings, how many lines it has and how many were refused."""
    parsed = list(parse_stream(io.BytesIO(log.content), log.name, "openssh.auth", reference))
    events = [event for found, _ in parsed for event in found]
    detector, latest = OfflineDetector(loaded.rules, loaded.world), Latest()
    for start in range(0, len(events), BATCH_EVENTS):
        latest.add(detector.feed(events[start : start + BATCH_EVENTS]))
    return latest.all(), len(parsed), sum(refused is not None for _, refused in parsed)


def report(log: Log, loaded: RuleSet, reference: Reference) -> int:
    """Print what came of one log; returns how many offenders only one side names."""
    found, lines, refused = findings(log, loaded, reference)
    ours = {(str(each.details["ip"]), str(each.details["username"])) for each in found if each.rule_id == RULE}
    counted = counted_offenders(log.content.decode("utf-8", "replace").splitlines())
    print(f"### {log.name}\n")
    print(f"{lines} lines, {refused} of them not sshd's. Failed logins, {THRESHOLD} within {SECONDS} s:\n")
    print("| offenders by the count | found | missed | invented | addresses |\n|---:|---:|---:|---:|---:|")
    addresses = len({address for address, _ in counted})
    print(f"| {len(counted)} | {len(counted & ours)} | {len(counted - ours)} | {len(ours - counted)} | {addresses} |\n")
    for side, only in (("missed", counted - ours), ("invented", ours - counted)):
        for address, user in sorted(only):
            print(f"- {side}: {address}, {user!r}")
    said = Counter(each.rule_id for each in found)
    print("By rule: " + (", ".join(f"{rule} {number}" for rule, number in said.most_common()) or "nothing") + ".\n")
    if log.expected is None:
        return len(counted ^ ours)
    unseen = log.expected - {each.entity for each in found}
    print(f"Its source names {sorted(log.expected) or 'nobody'}; without a finding: {sorted(unseen) or 'none'}.\n")
    return len(counted ^ ours) + len(unseen)


def crowdsec_logs(data: Path) -> Iterator[Log]:
    """Give crowdsec's test logs of sshd with the addresses that it alerts on."""
    for truth in sorted((data / "logs" / "crowdsec").glob("ssh*/truth.json")):
        told = json.loads(truth.read_text(encoding="utf-8"))
        if "crowdsecurity/sshd-logs" in told["parsers"] or told["test"].startswith("sshd"):
            # ssh-generic-test is crowdsec's way to see whether it runs at all: one line with a name of its own.
            alerts = [] if told["test"] == "ssh-generic-test" else told["expected_alerts"]
            expected = frozenset(source for alert in alerts for source in alert["sources"])
            yield Log(told["test"], (truth.parent / told["log_file"]).read_bytes(), expected)


def fail2ban_lines(data: Path) -> None:
    """Print of how many single lines, each an offence or none to fail2ban, the address was read right."""
    path = data / "logs" / "fail2ban" / "fail2ban.jsonl"
    cases = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    cases = [case for case in cases if case["filter"] in {"sshd", "sshd-journal"} and case["match"]]
    right, other = 0, []
    for case in cases:
        # The journal's lines come without the time that the journal keeps beside them.
        line = case["line"] if case["filter"] == "sshd" else f"Aug 14 10:00:00 {case['line']}"
        read = _source_of(line)
        right += read == canonical(case["host"])
        if read != canonical(case["host"]):
            other.append(f"- {case['host']} read as {read}: `{line}`")
    print(f"### fail2ban's offences of sshd, line by line\n\n{right} of {len(cases)} with the address that it names.\n")
    print("\n".join(other))


def _source_of(line: str) -> str | None:
    try:
        [(_, fields), *_] = FORMATS["openssh.auth"].parse(line, Reference(now()))
    except LineRejected as error:
        return str(error)
    source = fields.get("source.ip") or fields.get("source.domain")
    return source if isinstance(source, str) else None


def main() -> int:
    """Print; 1 when an offender was missed or invented, 2 when there is nothing to read."""
    parser = data_options(__doc__)
    parser.add_argument("logs", nargs="*", type=Path, metavar="LOG")
    parser.add_argument("--rules", type=Path, default=REPOSITORY / "rules", help="default: %(default)s")
    parser.add_argument("--timezone", default="UTC", help="zone of times that name none; default: %(default)s")
    options = parser.parse_args()
    if not options.logs and not (options.data / "logs").is_dir():
        print(f"{options.data}: no logs here; name a log, or the development data with --data", file=sys.stderr)
        return 2
    logs = [Log(path.name, path.read_bytes()) for path in options.logs] or list(crowdsec_logs(options.data))
    loaded, reference = load_folder(options.rules, options.timezone), Reference(now(), ZoneInfo(options.timezone))
    wrong = sum(report(log, loaded, reference) for log in logs)
    if not options.logs:
        fail2ban_lines(options.data)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

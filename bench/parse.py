"""How fast log lines become events, against the least that any parser must do.

    python bench/parse.py [--lines N]

For each format, on one core and in one run: `read` makes events as the inputs do (decode, match, fields, id); `bare` is
one `re.match` with named groups and a dict of them, nothing converted. The ratio says what events cost on top.
"""

import argparse
import random
import re
import statistics
import time
from collections.abc import Callable

from sakimori_collector.domain.formats import Reference
from sakimori_collector.domain.reading import Source

NOW = 1_768_528_800_000_000
ROUNDS = 5

BARE = {
    "nginx.access": re.compile(
        r'(?P<client>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<request>[^"]*)" (?P<status>\d+) (?P<size>\S+) '
        r'"(?P<referrer>[^"]*)" "(?P<agent>[^"]*)"'
    ),
    "openssh.auth": re.compile(
        r"(?P<time>\w{3} [ \d]\d \S+) (?P<host>\S+) (?P<process>\w+)\[(?P<pid>\d+)\]: "
        r"(?P<what>\w+) (?P<method>\w+) for (?:invalid user )?(?P<user>.*) from (?P<address>\S+) port (?P<port>\d+)"
    ),
}


def clock(number: int) -> str:
    """Time of day of the n-th line, twenty lines a second."""
    return f"{number // 72000 % 24:02}:{number // 1200 % 60:02}:{number // 20 % 60:02}"


def nginx_lines(count: int) -> list[bytes]:
    """Make access log lines."""
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
    lines = []
    for n in range(count):
        request = f"GET /articles/{random.randrange(9999)}?page={n % 9} HTTP/1.1"
        status, size = random.choice((200, 200, 304, 404)), random.randrange(50_000)
        begin = f"192.0.2.{random.randrange(256)} - - [15/Jan/2026:{clock(n)} +0000]"
        lines.append(f'{begin} "{request}" {status} {size} "https://example.com/" "{agent}"'.encode())
    return lines


def sshd_lines(count: int) -> list[bytes]:
    """Make auth log lines: password guessing, as most of them are."""
    pam = (
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= "
        "rhost=198.51.100.{a}  user=root"
    )
    kinds = (
        "Failed password for invalid user user{u} from 198.51.100.{a} port {p} ssh2",
        "Failed password for root from 198.51.100.{a} port {p} ssh2",
        "Invalid user user{u} from 198.51.100.{a} port {p}",
        "Connection closed by authenticating user root 198.51.100.{a} port {p} [preauth]",
        "Received disconnect from 198.51.100.{a} port {p}:11: Bye Bye [preauth]",
        pam,
    )
    lines = []
    for n in range(count):
        said = random.choice(kinds).format(u=n % 500, a=random.randrange(256), p=random.randrange(1024, 65536))
        lines.append(f"Jan 15 {clock(n)} web-1 sshd[{n % 32768}]: {said}".encode())
    return lines


def read_all(lines: list[bytes], source: Source) -> None:
    """Make events of all lines."""
    place = 0
    for line in lines:
        source.read(line, place)
        place += len(line) + 1


def match_all(lines: list[bytes], expression: re.Pattern[str]) -> None:
    """Do the least."""
    for line in lines:
        match = expression.match(line.decode())
        if match is not None:
            match.groupdict()


def rate(work: Callable[[], None], count: int) -> float:
    """Run once; returns lines a CPU second, which other processes disturb less than one on the wall."""
    started = time.process_time()
    work()
    return count / (time.process_time() - started)


def compare(lines: list[bytes], name: str) -> tuple[float, float, float]:
    """Measure one format; returns lines a second of both and the ratio, medians of ROUNDS rounds."""
    source = Source("bench", "bench", name, Reference(NOW), {"observer.name": "bench", "log.file.path": "bench.log"})
    pairs = []
    for _ in range(ROUNDS):
        read = rate(lambda: read_all(lines, source), len(lines))
        pairs.append((read, rate(lambda: match_all(lines, BARE[name]), len(lines))))
    reads, bares = zip(*pairs, strict=True)
    ratio = statistics.median(one / other for one, other in pairs)
    return statistics.median(reads), statistics.median(bares), ratio


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100_000)
    count = parser.parse_args().lines
    random.seed(2026)
    print(f"{'format':<14} {'read lines/s':>14} {'bare lines/s':>14} {'read/bare':>10}   medians of {ROUNDS}")
    for name, lines in (("nginx.access", nginx_lines(count)), ("openssh.auth", sshd_lines(count))):
        read, bare, ratio = compare(lines, name)
        print(f"{name:<14} {read:>14,.0f} {bare:>14,.0f} {ratio:>10.2f}")


if __name__ == "__main__":
    main()

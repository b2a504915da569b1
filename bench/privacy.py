"""What masking and enrichment cost an event, on one core.

    python -m bench.privacy [--events N]

Lines are read as the inputs read them; then one treatment at a time runs over the events in batches of 1,000, as the
intake hands them in. `read` is what reading them costs in the same run. Medians of 5 rounds, CPU time.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

from bench.collector import lines as made
from sakimori_collector.domain.enrichment.enrichment import Enrichment
from sakimori_collector.domain.enrichment.networks import Networks
from sakimori_collector.domain.enrichment.user_agents import UserAgents
from sakimori_collector.domain.filters import parse_filter
from sakimori_collector.domain.formats import Reference
from sakimori_collector.domain.privacy import Masker
from sakimori_collector.domain.privacy.pseudonyms import Pseudonyms
from sakimori_collector.domain.reading import Source
from sakimori_common.contracts import Event

ROUNDS = 5
BATCH = 1000

Treat = Callable[[Sequence[Event]], object]


def read(lines: Sequence[bytes], format: str) -> list[Event]:
    """Make events of lines."""
    source = Source(
        "bench", "bench", format, Reference(made.NOW), {"observer.name": "bench", "log.file.path": "bench.log"}
    )
    return [event for place, line in enumerate(lines) for event in source.read(line, place)]


def cost(lines: Sequence[bytes], format: str, treat: Treat) -> float:
    """Microseconds of CPU an event, in the median."""
    rounds = []
    for _ in range(ROUNDS):
        events = read(lines, format)
        started = time.process_time()
        for start in range(0, len(events), BATCH):
            treat(events[start : start + BATCH])
        rounds.append((time.process_time() - started) / len(events) * 1e6)
    return statistics.median(rounds)


def reading(lines: Sequence[bytes], format: str) -> float:
    """Microseconds of CPU a line, to compare with."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        read(lines, format)
        rounds.append((time.process_time() - started) / len(lines) * 1e6)
    return statistics.median(rounds)


def with_secrets(lines: Sequence[bytes], every: int) -> list[bytes]:
    """Give every n-th request a token in its query."""
    return [
        line.replace(b"?page=", b"?token=0123456789abcdef&page=") if n % every == 0 else line
        for n, line in enumerate(lines)
    ]


def with_new_agents(lines: Sequence[bytes]) -> list[bytes]:
    """Give every request an agent of its own; more than are remembered, so that each round finds them new."""
    return [line.replace(b"Mozilla/5.0 (", b"Mozilla/5.0 (n%d; " % n) for n, line in enumerate(lines)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50_000)
    count = parser.parse_args().events
    nginx, sshd = made.nginx(count), made.sshd(count)
    masker, agents, networks = Masker(), UserAgents(), Networks(())
    wanted = parse_filter("log.level=debug; url.path=/healthz user_agent.original=kube-probe/*")
    hashed = Pseudonyms("a key for the benchmark", ["user.name", "source.ip"])
    new_agents = with_new_agents(made.nginx(max(count, 40_000)))
    rows: list[tuple[str, list[bytes], str, Treat]] = [
        ("mask, nothing in it", nginx, "nginx.access", masker.change),
        ("mask, nothing in it", sshd, "openssh.auth", masker.change),
        ("mask, a token in every 100th", with_secrets(nginx, 100), "nginx.access", masker.change),
        ("mask, a token in each", with_secrets(nginx, 1), "nginx.access", masker.change),
        ("networks", nginx, "nginx.access", Enrichment([networks.facts]).change),
        ("networks and agents", nginx, "nginx.access", Enrichment([networks.facts], agents.facts).change),
        ("networks", sshd, "openssh.auth", Enrichment([networks.facts], agents.facts).change),
        ("agents, each new", new_agents, "nginx.access", Enrichment((), agents.facts).change),
        ("two drop rules", nginx, "nginx.access", lambda events: [wanted.drops(event) for event in events]),
        ("two fields hashed", sshd, "openssh.auth", hashed.change),
    ]  # fmt: skip
    print(f"{'format':<14} {'what':<32} {'us an event':>12}")
    for name, lines in (("nginx.access", nginx), ("openssh.auth", sshd)):
        print(f"{name:<14} {'read':<32} {reading(lines, name):>12.2f}")
    for what, given, name, treat in rows:
        print(f"{name:<14} {what:<32} {cost(given, name, treat):>12.2f}")


if __name__ == "__main__":
    main()

"""What is measured of parsing: events as the inputs make them, and the least that anybody could do."""

import random
import re
import time
from collections.abc import Callable, Sequence
from typing import Final

from bench.collector.lines import NOW
from sakimori_collector.domain.formats import AUTO, Reference
from sakimori_collector.domain.reading import Source
from sakimori_common.contracts import Event

Work = Callable[[], object]

BARE: Final = {
    "nginx.access": re.compile(
        r'(?P<client>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<request>[^"]*)" (?P<status>\d+) (?P<size>\S+) '
        r'"(?P<referrer>[^"]*)" "(?P<agent>[^"]*)"'
    ),
    "openssh.auth": re.compile(
        r"(?P<time>\w{3} [ \d]\d \S+) (?P<host>\S+) (?P<process>\w+)\[(?P<pid>\d+)\]: "
        r"(?P<what>\w+)"
        r"(?: (?P<method>\w+) for (?:invalid user )?(?P<user>.*) from (?P<address>\S+) port (?P<port>\d+))?"
    ),
}
_STAMP: Final = {"observer.name": "bench", "sakimori.input": "file", "log.file.path": "bench.log"}


def reading(lines: Sequence[bytes], format: str) -> Work:
    """Make events as the inputs do: decode, recognise (`auto`), match, fields, time, id."""
    source = Source("bench", "bench", format, Reference(NOW), _STAMP)

    def work() -> None:
        place = 0
        for line in lines:
            source.read(line, place)
            place += len(line) + 1

    return work


def matching(lines: Sequence[bytes], format: str) -> Work:
    """Match one expression and make a dictionary of its groups: what a script would do."""
    match = BARE[format].match

    def work() -> None:
        for line in lines:
            found = match(line.decode())
            if found is not None:
                found.groupdict()

    return work


def least(lines: Sequence[bytes], format: str) -> Work:
    """Make an Event of each line with all in it but what costs thought: same id and time, all values as they stand."""
    match = BARE[format].match

    def work() -> None:
        for line in lines:
            found = match(line.decode("utf-8", "backslashreplace"))
            if found is not None:
                fields = found.groupdict()
                fields.update(_STAMP)
                Event("019bc4d8-3a00-7000-8000-000000000005", NOW, format, fields)

    return work


def works(lines: Sequence[bytes], format: str) -> dict[str, Work]:
    """Name what is compared."""
    return {
        format: reading(lines, format),
        f"{format}, {AUTO}": reading(lines, AUTO),
        f"{format}, least": least(lines, format),
        f"{format}, re.match and a dictionary": matching(lines, format),
    }


def costs(measured: dict[str, Work], count: int, rounds: int) -> dict[str, list[float]]:
    """Measure each work once a round, in turns of changing order: microseconds of CPU a line, per round."""
    dice, found = random.Random(1), dict[str, list[float]]()
    for work in measured.values():
        work()
    for _ in range(rounds):
        for name in dice.sample(list(measured), len(measured)):
            started = time.process_time()
            measured[name]()
            found.setdefault(name, []).append((time.process_time() - started) / count * 1e6)
    return found

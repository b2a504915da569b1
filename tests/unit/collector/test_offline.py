"""Files that `sakimori parse` reads: packed ones, and records of several lines."""

import gzip
from pathlib import Path

import pytest

from sakimori_collector.domain.format import Reference
from sakimori_collector.offline import parse_stream
from sakimori_common.instants import parse_instant

NOW = Reference(parse_instant("2026-01-16T02:00:00Z"))
LINE = b"2026-01-16T01:00:00Z web-1 sshd[1]: Invalid user user%d from 192.0.2.7 port 5\n"


def test_gzip_is_unpacked(tmp_path: Path) -> None:
    packed = tmp_path / "auth.log.2.gz"
    packed.write_bytes(gzip.compress(LINE % 1 + LINE % 2))
    with packed.open("rb") as stream:
        found = [event.fields["user.name"] for events, _ in parse_stream(stream, "x", "auto", NOW) for event in events]
    assert found == ["user1", "user2"]


def test_damaged_gzip_is_an_error_after_what_could_be_read(tmp_path: Path) -> None:
    packed = tmp_path / "auth.log.2.gz"
    whole = gzip.compress(b"".join(LINE % number for number in range(5000)))
    packed.write_bytes(whole[: len(whole) // 2])
    found = 0
    with packed.open("rb") as stream, pytest.raises(OSError, match="damaged gzip"):
        for events, _ in parse_stream(stream, "x", "auto", NOW):
            found += len(events)
    assert found > 100


def test_a_record_of_several_lines_is_one_event_at_the_place_of_its_first(tmp_path: Path) -> None:
    log = tmp_path / "postgresql.log"
    first = '2026-01-16 01:00:00.000 UTC [42] ERROR:  syntax error at or near "x"\n'
    log.write_text(first + "\tand a line that goes on\n" + first)
    with log.open("rb") as stream:
        results = list(parse_stream(stream, str(log), "postgresql.log", NOW))
    offsets = [events[0].fields["log.offset"] for events, rejected in results if rejected is None]
    assert offsets == [0, len(first) + len("\tand a line that goes on\n")]

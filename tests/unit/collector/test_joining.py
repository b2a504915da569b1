"""Lines that belong together, made one."""

import json

from hypothesis import given
from hypothesis import strategies as st

from sakimori_collector.domain.wire.joining import MAX_BYTES, MAX_LINES, DockerJoiner, FileLine, LineJoiner


def lines(*texts: str) -> list[FileLine]:
    placed, offset = [], 0
    for text in texts:
        raw = text.encode()
        placed.append(FileLine(offset, raw, len(raw)))
        offset += len(raw) + 1
    return placed


def indented() -> LineJoiner:
    return LineJoiner(lambda line: line.startswith(" "))


def texts(records: list[FileLine]) -> list[str]:
    return [record.raw.decode() for record in records]


def test_a_stack_trace_is_one_record_that_begins_where_its_first_line_does() -> None:
    joiner = indented()
    given_lines = lines("one", "error", "  at a", "  at b", "two")
    assert texts(joiner.feed(given_lines)) == ["one", "error\n  at a\n  at b"]
    assert joiner.start == given_lines[-1].offset
    assert texts(joiner.flush()) == ["two"]
    assert joiner.start is None


def test_what_goes_on_for_ever_is_cut_by_lines_and_by_bytes() -> None:
    joiner = indented()
    records = joiner.feed(lines(*([" x"] * (2 * MAX_LINES + 5)))) + joiner.flush()
    assert [len(record.raw.split(b"\n")) for record in records] == [MAX_LINES, MAX_LINES, 5]
    long = joiner.feed(lines("begin", *([" " + "x" * 100_000] * 20))) + joiner.flush()
    assert all(len(record.raw) < MAX_BYTES + 100_002 for record in long)
    assert sum(len(record.raw.replace(b"\n", b"")) for record in long) == 5 + 20 * 100_001


@given(st.lists(st.sampled_from(["a", " b", "c", "  d"]), max_size=30), st.integers(1, 10))
def test_the_records_are_the_same_whatever_the_parts(written: list[str], size: int) -> None:
    placed = lines(*written)
    at_once, in_parts = indented(), indented()
    expected = at_once.feed(placed) + at_once.flush()
    found = [record for at in range(0, len(placed), size) for record in in_parts.feed(placed[at : at + size])]
    assert found + in_parts.flush() == expected


def docker(text: str, stream: str = "stdout") -> str:
    return json.dumps({"log": text, "stream": stream, "time": "2026-01-16T02:00:00.1Z"})


def test_pieces_of_a_long_line_are_joined_by_stream() -> None:
    joiner = DockerJoiner()
    placed = lines(docker("a" * 16384), docker("err\n", "stderr"), docker("b" * 10), docker("c\n"), docker("d\n"))
    records = joiner.feed(placed)
    assert [json.loads(record.raw)["log"] for record in records] == ["err\n", "a" * 16384 + "b" * 10 + "c\n", "d\n"]
    assert [record.offset for record in records] == [placed[1].offset, 0, placed[4].offset]
    assert records[0].raw == placed[1].raw
    assert joiner.start is None


def test_a_piece_without_its_rest_waits_and_comes_as_it_is() -> None:
    joiner = DockerJoiner()
    placed = lines(docker("login: "))
    assert joiner.feed(placed) == []
    assert joiner.start == 0
    assert joiner.flush() == placed


def test_what_is_none_of_dockers_lines_is_left_alone() -> None:
    placed = lines("nonsense", '{"log": 5}', "[]", '{"a": "b"}', "[" * 5000)
    assert DockerJoiner().feed(placed) == placed


def test_pieces_without_end_are_cut() -> None:
    joiner = DockerJoiner()
    records = joiner.feed(lines(*([docker("x" * 16384)] * 100))) + joiner.flush()
    assert sum(len(json.loads(record.raw)["log"]) for record in records) == 100 * 16384
    assert all(record.length < MAX_BYTES + 40_000 for record in records)

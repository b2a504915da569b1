"""From raw bytes to events and rows, whatever the bytes are."""

import io
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_collector.domain.formats import FORMAT_NAMES, FORMATS, LineRejected, Reference
from sakimori_collector.domain.posted.ndjson import read_posted
from sakimori_collector.domain.reading import Source, UnknownFormat, check_format
from sakimori_collector.domain.rows import COLUMNS, row_of
from sakimori_collector.domain.text import unescape
from sakimori_collector.offline import parse_stream
from sakimori_collector.settings import FollowedFiles, parse_files
from sakimori_common.contracts import EVENTS, Event
from sakimori_common.instants import parse_instant

NOW = Reference(parse_instant("2026-01-16T02:00:00Z"))
ACCESS = b'192.0.2.1 - - [16/Jan/2026:01:00:00 +0000] "GET /%s HTTP/1.1" 200 5 "-" "%s"'
SSHD = b"Jan 16 01:59:58 web-1 sshd[1]: Failed password for %s from 192.0.2.7 port 5 ssh2"


def source(format: str = "auto", path: str = "") -> Source:
    return Source("test", "identity", format, NOW, {"observer.name": "test"}, path)


@pytest.mark.parametrize(
    ("line", "path", "dataset"),
    [
        (ACCESS % (b"", b"x"), "", "nginx.access"),
        (ACCESS % (b"", b"x"), "/var/log/nginx/access.log", "nginx.access"),
        (ACCESS % (b"", b"x"), "/var/log/apache2/access.log", "apache.access"),
        (ACCESS % (b"", b"x"), "/var/log/httpd/access_log", "apache.access"),
        (SSHD % b"root", "/var/log/auth.log", "openssh.auth"),
        (b"2026-01-16T01:59:58Z web-1 sshd-session[1]: x", "", "openssh.auth"),
        (b"Jan 16 01:59:58 web-1 unheard-of[1]: sshd x", "", "linux.syslog"),
    ],
)
def test_auto_recognises_lines_by_content_and_the_web_server_by_path(line: bytes, path: str, dataset: str) -> None:
    [event] = source(path=path).read(line, 0)
    assert event.dataset == dataset
    assert event.fields["observer.name"] == "test"


@pytest.mark.parametrize("line", [b"", b"hello", b"Jan 16 01:59:58"])
def test_auto_says_when_it_knows_no_format(line: bytes) -> None:
    with pytest.raises(LineRejected, match="of no known format"):
        source().read(line, 0)


def test_ids_are_those_of_the_place_and_the_line() -> None:
    def ids(place: int, line: bytes) -> list[str]:
        return [event.id for event in source().read(line, place)]

    repeated = (
        b"Jan 16 01:59:58 web-1 sshd[1]: message repeated 3 times: [ Failed none for a from 192.0.2.7 port 5 ssh2]"
    )
    assert ids(0, ACCESS % (b"a", b"x")) == ids(0, ACCESS % (b"a", b"x"))
    distinct = [*ids(0, ACCESS % (b"a", b"x")), *ids(1, ACCESS % (b"a", b"x")), *ids(0, ACCESS % (b"b", b"x"))]
    assert len(set(distinct)) == 3
    assert len(set(ids(0, repeated))) == 3


def test_bytes_that_are_no_text_stay_visible() -> None:
    [event] = source().read(ACCESS % (b"\xff\x00\xe3\x81\x82", b"\x80"), 0)
    assert event.fields["url.path"] == "/\\xff\\x00あ"
    assert event.fields["user_agent.original"] == "\\x80"


@pytest.mark.parametrize("line", [ACCESS % (b"a" * 10_000_000, b"x"), ACCESS % (b"a", b"b" * 10_000_000)])
def test_a_line_of_ten_megabytes_is_an_event_with_its_values_cut(line: bytes) -> None:
    [event] = source().read(line, 0)
    assert max(len(str(value)) for value in event.fields.values()) == 65_536
    assert any(str(value).endswith("…") for value in event.fields.values())


@pytest.mark.parametrize("format", ["auto", "nginx.access", "openssh.auth"])
@pytest.mark.parametrize(
    "line",
    [
        b"x" * 10_000_000,
        b"\\" * 10_000_000,
        b'"' * 10_000_000,
        b"192.0.2.1 - " + b"a " * 5_000_000,
        ACCESS[:44] + b'"' + b"\\x41" * 2_000_000,
        b"Foo 16 01:59:58 web-1 [1]: " + b"from a port 1 " * 500_000,
    ],
)
def test_long_nonsense_is_refused_in_time(format: str, line: bytes) -> None:
    with pytest.raises(LineRejected):
        source(format).read(line, 0)


def test_a_message_too_long_for_sshd_is_kept_unread() -> None:
    [event] = source().read(SSHD % (b"from a port 1 " * 500_000), 0)
    assert event.fields["event.action"] == "ssh_other"


@given(st.binary(max_size=300), st.sampled_from(FORMAT_NAMES))
def test_no_bytes_raise_anything_but_rejected(raw: bytes, format: str) -> None:
    check(raw, format)


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(FORMAT_NAMES))
def test_no_text_in_a_line_raises_anything_but_rejected(one: str, other: str, format: str) -> None:
    check(ACCESS % (one.encode(errors="replace"), other.encode(errors="replace")), format)
    check(SSHD % one.encode(errors="replace"), format)


def check(raw: bytes, format: str) -> None:
    try:
        events = source(format).read(raw, 7)
    except LineRejected as rejected:
        assert str(rejected)
        return
    assert EVENTS.decode(EVENTS.encode(events)) == events
    for event in events:
        row = row_of(event)
        assert uuid.UUID(row[1]) == uuid.UUID(event.id)
        assert "\\u0000" not in str(row[COLUMNS.index("fields")]).replace("\\\\", "")


@given(st.text(alphabet=st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), min_size=1, max_size=80))
def test_no_user_name_changes_the_address_of_a_failed_login(name: str) -> None:
    line = f"Jan 16 01:59:58 web-1 sshd[1]: Failed password for invalid user {name} from 192.0.2.7 port 5 ssh2"
    [event] = source("openssh.auth").read(line.encode(), 0)
    assert (event.fields["source.ip"], event.fields["source.port"]) == ("192.0.2.7", 5)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=80))
def test_what_nginx_escapes_is_unescaped_to_what_was_sent(text: str) -> None:
    escaped = "".join(
        char if 0x20 <= ord(char) < 0x7F and char not in '"\\' else "".join(f"\\x{byte:02X}" for byte in char.encode())
        for char in text
    )
    assert unescape(escaped) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_no_json_raises_anything_but_rejected(value: object) -> None:
    posted = {"@timestamp": "2026-01-16T01:00:00Z", "event.dataset": "x.y", "value": value}
    for item in (value, posted):
        try:
            events = read_posted(source(), json.dumps(item).encode(), 1)
        except LineRejected as rejected:
            assert str(rejected)
            continue
        for event in events:
            row_of(event)


SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(
    st.dictionaries(st.sampled_from(["a", "b.c", "d\0", "user.name", "host.ip"]), SCALAR | st.lists(SCALAR)),
    st.none() | st.text(max_size=3),
)
def test_an_event_is_the_same_whether_it_was_posted_flat_or_nested(fields: dict[str, object], id: str | None) -> None:
    flat = {"@timestamp": "2026-01-16T01:00:00Z", "event.dataset": "x.y", "x.z": 1, **fields}
    if id is not None:
        flat["event.id"] = id
    nested = {name: value for name, value in flat.items() if name != "x.z"} | {"x": {"z": 1}}
    assert posted(flat) == posted(nested)


def posted(value: object) -> list[Event] | str:
    try:
        return read_posted(source(), json.dumps(value).encode(), 1)
    except LineRejected as rejected:
        return str(rejected)


def test_the_same_id_given_for_another_dataset_is_another_event() -> None:
    def ids(dataset: str, given: str) -> list[str]:
        event = {"@timestamp": "2026-01-16T01:00:00Z", "event.dataset": dataset, "event.id": given}
        return [event.id for event in read_posted(source(), json.dumps(event).encode(), 1)]

    assert len({*ids("x.y", "1"), *ids("x.y", "2"), *ids("x.z", "1"), *ids("x.", "y1")}) == 4
    assert ids("x.y", "1") == ids("x.y", "1")


def test_a_posted_message_is_read_by_the_format_it_names_else_by_the_default() -> None:
    raw = ACCESS % (b"", b"x")
    named = json.dumps({"message": raw.decode(), "event": {"dataset": "apache.access"}, "host": {"hostname": "web-1"}})
    [event] = read_posted(source(), named.encode(), 1)
    assert (event.dataset, event.fields["host.hostname"]) == ("apache.access", "web-1")
    plain = json.dumps({"message": raw.decode() + "\n"}).encode()
    assert read_posted(source("nginx.access"), plain, 1)[0].dataset == "nginx.access"
    with pytest.raises(LineRejected, match="no syslog header"):
        read_posted(source("openssh.auth"), plain, 1)


def test_an_object_with_time_and_message_is_an_event_unless_it_names_a_format() -> None:
    posted = {"@timestamp": "2026-01-16T01:00:00Z", "event.dataset": "nginx.access", "message": "anything"}
    [event] = read_posted(source(), json.dumps(posted).encode(), 1)
    assert event.fields["message"] == "anything"
    with pytest.raises(LineRejected, match="not an access log line"):
        read_posted(source(), json.dumps({**posted, "format": "nginx.access"}).encode(), 1)


def test_rows_hold_what_columns_can() -> None:
    event = Event(
        "019bc4d8-3a00-7000-8000-000000000005",
        1_768_528_800_000_001,
        "x\0y",
        {"source.ip": "::ffff:192.0.2.1", "event.action": 5, "user.name": "a\0", "k\0": ["\0", 1, None], "n": 1.5},
    )
    time, _, dataset, action, _, address, user, fields, *_ = row_of(event)
    assert time.isoformat() == "2026-01-16T02:00:00.000001+00:00"
    assert (dataset, action, str(address), user) == ("x\\x00y", None, "192.0.2.1", "a\\x00")
    assert json.loads(fields)["k\\x00"] == ["\\x00", 1, None]


@pytest.mark.parametrize(("id", "time"), [("x", 0), ("", 0), ("019bc4d8-3a00-7000-8000-000000000005", 1 << 62)])
def test_events_that_are_no_rows_are_named(id: str, time: int) -> None:
    with pytest.raises(ValueError, match="event "):
        row_of(Event(id, time, "x", {}))


def test_streams_are_read_to_the_end_with_places_and_reasons() -> None:
    text = (SSHD % b"a") + b"\r\n\n" + b"nonsense\xff\n" + (SSHD % b"b")
    results = list(parse_stream(io.BytesIO(text), "auth.log", "auto", NOW))
    assert [[event.fields["log.offset"] for event in events] for events, _ in results] == [[0], [], [len(SSHD) + 12]]
    [rejected] = [at for _, at in results if at is not None]
    assert (rejected.line, rejected.offset, rejected.rejected.raw) == (3, len(SSHD) + 2, b"nonsense\xff")


def test_a_line_too_long_to_hold_is_rejected_and_the_next_is_read() -> None:
    text = b"x" * (40 << 20) + b"\n" + (SSHD % b"a")
    (none, rejected), (events, _) = parse_stream(io.BytesIO(text), "auth.log", "auto", NOW)
    assert none == []
    assert rejected is not None
    assert "41943041 bytes in one line" in rejected.rejected.reason
    assert events[0].fields["log.offset"] == (40 << 20) + 1


def test_the_setting_of_files_names_paths_and_formats() -> None:
    assert parse_files(" /var/log/auth.log=openssh.auth, /srv/a=b/*.log=nginx.access,/x.log ,") == [
        FollowedFiles("/var/log/auth.log", "openssh.auth"),
        FollowedFiles("/srv/a=b/*.log", "nginx.access"),
        FollowedFiles("/x.log", "auto"),
    ]
    with pytest.raises(UnknownFormat, match="'nosuch' is no format"):
        parse_files("/x.log=nosuch")


def test_every_format_is_named_as_its_dataset() -> None:
    assert [check_format(name) for name in FORMAT_NAMES] == ["auto", *FORMATS]
    assert all(known.name == name for name, known in FORMATS.items())

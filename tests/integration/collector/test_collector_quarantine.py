"""Rejected lines: encrypted at rest, shown masked, replayed once the format reads them."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sakimori_collector.adapters.quarantine import PostgresQuarantine
from sakimori_collector.adapters.sealing import Sealer, Unreadable
from sakimori_collector.domain.format import Reference
from sakimori_collector.domain.reading import Source
from sakimori_collector.ports import LineFilter
from sakimori_common.bus import Consumer
from sakimori_common.context import Postgres
from sakimori_common.instants import parse_instant
from servers.eventually import eventually

from .conftest import EDGE, PRIVACY, Collector, Start

ACCESS = '192.0.2.{0} - - [16/Jan/2026:02:00:00 +0000] "GET /{0} HTTP/1.1" 200 5 "-" "tests"'
GATEWAY = {"x-sakimori-edge": EDGE}


async def post_as(collector: Collector, format: str, *messages: str) -> Any:
    """Post lines as text of a format that they may not be of."""
    body = "".join(json.dumps({"message": text, "format": format}) + "\n" for text in messages)
    answer = await collector.post(body, key="k-1")
    assert answer.status_code == 202
    return answer.json()


async def listed(collector: Collector, **query: str) -> list[dict[str, Any]]:
    answer = await collector.client.get("/quarantine", params=query, headers=GATEWAY)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["lines"])


async def replay(collector: Collector, **order: object) -> dict[str, Any]:
    answer = await collector.client.post("/quarantine/replay", json=order, headers=GATEWAY)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_raw_lines_are_encrypted_where_they_lie(start: Start, postgres: Postgres) -> None:
    collector = await start()
    await collector.post(b"{a-secret-that-nobody-must-read")
    [raw] = [bytes(row["raw"]) for row in await postgres.fetch("SELECT raw FROM collector.rejected_lines")]
    assert b"nobody-must-read" not in raw
    [line] = await collector.rejected()
    assert line["raw"] == b"{a-secret-that-nobody-must-read"
    assert line["length"] == len(line["raw"])


async def test_only_the_gateway_may_ask(start: Start) -> None:
    collector = await start()
    for method, path in [
        ("GET", "/quarantine"),
        ("DELETE", "/quarantine?source=x"),
        ("GET", "/quarantine/stats/summary"),
        ("POST", "/quarantine/replay"),
        ("GET", "/quarantine/00000000-0000-8000-8000-000000000000/raw"),
    ]:
        for headers in ({}, {"x-sakimori-edge": "wrong"}):
            assert (await collector.client.request(method, path, headers=headers)).status_code == 403


async def test_lists_show_masked_text_and_raw_bytes_only_where_asked_for(start: Start) -> None:
    collector = await start()
    await collector.post(b'{"message": "card 4111 1111 1111 1111 of someone@example.org"} nonsense')
    [line] = await listed(collector)
    assert "4111 1111 1111 1111" not in line["text"]
    assert "someone@example.org" not in line["text"]
    assert line["reason"].startswith("not JSON")
    raw = await collector.client.get(f"/quarantine/{line['id']}/raw", headers=GATEWAY)
    assert raw.status_code == 200
    assert b"4111 1111 1111 1111" in raw.content
    assert raw.headers["content-type"] == "application/octet-stream"
    gone = await collector.client.get("/quarantine/00000000-0000-8000-8000-000000000000/raw", headers=GATEWAY)
    assert gone.status_code == 404


async def test_pages_and_filters_find_each_line_once(start: Start) -> None:
    collector = await start()
    await collector.post("".join(f"{{nonsense {number}\n" for number in range(25)) + "[]\n")
    found, before = [], None
    while True:
        query = {"limit": "10", **({"before": before} if before else {})}
        answer = (await collector.client.get("/quarantine", params=query, headers=GATEWAY)).json()
        found += [line["id"] for line in answer["lines"]]
        before = answer["before"]
        if before is None:
            break
    assert len(found) == len(set(found)) == 26
    [array] = [line for line in await listed(collector, limit="1000") if "not list" in line["reason"]]
    assert [line["id"] for line in await listed(collector, reason=array["reason"])] == [array["id"]]
    assert await listed(collector, until="2026-01-01T00:00:00Z") == []
    assert len(await listed(collector, source="http", since="2026-01-01T00:00:00Z")) == 26
    counts = (await collector.client.get("/quarantine/stats/summary", headers=GATEWAY)).json()["counts"]
    assert sum(count["lines"] for count in counts) == 26
    for wrong in ({"limit": "0"}, {"before": "x"}, {"since": "yesterday"}, {"id": "x"}):
        assert (await collector.client.get("/quarantine", params=wrong, headers=GATEWAY)).status_code == 400


async def test_a_replay_in_the_right_format_publishes_and_empties_the_quarantine(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "mixed.log"
    log.write_text("".join(ACCESS.format(number) + "\n" for number in range(1, 4)) + "nonsense\n")
    collector = await start(files=f"{log}=openssh.auth")

    async def _rejected() -> bool:
        return len(await listed(collector)) == 4

    await eventually(_rejected)
    before = [line["reason"] for line in await listed(collector)]
    done = await replay(collector, source=str(log), format="nginx.access")
    assert (done["published"], done["rejected"], done["at"]) == (3, 1, None)
    [left] = await listed(collector)
    assert (left["text"], left["attempts"]) == ("nonsense", 1)
    assert left["reason"] not in before

    async def _stored() -> bool:
        return await collector.count() == 3

    await eventually(_stored)
    assert [row["place"] for row in await collector.rows()] == ["0", "79", "158"]
    counted = {what: collector.lines(what, "quarantine") for what in ("received", "published", "rejected")}
    assert counted == {"received": 4, "published": 3, "rejected": 1}


async def test_replayed_events_have_the_ids_they_would_have_had(start: Start, postgres: Postgres) -> None:
    collector = await start()
    line = ACCESS.format(1)
    now = parse_instant("2026-01-16T02:10:00Z")
    source = Source("test", "the same", "openssh.auth", Reference(now), {"observer.name": "test"})
    quarantine = PostgresQuarantine(postgres, Sealer(SecretStr(PRIVACY)))
    await quarantine.keep([source.reject(line.encode(), 7, "for a test")])
    assert (await replay(collector, source="test", format="nginx.access"))["published"] == 1
    await eventually(collector.count)
    [row] = await collector.rows()
    [event] = Source("test", "the same", "nginx.access", Reference(now), {}).read(line.encode(), 7)
    assert str(row["id"]) == event.id
    assert json.loads(row["fields"])["observer.name"] == "test"


async def test_a_line_that_is_replayed_twice_is_stored_once(start: Start, postgres: Postgres) -> None:
    collector = await start()
    quarantine = PostgresQuarantine(postgres, Sealer(SecretStr(PRIVACY)))
    source = Source("test", "the same", "openssh.auth", Reference(parse_instant("2026-01-16T02:10:00Z")), {})
    rejected = source.reject(ACCESS.format(1).encode(), 7, "for a test")
    for _ in range(2):  # as if the process had died after the bus confirmed and before the line was removed
        await quarantine.keep([rejected])
        assert (await replay(collector, ids=[rejected.id], format="nginx.access"))["published"] == 1

    async def _repeated() -> bool:
        sample = collector.context.registry.get_sample_value("sakimori_collector_events_repeated_total")
        return sample == 1

    await eventually(_repeated)
    assert await collector.count() == 1


async def test_without_the_bus_a_replay_is_503_and_nothing_leaves(
    start: Start, detector: Consumer, postgres: Postgres
) -> None:
    collector = await start()
    quarantine = PostgresQuarantine(postgres, Sealer(SecretStr(PRIVACY)))
    source = Source("test", "the same", "openssh.auth", Reference(parse_instant("2026-01-16T02:10:00Z")), {})
    await quarantine.keep([source.reject(ACCESS.format(1).encode(), 7, "for a test")])
    await detector.drain()
    order = {"source": "test", "format": "nginx.access"}
    answer = await collector.client.post("/quarantine/replay", json=order, headers=GATEWAY)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert len(await listed(collector)) == 1


@pytest.mark.parametrize(
    "order", [{}, {"limit": 0, "source": "x"}, {"format": "nosuch", "source": "x"}, {"ids": ["x"]}, {"other": 1}]
)
async def test_a_replay_that_makes_no_sense_is_a_problem(start: Start, order: dict[str, object]) -> None:
    collector = await start()
    answer = await collector.client.post("/quarantine/replay", json=order, headers=GATEWAY)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_deleting_wants_a_condition(start: Start) -> None:
    collector = await start()
    await collector.post("{nonsense\n[]\n")
    assert (await collector.client.delete("/quarantine", headers=GATEWAY)).status_code == 400
    [array] = [line for line in await listed(collector) if line["text"] == "[]"]
    gone = await collector.client.delete("/quarantine", params={"id": array["id"]}, headers=GATEWAY)
    assert gone.json() == {"deleted": 1}
    assert [line["text"] for line in await listed(collector)] == ["{nonsense"]


async def test_lines_of_before_there_was_encryption_are_encrypted_at_the_start(
    start: Start, postgres: Postgres
) -> None:
    await postgres.execute(
        "INSERT INTO collector.rejected_lines (source, format, reason, raw) VALUES ('x', 'auto', 'y', 'plain text')"
    )
    collector = await start()

    async def _is_sealed() -> bool:
        return bool(await postgres.fetchval("SELECT bool_and(is_sealed) FROM collector.rejected_lines"))

    await eventually(_is_sealed)
    assert [line["raw"] for line in await collector.rejected()] == [b"plain text"]


async def test_what_is_kept_is_bounded_and_the_oldest_goes_first(postgres: Postgres) -> None:
    quarantine = PostgresQuarantine(postgres, Sealer(SecretStr(PRIVACY)))
    for minute in range(10):
        source = Source("test", "x", "auto", Reference(parse_instant(f"2026-01-16T02:{minute:02}:00Z")), {})
        await quarantine.keep([source.reject(bytes(100_000), minute, "for a test")])
    [line, *_] = await quarantine.page(LineFilter(), 100)
    assert (line.rejected.length, len(line.rejected.raw)) == (100_000, 65_536)
    assert await quarantine.bound(5 * 66_000) == 5
    assert [line.rejected.replay.place for line in await quarantine.page(LineFilter(), 100)] == [9, 8, 7, 6, 5]
    assert await quarantine.bound(5 * 66_000) == 0


async def test_another_key_shows_that_it_cannot_read_and_loses_nothing(start: Start) -> None:
    first = await start()
    await first.post("{nonsense\n")
    await first.stop()
    other = await start(privacy_key=SecretStr("another-key-of-the-tests"))
    [line] = await listed(other)
    assert (line["text"], line["is_readable"]) == ("", False)
    assert (await other.client.get(f"/quarantine/{line['id']}/raw", headers=GATEWAY)).status_code == 409
    assert (await replay(other, source="http"))["rejected"] == 1
    assert len(await listed(other)) == 1


def test_sealed_text_is_of_its_place_and_key_only() -> None:
    sealer = Sealer(SecretStr("a-key-of-the-tests-1"))
    sealed = sealer.seal(b"text", "here")
    assert sealer.unseal(sealed, "here") == b"text"
    assert sealer.seal(b"text", "here") != sealed
    others = [
        (sealer, sealed, "there"),
        (Sealer(SecretStr("a-key-of-the-tests-2")), sealed, "here"),
        (Sealer(SecretStr("a-key-of-the-tests-1"), "another purpose"), sealed, "here"),
        (sealer, sealed[:-1], "here"),
        (sealer, b"", "here"),
        (sealer, b"plain", "here"),
    ]
    for other, text, place in others:
        with pytest.raises(Unreadable):
            other.unseal(text, place)

"""POST /ingest, from the request to the row."""

import asyncio
import json
from typing import Any

import pytest

from sakimori_common.bus import Consumer, Message, Queue, Topic
from sakimori_common.contracts import EVENTS, Event
from sakimori_common.ids import event_id
from sakimori_common.instants import parse_instant
from servers.eventually import eventually

from .conftest import EDGE, TOKEN, Start

SSH = "Failed password for root from 192.0.2.7 port {} ssh2"
EVENT = {"@timestamp": "2026-01-16T02:00:00.000Z", "event": {"dataset": "nginx.access"}, "source.ip": "192.0.2.1"}


def message(port: int, **more: object) -> dict[str, object]:
    line = f"2026-01-16T02:00:{port % 60:02}Z web-1 sshd[1]: {SSH.format(port)}"
    return {"message": line, "event.dataset": "openssh.auth", **more}


def ndjson(*objects: object) -> str:
    return "".join(json.dumps(item) + "\n" for item in objects)


@pytest.mark.parametrize("bus_url", ["memory", "amqp"], indirect=True)
async def test_lines_and_events_become_rows_and_the_rest_is_kept_with_its_reason(start: Start) -> None:
    collector = await start()
    body = ndjson(message(1, **{"host.hostname": "other"}), EVENT) + "{nonsense\n\n" + ndjson({"message": "?"})
    answer = await collector.post(body, **{"x-request-id": "trace-1", "x-sakimori-edge": EDGE})
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 2
    assert answer.json()["rejected"] == 2
    assert [error["line"] for error in answer.json()["errors"]] == [3, 5]
    await eventually(collector.count)
    rows = {row["dataset"]: row for row in await collector.rows()}
    ssh = rows["openssh.auth"]
    assert (ssh["action"], ssh["outcome"], ssh["ip"], ssh["user_name"]) == ("ssh_login", "failure", "192.0.2.7", "root")
    fields = json.loads(ssh["fields"])
    assert fields["host.hostname"] == "web-1"
    assert fields["trace.id"] == "trace-1"
    assert fields["sakimori.input"] == "http"
    assert rows["nginx.access"]["ip"] == "192.0.2.1"
    assert sorted(bytes(line["raw"]) for line in await collector.rejected()) == [b'{"message": "?"}', b"{nonsense"]


async def test_the_same_request_twice_is_stored_once_with_a_key_and_twice_without(start: Start) -> None:
    collector = await start()
    body = ndjson(message(1), message(2)) + "nonsense\n"
    for _ in range(2):
        assert (await collector.post(body, key="k-1")).status_code == 202
    await eventually(collector.count)
    assert await collector.count() == 2
    assert len(await collector.rejected()) == 1
    await collector.post(body)

    async def _doubled() -> bool:
        return await collector.count() == 4

    await eventually(_doubled)


async def test_an_event_that_brings_its_id_is_stored_once_and_cannot_take_anothers(start: Start) -> None:
    collector = await start()
    given = "019bc4d8-3a00-7000-8000-000000000005"
    for _ in range(2):
        await collector.post(ndjson({**EVENT, "event.id": given}))
    await eventually(collector.count)
    [row] = await collector.rows()
    assert str(row["id"]) != given


async def test_requests_that_are_not_taken(start: Start) -> None:
    collector = await start(max_body_bytes=4096)
    good = {"authorization": f"Bearer {TOKEN}"}
    expected: list[tuple[dict[str, str], str, str, int, str]] = [
        ({}, "/ingest", "{}", 401, "token_invalid"),
        ({"authorization": "Bearer wrong"}, "/ingest", "{}", 401, "token_invalid"),
        ({"authorization": f"Basic {TOKEN}"}, "/ingest", "{}", 401, "token_invalid"),
        ({"authorization": "Bearer \xe9"}, "/ingest", "{}", 401, "token_invalid"),
        (good, "/ingest", "\n \n", 400, "body_empty"),
        (good, "/ingest?format=nosuch", "{}", 400, "format_unknown"),
        ({**good, "idempotency-key": "k" * 300}, "/ingest", "{}", 400, "idempotency_key_too_long"),
        (good, "/ingest", "x" * 5000, 413, "body_too_large"),
        (good, "/nothing", "{}", 404, "not_found"),
    ]
    for headers, path, body, status, code in expected:
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        answer = await collector.client.post(path, content=body, headers=raw)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert TOKEN not in answer.text
    assert await collector.rejected() == []


async def test_a_body_of_unknown_length_is_bounded_too(start: Start) -> None:
    collector = await start(max_body_bytes=4096)

    async def _pieces() -> Any:
        for _ in range(10):
            yield b"x" * 1000

    answer = await collector.client.post("/ingest", content=_pieces(), headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 413


BAD_LINES = [
    b"[" * 10_000,
    b'{"a":' * 10_000,
    b"\xff\xfe",
    b"[1]",
    b'"text"',
    b"null",
    b'{"message": 5}',
    b'{"message": "x", "format": ["y"]}',
    b'{"message": "x", "format": "no.such"}',
    b'{"@timestamp": "yesterday", "event.dataset": "x"}',
    b'{"@timestamp": "2100-01-01T00:00:00Z", "event.dataset": "x"}',
    b'{"@timestamp": "2026-01-01T00:00:00", "event.dataset": "x"}',
    b'{"@timestamp": "2026-01-01T00:00:00Z"}',
    b'{"@timestamp": "2026-01-01T00:00:00Z", "event.dataset": "x", "n": 1e999}',
    b'{"@timestamp": "2026-01-01T00:00:00Z", "event.dataset": "x", "n": 123456789012345678901234567890}',
    b'{"@timestamp": "2026-01-01T00:00:00Z", "event.dataset": "chat.security"}',
    b'{"@timestamp": "2026-01-01T00:00:00Z", "event": {"dataset": "gateway.auth"}}',
    b'{"@timestamp": "2026-01-01T00:00:00Z", "event.dataset": "sakimori.finding"}',
    b'{"@timestamp": "2026-01-01T00:00:00Z", "event.dataset": "x", "v": "' + b"x" * 70_000 + b'"}',
    b'{"@timestamp": "2026-01-01T00:00:00Z", "event.dataset": "x", "v": "' + b"x" * 1_100_000 + b'"}',
    b'{"a": "\\ud800"}',
]
"""Lines that are no event, of every kind."""


async def test_lines_that_are_no_event_are_kept_as_they_came(start: Start) -> None:
    collector = await start()
    answer = await collector.post(b"\n".join(BAD_LINES))
    assert (answer.status_code, answer.json()["accepted"], answer.json()["rejected"]) == (202, 0, len(BAD_LINES))
    kept = await collector.rejected()
    assert sorted(bytes(line["raw"]) for line in kept) == sorted(line[: 64 * 1024] for line in BAD_LINES)
    assert sorted(line["length"] for line in kept) == sorted(map(len, BAD_LINES))
    assert all(line["reason"] and line["source"] == "http" for line in kept)


async def test_what_jsonb_cannot_hold_is_stored_visibly(start: Start) -> None:
    collector = await start()
    await collector.post(
        b'{"@timestamp":"2026-01-01T00:00:00Z","event.dataset":"x","user.name":"a\\u0000b","l":["\\u0000"]}'
    )
    await eventually(collector.count)
    [row] = await collector.rows()
    assert row["user_name"] == "a\\x00b"
    assert json.loads(row["fields"])["l"] == ["\\x00"]


async def test_received_is_published_plus_rejected_and_what_was_refused_is_counted_apart(
    start: Start, detector: Consumer
) -> None:
    collector = await start()
    await collector.post(ndjson(message(1), message(2), "x"))
    await detector.drain()
    answer = await collector.post(ndjson(message(3)))
    assert answer.status_code == 503
    counted = {what: collector.lines(what, "http") for what in ("received", "published", "rejected", "refused")}
    assert counted == {"received": 3, "published": 2, "rejected": 1, "refused": 1}


async def test_without_the_bus_the_answer_is_503_and_the_same_request_later_is_stored_once(
    start: Start, detector: Consumer, bus: Any
) -> None:
    collector = await start()
    await detector.drain()
    answer = await collector.post(ndjson(message(1)), key="k-1")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["idempotency-key"] == "k-1"
    assert answer.json()["code"] == "temporarily_unavailable"


@pytest.mark.parametrize("bus_url", ["amqp"], indirect=True)
async def test_a_killed_broker_means_503_until_it_is_back(start: Start, rabbitmq: Any) -> None:
    collector = await start()
    rabbitmq.kill()
    answer = await collector.post(ndjson(message(1)), key="k-1")
    assert answer.status_code == 503
    await asyncio.to_thread(rabbitmq.start)

    async def _taken() -> bool:
        return (await collector.post(ndjson(message(1)), key="k-1")).status_code == 202

    await eventually(_taken, 60)
    await eventually(collector.count, 60)
    assert await collector.count() == 1


async def test_batches_that_come_again_are_stored_once(start: Start, bus: Any) -> None:
    collector = await start()
    time = parse_instant("2026-01-16T02:00:00Z")
    events = [Event(event_id(time, str(n)), time, "x.y", {"source.ip": "no address", "n": n}) for n in range(500)]
    for batch in ("b-1", "b-1", "b-2"):
        await bus.publish(Topic.EVENTS, Message(batch, EVENTS.encode(events), {"schema": "1", "source": "test"}))
    assert await collector.count() == 500
    metric = collector.context.registry.get_sample_value
    assert metric("sakimori_collector_events_stored_total") == 500
    assert metric("sakimori_collector_events_repeated_total") == 1000


async def test_one_bad_message_dies_and_its_neighbours_are_stored(start: Start, bus: Any) -> None:
    collector = await start()
    time = parse_instant("2026-01-16T02:00:00Z")
    good = [EVENTS.encode([Event(event_id(time, str(n)), time, "x.y", {})]) for n in range(3)]
    bad = [
        b"not msgpack",
        EVENTS.encode([Event("no uuid", time, "x.y", {})]),
        EVENTS.encode([Event(event_id(time), -(1 << 62), "x", {})]),
    ]
    headers = {"schema": "1", "source": "test"}
    await asyncio.gather(
        *(bus.publish(Topic.EVENTS, Message(f"m-{n}", body, headers)) for n, body in enumerate([*good, *bad]))
    )
    assert await collector.count() == 3
    dead = await bus.dead(Queue.STORE, 10)
    assert sorted(letter.message.id for letter in dead) == ["m-3", "m-4", "m-5"]
    assert all(letter.reason for letter in dead)


async def test_the_store_waits_for_the_database_and_goes_on(start: Start, postgres_server: Any, bus: Any) -> None:
    collector = await start()
    await asyncio.to_thread(postgres_server.stop)
    time = parse_instant("2026-01-16T02:00:00Z")
    message_ = Message("b-1", EVENTS.encode([Event(event_id(time), time, "x.y", {})]), {"schema": "1", "source": "t"})
    publishing = asyncio.create_task(bus.publish(Topic.EVENTS, message_))
    refused = await collector.post("nonsense\n")
    assert refused.status_code == 503  # a rejected line cannot be kept now
    await asyncio.to_thread(postgres_server.start)
    await asyncio.gather(publishing, return_exceptions=True)

    async def _stored() -> bool:
        return await collector.count() == 1

    await eventually(_stored, 30)
    assert await bus.dead(Queue.STORE, 10) == []


async def test_what_is_older_than_the_retention_is_deleted_at_the_start(start: Start, postgres: Any) -> None:
    await postgres.execute(
        "INSERT INTO collector.events (time, id, dataset, fields) "
        "VALUES (now() - interval '91 days', gen_random_uuid(), 'x', '{}'), (now(), gen_random_uuid(), 'x', '{}')"
    )
    collector = await start(retention_days=90)

    async def _expired() -> bool:
        return await collector.count() == 1

    await eventually(_expired)

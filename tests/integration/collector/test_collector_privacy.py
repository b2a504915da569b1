"""Canaries: secrets that come in by any way are nowhere afterwards: bus, database, logs, answers, metrics."""

import base64
import gzip
import json
from pathlib import Path

import httpx
import pytest
from prometheus_client import generate_latest

from sakimori_common.bus import Bus, Message, Topic
from sakimori_common.contracts import EVENTS, Event
from servers.collector_clients import connect, udp_sender
from servers.eventually import eventually
from servers.ports import free_ports

from .conftest import TOKEN, Collector, Start

JWT_BODY = base64.urlsafe_b64encode(b'{"sub":"Canary7jwt"}').decode().rstrip("=")
CANARIES = {
    "password": "password=Canary7password",
    "json": '{"user":"hanako","apiKey":"Canary7json"}',
    "bearer": "Authorization: Bearer Canary7bearer",
    "basic": "Authorization: Basic " + base64.b64encode(b"hanako:Canary7basic").decode(),
    "cookie": "Cookie: theme=Canary7theme; id=Canary7id",
    "aws": "AKIACANARY7CANARY7CA",
    "github": "ghp_Canary7CanaryCanaryCanaryCanaryCanary",
    "slack": "xoxb-1234-Canary7-slack",
    "jwt": f"eyJhbGciOiJIUzI1NiJ9.{JWT_BODY}.Canary7signature",
    "key": "-----BEGIN PRIVATE KEY----- Canary7key -----END PRIVATE KEY-----",
    "url": "https://hanako:Canary7url@shop.example/",
    "command": "deploy --token Canary7command",
    "card": "4111 1111 1111 1111",
    "card_run": "5555555555554444",
    "email": "canary7mail@shop.example",
    "phone": "+819012345678 090-8765-4321",
}
SIGNS = [
    "canary7",
    JWT_BODY.lower(),
    base64.b64encode(b"hanako:Canary7basic").decode().lower(),
    "4111 1111",
    "5555555555554444",
    "9012345678",
    "8765-4321",
]
"""What would be left of one, in small letters."""
ALL = ", ".join(CANARIES.values())
SSH = "2026-01-16T02:00:00Z web-1 app[1]: "
RUBBISH = f"\x01 no format knows this: {ALL}"


def signs_in(text: str) -> list[str]:
    return [sign for sign in SIGNS if sign in text.lower()]


async def everything_stored(collector: Collector) -> str:
    """Read every row of every table, as text; what is binary both as hexadecimal and decoded."""
    tables = await collector.context.postgres.fetch(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)'"
    )
    texts = []
    for schema, table in tables:
        rows = await collector.context.postgres.fetch(f'SELECT * FROM "{schema}"."{table}"')
        texts += [repr([str(value) for value in row.values()]) for row in rows]
    return "\n".join(texts)


def posts(text: str) -> list[tuple[str, bytes, dict[str, str]]]:
    """Say a text by every way of HTTP: path, body, headers."""
    bearer = {"authorization": f"Bearer {TOKEN}"}
    event = {"@timestamp": "2026-01-16T02:00:00Z", "event.dataset": "app", "message": text, "deep": {"list": [text]}}
    named = {**event, "db": {"password": "Canary7 field"}, "message": "x", "token": "Canary7 field", "url.query": text}
    raw = {"message": SSH + text}
    lines = [event, named, raw, {"message": RUBBISH}, {"@timestamp": text, "event.dataset": "app"}]
    ndjson = "\n".join(json.dumps(line) for line in lines).encode()
    bulk = b"".join(b'{"index":{"_index":"app"}}\n%b\n' % json.dumps(line).encode() for line in lines)
    hec = b"".join(json.dumps({"time": 1768528800, "event": line}).encode() for line in (SSH + text, event, RUBBISH))
    return [
        ("/ingest", ndjson + b"\n" + text.encode() + b"\n" + b'{"a": "' + text.encode(), bearer),
        ("/ingest", gzip.compress(ndjson), {**bearer, "content-encoding": "gzip"}),
        ("/ingest?format=" + "auto", ndjson, {**bearer, "idempotency-key": "k-1"}),
        ("/_bulk", bulk, bearer),
        ("/services/collector/event", hec, {"authorization": f"Splunk {TOKEN}"}),
        ("/services/collector/raw", (SSH + text + "\n" + RUBBISH).encode(), {"authorization": f"Splunk {TOKEN}"}),
    ]


def access_line(n: int) -> str:
    return (
        f"192.0.2.{n} - - [16/Jan/2026:02:00:00 +0000] "
        '"GET /a?password=Canary7query&card=5555555555554444 HTTP/1.1" 200 5 '
        '"https://hanako:Canary7url@shop.example/?token=Canary7referrer" "Mozilla/5.0 canary7mail@shop.example"'
    )


async def test_secrets_that_come_in_by_any_way_are_nowhere_afterwards(
    start: Start, bus: Bus, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    udp, tcp, gelf = free_ports(3)
    log = tmp_path / "access.log"
    log.write_text("".join(f"{access_line(n)}\n" for n in range(3)) + SSH + ALL + "\n" + RUBBISH + "\n")
    seen: list[Message] = []

    async def _see(message: Message) -> None:
        seen.append(message)

    watcher = await bus.watch(Topic.EVENTS, _see)
    collector = await start(
        files=str(log),
        syslog_udp=f"127.0.0.1:{udp}",
        syslog_tcp=f"127.0.0.1:{tcp}",
        gelf_udp=f"127.0.0.1:{gelf}",
    )
    said = await _say_by_every_way(collector, udp, tcp, gelf)
    await eventually(lambda: collector.lines("received", str(log)) == 5)
    sources = {f"{log}": 5, "syslog_udp": 2, "syslog_tcp": 2, "gelf_udp": 2}
    for source, count in sources.items():
        await eventually(lambda source=source, count=count: collector.lines("received", source) == count)  # type: ignore[misc]

    async def _all_stored() -> bool:
        return await collector.count() == len({event.id for message in seen for event in EVENTS.decode(message.body)})

    await eventually(_all_stored)
    await collector.stop()
    await watcher.drain()
    published = [event for message in seen for event in EVENTS.decode(message.body)]
    assert len(published) > 20
    assert {str(event.fields["sakimori.input"]) for event in published} >= {"file", "http", "syslog_udp", "syslog_tcp"}
    assert len(await collector.rejected()) > 8
    assert any("Canary7" in repr(line["raw"]) for line in await collector.rejected()), "kept, but encrypted"
    assert signs_in("\n".join(repr(event.to_flat()) for event in published)) == []
    assert signs_in("".join(repr(message.body) + repr(message.headers) for message in seen)) == []
    assert signs_in(await everything_stored(collector)) == []
    assert signs_in(said) == []
    assert signs_in(generate_latest(collector.context.registry).decode()) == []
    output = capfd.readouterr()
    assert signs_in(output.out + output.err) == []
    _something_is_left_to_read(published)


async def _say_by_every_way(collector: Collector, udp: int, tcp: int, gelf: int) -> str:
    """Send all canaries; returns what was answered."""
    answers: list[httpx.Response] = []
    for path, body, headers in posts(ALL):
        answers.append(await collector.client.post(path, content=body, headers=headers))
    assert [answer.status_code for answer in answers] == [202, 202, 202, 200, 200, 200]
    send, send_gelf = udp_sender(udp), udp_sender(gelf)
    for text in (ALL, RUBBISH):
        send(f"<13>Jan 16 02:00:00 web-1 app: {text}".encode() if text is ALL else text.encode())
        send_gelf(json.dumps({"version": "1.1", "host": "web-1", "short_message": text, "_token": "Canary7"}).encode())
    async with connect(tcp) as connection:
        await connection.send(f"<13>Jan 16 02:00:00 web-1 app: {ALL}\n{RUBBISH}\n".encode())
    return "".join(answer.text for answer in answers)


def _something_is_left_to_read(published: list[Event]) -> None:
    queries = [str(event.fields.get("url.query", "")) for event in published]
    assert "password=***&card=***" in queries
    assert any(event.fields.get("source.ip") == "192.0.2.1" for event in published)


async def test_what_is_hashed_is_a_stable_token_and_the_value_is_nowhere(start: Start, bus: Bus) -> None:
    collector = await start(hashed_fields="user.name,source.ip")
    line = "2026-01-16T02:00:0{}Z web-1 sshd[1]: Failed password for hanako from 203.0.113.77 port 5{} ssh2"
    body = "\n".join(json.dumps({"message": line.format(n, n)}) for n in range(2))
    assert (await collector.post(body)).status_code == 202

    async def _both() -> bool:
        return await collector.count() == 2

    await eventually(_both)
    rows = [json.loads(row["fields"]) for row in await collector.rows()]
    assert len({(row["user.name"], row["source.ip"]) for row in rows}) == 1
    assert str(rows[0]["user.name"]).startswith("user-")
    assert rows[0]["sakimori.known.source.network"] == "public"
    stored = await everything_stored(collector)
    assert "hanako" not in stored
    assert "203.0.113.77" not in stored


async def test_what_the_operator_does_not_want_is_counted_as_dropped(start: Start) -> None:
    collector = await start(drop="log.level=debug; event.dataset=app url.path=/healthz")
    base = {"@timestamp": "2026-01-16T02:00:00Z", "event.dataset": "app"}
    kept = {**base, "log.level": "info", "url.path": "/"}
    events = [{**base, "log.level": "DEBUG"}, {**base, "url.path": "/healthz"}, kept]
    assert (await collector.post("\n".join(map(json.dumps, events)))).status_code == 202
    await eventually(collector.count)
    assert [json.loads(row["fields"])["url.path"] for row in await collector.rows()] == ["/"]
    counts = {what: collector.lines(what, "http") for what in ("received", "published", "dropped", "rejected")}
    assert counts == {"received": 3, "published": 1, "dropped": 2, "rejected": 0}

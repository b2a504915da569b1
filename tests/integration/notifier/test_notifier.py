"""The notifier as a whole: real PostgreSQL, real HTTP and SMTP receivers on loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sakimori_common.bus import Message, Queue, Topic
from sakimori_common.bus.memory import MemoryBus
from sakimori_common.context import ServiceContext
from sakimori_common.contracts import FINDINGS, Finding, Severity
from sakimori_common.testing.samples import finding
from sakimori_common.web import serving
from sakimori_notifier.settings import NotifierSettings
from sakimori_notifier.wiring import running
from servers.eventually import eventually
from servers.own_logs import lines_of
from servers.ports import free_ports


@dataclass
class Receiver:
    """What came in, and what is answered next (200 when nothing is left)."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        self.bodies.append(msgspec.json.decode(await request.body()))
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        return Response(status_code=status, headers=headers)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    taken = Receiver()
    async with serving(Starlette(routes=[Route("/hook", taken.take, methods=["POST"])]), "127.0.0.1", 0) as port:
        taken.url = f"http://127.0.0.1:{port}/hook"
        yield taken


@dataclass
class Notifier:
    """A running notifier and the bus in front of it."""

    bus: MemoryBus
    context: ServiceContext
    sent: int = 0

    async def tell(self, *findings: Finding, headers: dict[str, str] | None = None) -> None:
        self.sent += 1
        message = Message(
            f"batch-{self.sent}", FINDINGS.encode(findings), {"schema": "1", "source": "test", **(headers or {})}
        )
        await self.bus.publish(Topic.FINDINGS, message)

    async def statuses(self) -> list[tuple[str, str]]:
        rows = await self.context.postgres.fetch("SELECT channel, status FROM notifier.deliveries ORDER BY id")
        return [(row["channel"], row["status"]) for row in rows]


Start = Callable[..., Awaitable[Notifier]]


@pytest.fixture
async def start(postgres: "asyncpg.Pool", valkey: Redis, postgres_url: str, valkey_url: str) -> AsyncIterator[Start]:
    bus = MemoryBus(publish_timeout_seconds=10)
    stopping = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []

    async def _start(**settings: object) -> Notifier:
        context = ServiceContext.of("notifier", bus, postgres, valkey)
        given = {"database_url": SecretStr(postgres_url), "valkey_url": SecretStr(valkey_url), "retry_seconds": 0.01}
        started = asyncio.Event()

        async def _run() -> None:
            async with running(NotifierSettings(**(given | settings)), context):  # type: ignore[arg-type]
                started.set()
                await stopping.wait()

        tasks.append(asyncio.create_task(_run()))
        await asyncio.wait({asyncio.ensure_future(started.wait()), tasks[-1]}, return_when=asyncio.FIRST_COMPLETED)
        return Notifier(bus, context)

    yield _start
    stopping.set()
    await asyncio.gather(*tasks)
    await bus.close()


@asynccontextmanager
async def mail_server() -> AsyncIterator[tuple[str, list[str]]]:
    mails: list[str] = []

    class Keep:
        async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802
            mails.append(envelope.content.decode())
            return "250 OK"

    port = free_ports(1)[0]
    controller = Controller(Keep(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{port}", mails
    finally:
        controller.stop()


async def test_critical_goes_to_console_mail_and_slack(
    start: Start, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    async with mail_server() as (smtp_url, mails):
        notifier = await start(
            slack_webhook_url=SecretStr(receiver.url), smtp_url=SecretStr(smtp_url), alert_email="soc@example.org"
        )
        await notifier.tell(finding(severity=Severity.CRITICAL))
        await eventually(lambda: bool(receiver.bodies and mails))
        await eventually(lambda: _all(notifier, "sent", 3))
    assert len(receiver.bodies) == 1
    assert "ブルートフォース攻撃を検出: 203.0.113.42" in receiver.bodies[0]["text"]
    assert "To: soc@example.org" in mails[0]
    assert "🚨 セキュリティアラート [CRITICAL]" in capsys.readouterr().out


async def test_high_does_not_reach_slack_and_medium_stays_on_the_console(start: Start, receiver: Receiver) -> None:
    notifier = await start(slack_webhook_url=SecretStr(receiver.url))
    await notifier.tell(finding(severity=Severity.HIGH), finding(id="2", severity=Severity.MEDIUM, entity="192.0.2.9"))
    await eventually(lambda: _all(notifier, "sent", 2))
    assert await notifier.statuses() == [("console", "sent"), ("console", "sent")]
    assert receiver.bodies == []


async def test_the_same_attack_with_a_higher_count_is_told_once(start: Start, receiver: Receiver) -> None:
    notifier = await start(webhook_url=SecretStr(receiver.url), routes="high=webhook")
    for failures in (5, 6, 7):
        await notifier.tell(finding(count=failures, details={"ip": "203.0.113.42", "failed_attempts": failures}))
    await eventually(lambda: _all(notifier, "sent", 1))
    assert [body["count"] for body in receiver.bodies] == [5]
    assert await notifier.context.postgres.fetchval("SELECT sum(suppressed)::int FROM notifier.suppressions") == 2


async def test_after_the_quiet_time_the_same_attack_is_told_again(start: Start, receiver: Receiver) -> None:
    notifier = await start(webhook_url=SecretStr(receiver.url), routes="high=webhook")
    await notifier.tell(finding(count=5))
    await notifier.context.postgres.execute("UPDATE notifier.suppressions SET until = now() - interval '1 second'")
    await notifier.tell(finding(count=9))
    await eventually(lambda: _all(notifier, "sent", 2))
    assert [body["count"] for body in receiver.bodies] == [5, 9]


async def test_a_receiver_that_fails_three_times_gets_the_notice_once(start: Start, receiver: Receiver) -> None:
    receiver.answers = [(500, {}), (503, {}), (429, {"retry-after": "0"})]
    notifier = await start(webhook_url=SecretStr(receiver.url), routes="high=webhook")
    await notifier.tell(finding())
    await eventually(lambda: _all(notifier, "sent", 1))
    assert len(receiver.bodies) == 4


async def test_a_retry_after_is_honoured(start: Start, receiver: Receiver) -> None:
    receiver.answers = [(429, {"retry-after": "1800"})]
    notifier = await start(webhook_url=SecretStr(receiver.url), routes="high=webhook")
    await notifier.tell(finding())

    async def postponed() -> bool:
        return bool(
            await notifier.context.postgres.fetchval(
                "SELECT count(*) FROM notifier.deliveries WHERE last_error = 'HTTP 429' AND status = 'pending' "
                "AND next_attempt_at BETWEEN now() + interval '29 minutes' AND now() + interval '30 minutes'"
            )
        )

    await eventually(postponed)
    assert len(receiver.bodies) == 1


async def test_what_cannot_be_delivered_is_found_in_the_dead_letters_and_can_be_replayed(
    start: Start, receiver: Receiver
) -> None:
    receiver.answers = [(404, {})]
    notifier = await start(webhook_url=SecretStr(receiver.url), routes="high=console,webhook")
    await notifier.tell(finding())
    await eventually(lambda: _is_dead(notifier))
    letters = await notifier.bus.dead(Queue.NOTIFY, 10)
    assert [letter.reason for letter in letters] == ["webhook: HTTP 404"]
    assert await notifier.bus.revive(Queue.NOTIFY, None, 10) == 1
    await eventually(lambda: len(receiver.bodies) == 2)
    await eventually(lambda: _all(notifier, "sent", 2))
    assert sorted(await notifier.statuses()) == [("console", "sent"), ("webhook", "dead"), ("webhook", "sent")]


async def test_a_dead_letter_holds_no_webhook_address(start: Start) -> None:
    notifier = await start(webhook_url=SecretStr("http://127.0.0.1:9/secret-path"), routes="high=webhook", attempts=2)
    await notifier.tell(finding())
    await eventually(lambda: _is_dead(notifier))
    letter = (await notifier.bus.dead(Queue.NOTIFY, 1))[0]
    assert letter.reason == "webhook: ConnectError; tried 2 times"


async def test_without_any_webhook_the_console_still_tells(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    notifier = await start()
    await notifier.tell(finding(severity=Severity.CRITICAL))
    await eventually(lambda: _all(notifier, "sent", 1))
    assert "ブルートフォース攻撃を検出: 203.0.113.42" in capsys.readouterr().out


async def test_a_body_that_holds_no_findings_is_a_dead_letter(start: Start) -> None:
    notifier = await start()
    await notifier.bus.publish(Topic.FINDINGS, Message("bad", b"\xc1", {"schema": "1", "source": "test"}))
    letters = await notifier.bus.dead(Queue.NOTIFY, 10)
    assert letters[0].reason.startswith("no batch of findings")


async def _all(notifier: Notifier, status: str, count: int) -> bool:
    return [what for _, what in await notifier.statuses()].count(status) == count


async def _is_dead(notifier: Notifier) -> bool:
    return ("webhook", "dead") in await notifier.statuses()


async def test_each_finding_is_a_line_of_the_alert_stream(log_folder: Path, start: Start) -> None:
    notifier = await start()
    await notifier.tell(finding(), finding(id="0b7f4e52-3c1d-8a60-9c55-2f60f1f3a002", severity=Severity.LOW))
    await eventually(lambda: len(lines_of(log_folder / "alert.log")) == 2)
    assert [(line["rule_id"], line["severity"]) for line in lines_of(log_folder / "alert.log")] == [
        ("brute_force_attack", "high"),
        ("brute_force_attack", "low"),
    ]

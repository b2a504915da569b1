"""Builds the gateway and runs it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from sakimori_api_gateway.adapters.audit import PostgresAuditLog
from sakimori_api_gateway.adapters.chat_office import HttpChatOffice
from sakimori_api_gateway.adapters.decisions import PostgresDecisionStore
from sakimori_api_gateway.adapters.devices import PostgresDeviceStore
from sakimori_api_gateway.adapters.events import PostgresEventSearch
from sakimori_api_gateway.adapters.findings import PostgresFindingStore
from sakimori_api_gateway.adapters.login_events import LoginEvents
from sakimori_api_gateway.adapters.login_limit import ValkeyLoginLimit
from sakimori_api_gateway.adapters.passwords import Argon2Passwords
from sakimori_api_gateway.adapters.sockets import SocketUpstream
from sakimori_api_gateway.adapters.sources import PostgresLogSourceStore
from sakimori_api_gateway.adapters.traffic import PostgresSessionStore
from sakimori_api_gateway.adapters.upstream import Upstream
from sakimori_api_gateway.adapters.users import PostgresUserStore
from sakimori_api_gateway.api import app
from sakimori_api_gateway.api.enforcement import Enforcement
from sakimori_api_gateway.api.gateway import Gateway
from sakimori_api_gateway.api.hub import LiveHub
from sakimori_api_gateway.api.sessions import Sessions
from sakimori_api_gateway.api.tunnels import Tunnels
from sakimori_api_gateway.domain.blocklist import Blocklist
from sakimori_api_gateway.domain.masking import AddressMask
from sakimori_api_gateway.domain.records import AuditEntry, User
from sakimori_api_gateway.domain.roles import Role
from sakimori_api_gateway.handlers import on_decisions, on_findings
from sakimori_api_gateway.metrics import GatewayMetrics
from sakimori_api_gateway.ports import Passwords
from sakimori_api_gateway.settings import GatewaySettings
from sakimori_common.bus import Topic
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.context import ServiceContext
from sakimori_common.instants import format_instant
from sakimori_common.metrics import PublisherMetrics
from sakimori_common.shedding import Shedder
from sakimori_common.web import serving

FIRST_ADMIN = "admin"
_SHED_REPORT_SECONDS = 1.0


@asynccontextmanager
async def running(
    settings: GatewaySettings, context: ServiceContext, passwords: Passwords | None = None
) -> AsyncIterator[None]:
    """Run the gateway until the block ends. Raises OSError when the port is taken, Unavailable without a database."""
    async with AsyncExitStack() as stack:
        publisher = EventPublisher(context.bus, settings.service, PublisherMetrics(context.registry))
        gateway = build(settings, context, publisher, passwords or Argon2Passwords())
        for upstream in (gateway.chat, gateway.collector, gateway.sensor):
            stack.push_async_callback(upstream.close)
        await add_first_admin(gateway)
        await stack.enter_async_context(_watching(gateway, context))
        stack.push_async_callback(publisher.drain)
        stack.push_async_callback(gateway.login_events.drain)
        await stack.enter_async_context(_background(gateway))
        port = await stack.enter_async_context(serving(app.build(gateway), settings.host, settings.port))
        stack.callback(gateway.tunnels.stopping.set)
        stack.callback(gateway.hub.stopping.set)  # before the server waits for its open connections
        context.log.info("listening", port=port)
        yield


def build(
    settings: GatewaySettings, context: ServiceContext, publisher: EventPublisher, passwords: Passwords
) -> Gateway:
    """Put the object graph together; nothing is started yet."""
    secret = settings.jwt_secret.get_secret_value()
    metrics, mask = GatewayMetrics(context.registry), AddressMask(secret)
    users, decisions = PostgresUserStore(context.postgres), PostgresDecisionStore(context.postgres)
    chat = Upstream("chat", settings.chat_url)
    enforcement = Enforcement(
        blocklist=Blocklist(settings.never_block),
        decisions=decisions,
        bus=context.bus,
        clock=now,
        metrics=metrics,
        log=context.log,
    )
    return Gateway(
        settings=settings,
        clock=now,
        log=context.log,
        streams=context.streams,
        metrics=metrics,
        users=users,
        findings=PostgresFindingStore(context.postgres),
        decisions=decisions,
        devices=PostgresDeviceStore(context.postgres, now),
        traffic=PostgresSessionStore(context.postgres),
        events=PostgresEventSearch(context.postgres),
        sources=PostgresLogSourceStore(context.postgres),
        audit=PostgresAuditLog(context.postgres),
        login_limit=ValkeyLoginLimit(
            context.valkey,
            window_seconds=settings.login_window_seconds,
            per_address=settings.login_attempts_per_address,
            per_user=settings.login_failures_per_user,
        ),
        login_events=LoginEvents(publisher, metrics, context.instance),
        passwords=passwords,
        sessions=Sessions(users, secret, settings.token_minutes, now),
        enforcement=enforcement,
        hub=LiveHub(mask, metrics),
        tunnels=Tunnels(settings.max_tunnels, enforcement, metrics),
        visitors=Shedder(settings.visitor_requests_per_second),
        mask=mask,
        chat=chat,
        chat_sockets=SocketUpstream("chat", settings.chat_url),
        chat_office=HttpChatOffice(chat, settings.edge_token.get_secret_value()),
        collector=Upstream("collector", settings.collector_url),
        sensor=Upstream("packet-sensor", settings.sensor_url),
    )


async def add_first_admin(gateway: Gateway) -> None:
    """Create `admin` where there is no user yet and a password is given."""
    if gateway.settings.admin_password is None:
        if not await gateway.users.all():
            gateway.log.warning("no_users", advice="set GATEWAY_ADMIN_PASSWORD or run: sakimori user add")
        return
    at = format_instant(now())
    user = User(name=FIRST_ADMIN, role=Role.ADMIN, created_at=at, password_changed_at=at)
    entry = AuditEntry(
        actor="system", action="user_added", target=f"user:{FIRST_ADMIN}", new={"role": user.role.value}, at=at
    )
    password_hash = await gateway.passwords.hash(gateway.settings.admin_password.get_secret_value())
    if await gateway.users.add_first(user, password_hash, entry):
        gateway.log.info("first_admin_created", user=FIRST_ADMIN)


@asynccontextmanager
async def _watching(gateway: Gateway, context: ServiceContext) -> AsyncIterator[None]:
    """Watch findings and decisions; the blocklist is read after the watch began, so no decision falls between."""
    watchers = [
        await context.bus.watch(Topic.FINDINGS, on_findings(gateway.hub, gateway.findings, context.log)),
        await context.bus.watch(Topic.DECISIONS, on_decisions(gateway.enforcement, context.log)),
    ]
    supervisions = [context.supervise(watcher) for watcher in watchers]
    try:
        await gateway.enforcement.refresh()
        yield
    finally:
        for supervision in supervisions:
            supervision.cancel()
        for watcher in watchers:
            await watcher.drain()


@asynccontextmanager
async def _background(gateway: Gateway) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(gateway.enforcement.keep_true(gateway.settings.refresh_seconds), name="gateway-refresh"),
        asyncio.create_task(gateway.login_events.run(), name="gateway-login-events"),
        asyncio.create_task(gateway.tunnels.keep_out(), name="gateway-tunnels"),
        asyncio.create_task(_report_shed(gateway), name="gateway-shedding"),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _report_shed(gateway: Gateway) -> None:
    while True:
        await asyncio.sleep(_SHED_REPORT_SECONDS)
        for network, count in gateway.visitors.taken():
            gateway.metrics.requests_shed_total.inc(count)
            gateway.streams.log_security("requests_shed", network.partition("/")[0], reason=f"{count} requests")


def now() -> int:
    """Read the clock, in microseconds since the epoch."""
    return time.time_ns() // 1000

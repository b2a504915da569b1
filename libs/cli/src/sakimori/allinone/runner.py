"""Starts everything, waits, stops everything."""

import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from pydantic import SecretStr

from sakimori.allinone.fleet import FLEET, settings_of_all
from sakimori.allinone.home import Home, Secrets
from sakimori.allinone.screen import Screen
from sakimori.embedded import embedded_postgres, embedded_valkey
from sakimori_api_gateway.adapters.passwords import Argon2Passwords
from sakimori_api_gateway.adapters.users import PostgresUserStore
from sakimori_api_gateway.domain.records import AuditEntry, User
from sakimori_api_gateway.domain.roles import Role
from sakimori_api_gateway.ports import Conflict
from sakimori_common.bus import open_bus
from sakimori_common.context import Failure, Postgres, ServiceContext
from sakimori_common.instants import format_instant
from sakimori_common.log import Retention, configure_logging, open_streams
from sakimori_common.postgres import connect_with_patience, migrate
from sakimori_common.runtime import calm_garbage_collector, stop_on_signals, until_stopped
from sakimori_common.settings import ServiceSettings
from sakimori_common.valkey import open_valkey
from sakimori_common.web import side_port

DATABASE_CONNECTIONS = 24
"""Six services share one pool."""


async def run_all(home: Home) -> int:
    """Run the six services in this process until a signal; returns the exit status.

    Raises HomeError, EmbeddedServerError, SettingsError, BusUnavailable, MigrationError and OSError (a port that is
    taken), each with a text for the person who started it.
    """
    stop = stop_on_signals()
    screen = Screen()
    with home.locked():
        configure_logging("INFO", file=home.log)
        open_streams(home.log.parent, Retention())
        secrets = home.secrets()
        async with AsyncExitStack() as stack:
            urls = await stack.enter_async_context(_servers(home, screen))
            settings = settings_of_all(home, secrets, urls)
            contexts = await stack.enter_async_context(_contexts(urls, secrets, screen))
            users = PostgresUserStore(contexts["api-gateway"].postgres)
            is_new = not await users.all()
            with screen.step("Six services started"):
                for member in FLEET:
                    chosen, context = settings[member.name], contexts[member.name]
                    await stack.enter_async_context(side_port(context, chosen.host, chosen.side_port))
                    await stack.enter_async_context(member.running(chosen, context))
            await _ensure_local_account(users, secrets)
            _announce(home, settings, screen, secrets.admin_password if is_new else None)
            calm_garbage_collector()
            status = await until_stopped(contexts["api-gateway"], stop)
            screen.say("Stopping: what was taken in is finished first ...")
        screen.say("Stopped.")
    return status


@asynccontextmanager
async def _servers(home: Home, screen: Screen) -> AsyncIterator[Mapping[str, str]]:
    """Start PostgreSQL and Valkey where the environment names none; yields the three URLs."""
    async with AsyncExitStack() as stack:
        urls = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "VALKEY_URL", "BUS_URL")}
        if not urls["DATABASE_URL"]:
            with screen.step("PostgreSQL started"):
                urls["DATABASE_URL"] = await stack.enter_async_context(embedded_postgres(home.path))
        if not urls["VALKEY_URL"]:
            with screen.step("Valkey started"):
                urls["VALKEY_URL"] = await stack.enter_async_context(embedded_valkey(home.path))
        urls["BUS_URL"] = urls["BUS_URL"] or "memory://"
        yield urls


@asynccontextmanager
async def _contexts(
    urls: Mapping[str, str], secrets: Secrets, screen: Screen
) -> AsyncIterator[dict[str, ServiceContext]]:
    """Open what the services share; one failure of any stops all."""
    async with AsyncExitStack() as stack:
        with screen.step("Database ready"):
            postgres: Postgres = await connect_with_patience(urls["DATABASE_URL"], 60.0, max_size=DATABASE_CONNECTIONS)
            stack.push_async_callback(postgres.close)
            async with postgres.acquire() as connection:
                await migrate(connection)
        valkey = open_valkey(urls["VALKEY_URL"])
        stack.push_async_callback(valkey.aclose)
        bus = await open_bus(urls["BUS_URL"], service="sakimori")
        stack.push_async_callback(bus.close)
        failure = Failure()
        key = SecretStr(secrets.log_key)
        yield {
            member.name: ServiceContext.of(member.name, bus, postgres, valkey, failure, log_key=key) for member in FLEET
        }


async def _ensure_local_account(users: PostgresUserStore, secrets: Secrets) -> None:
    """Give `sakimori demo` an account of its own; its password lies in the home folder, closed to other users."""
    now = format_instant(time.time_ns() // 1000)
    local = User(name="local", role=Role.ANALYST, created_at=now, password_changed_at=now)
    entry = AuditEntry(actor="sakimori run", action="user_added", target="user:local", new={"role": "analyst"}, at=now)
    with suppress(Conflict):
        await users.add(local, await Argon2Passwords().hash(secrets.local_password), entry)


def _announce(home: Home, settings: Mapping[str, ServiceSettings], screen: Screen, admin_password: str | None) -> None:
    gateway = f"http://127.0.0.1:{_port(settings['api-gateway'])}"
    home.announce(gateway)
    urls = {
        "Chat": f"{gateway}/chat",
        "API": f"{gateway}/docs",
        "Log intake": f"{gateway}/ingest  (token: ingest_token in {shown(home.path / 'secrets.json')})",
        "Data": shown(home.path),
        "Log": shown(home.log),
    }
    notes = ["`sakimori demo` plays real attacks against it. Findings appear below. Ctrl-C stops."]
    screen.show(urls, admin_password, notes)


def _port(settings: ServiceSettings) -> int:
    return int(getattr(settings, "port", 0))


def shown(path: Path) -> str:
    """Write a path the short way, with ~ for the home folder."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)

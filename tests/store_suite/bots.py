"""Reports on bots at their borders; one suite for PostgreSQL and TimescaleDB."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from dashboards import POSTGRES, queries
from store_suite.seed import END, START, add_finding

ONE, TWO, THREE, NOBODY = (f"bot-{digit * 16}" for digit in "123f")
VIEWS = (
    "kb_bot_devices",
    "kb_chat_logs",
    "kb_connection_logs",
    "kb_query_logs",
    "kb_suspicious_activities",
    "v_daily_security_report",
    "v_hourly_activity_pattern",
    "v_ip_connection_attempts",
    "v_bot_dashboard",
)
PANELS = frozenset(
    {
        "Active bots",
        "Bot requests today",
        "Failed bot signatures",
        "Suspicious bot activities",
        "Messages by room",
        "Flags by check",
        "Bot requests by hour",
        "Daily report of bots",
        "Addresses that fail as bots",
        "Newest suspicions about bots",
    }
)
"""The SQL panels of the dashboard "Chat and bots"; most of them are about today, whenever that is."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(hours=24)


class BotViewSuite:
    """Needs the fixture `store`: a connection to a migrated database with nothing in it."""

    async def test_the_daily_report_lists_eleven_failures_and_one_forged_signature_but_not_ten_failures(
        self, store: Any
    ) -> None:
        at = await _now(store) - HOUR
        for bot_id, name in ((ONE, "weather"), (TWO, "news"), (THREE, "quiet")):
            await _add_bot(store, bot_id, name)
        await _add(store, at, "message_received", ONE, 3, room="lobby")
        await _add(store, at, "message_received", ONE, 1, room="side")
        await _add(store, at, "rate_limit_hit", ONE, 11)
        await _add(store, at, "message_received", TWO, 2, room="lobby")
        await _add(store, at + MINUTE, "hmac_failed", TWO, 1)
        await _add(store, at, "message_received", THREE, 50, room="lobby")
        await _add(store, at, "room_refused", THREE, 10)
        assert await _rows(store, "v_daily_security_report") == [
            (ONE, "weather", 15, 2, 11, 0, at + timedelta(milliseconds=10)),
            (TWO, "news", 3, 1, 1, 1, at + MINUTE),
        ]

    async def test_an_event_that_stands_for_several_counts_as_so_many(self, store: Any) -> None:
        at = await _now(store) - HOUR
        await _add_bot(store, ONE, "weather")
        await _add_bot(store, TWO, "news")
        await _add(store, at, "rate_limit_hit", ONE, 1, attempts=11)
        await _add(store, at, "rate_limit_hit", TWO, 1, attempts=10)
        assert [row[:6] for row in await _rows(store, "v_daily_security_report")] == [(ONE, "weather", 11, 0, 11, 0)]

    async def test_ids_that_nobody_registered_are_one_row_of_the_daily_report(self, store: Any) -> None:
        at = await _now(store) - HOUR
        for number in range(20):
            await _add(store, at, "hmac_failed", f"bot-{number:016x}", 1)
        assert [row[:6] for row in await _rows(store, "v_daily_security_report")] == [
            (None, "(not registered)", 20, 0, 20, 20)
        ]

    async def test_the_daily_report_is_of_24_hours(self, store: Any) -> None:
        now = await _now(store)
        await _add_bot(store, ONE, "weather")
        await _add(store, now - DAY - MINUTE, "hmac_failed", ONE, 5)
        assert await _rows(store, "v_daily_security_report") == []
        await _add(store, now - DAY + MINUTE, "replay_refused", ONE, 1)
        assert [row[2:6] for row in await _rows(store, "v_daily_security_report")] == [(1, 0, 1, 1)]

    async def test_hours_of_the_pattern_are_those_of_seoul_unless_another_zone_is_set(self, store: Any) -> None:
        yesterday = (await _now(store) - DAY).replace(hour=14, minute=59, second=59, microsecond=0)
        await _add(store, yesterday, "message_received", ONE, 2, room="lobby")
        await _add(store, yesterday + timedelta(seconds=1), "message_received", ONE, 3, room="lobby")
        await _add(store, yesterday + timedelta(seconds=1), "data_read", TWO, 4)
        await _add(store, yesterday + timedelta(seconds=1), "hmac_failed", NOBODY, 1)
        await _add(store, yesterday - timedelta(days=7), "message_received", THREE, 9, room="lobby")
        pattern = await _rows(store, "v_hourly_activity_pattern")
        assert [row[0] for row in pattern] == list(range(24))
        assert {row[3] for row in pattern} == {"Asia/Seoul"}
        assert [row[:3] for row in pattern if row[1]] == [(0, 8, 2), (23, 2, 1)]
        await store.execute("SET sakimori.time_zone = 'UTC'")
        try:
            pattern = await _rows(store, "v_hourly_activity_pattern")
        finally:
            await store.execute("RESET sakimori.time_zone")
        assert [row for row in pattern if row[1]] == [(14, 2, 1, "UTC"), (15, 8, 2, "UTC")]

    async def test_an_address_that_failed_six_times_is_listed_and_one_that_failed_five_times_is_not(
        self, store: Any
    ) -> None:
        at = await _now(store) - HOUR
        await _add(store, at, "connected", ONE, 2, ip="203.0.113.6", transport="tcp")
        await _add(store, at + MINUTE, "hmac_failed", ONE, 1, ip="203.0.113.6", attempts=4)
        await _add(store, at + 2 * MINUTE, "unauthorized", ONE, 2, ip="203.0.113.6")
        await _add(store, at, "handshake_refused", TWO, 5, ip="198.51.100.5", transport="tcp")
        await _add(store, at, "replay_refused", TWO, 9, ip="2001:db8::9")
        assert await _rows(store, "v_ip_connection_attempts") == [
            ("2001:db8::9", 9, 0, 9, at, at + timedelta(milliseconds=8)),
            ("203.0.113.6", 8, 2, 6, at, at + 2 * MINUTE + timedelta(milliseconds=1)),
        ]

    async def test_each_request_by_http_is_an_attempt_and_what_happens_in_a_session_is_none(self, store: Any) -> None:
        at = await _now(store) - HOUR
        await _add(store, at, "hmac_failed", ONE, 6, ip="203.0.113.6")
        await _add(store, at, "message_received", ONE, 3, ip="203.0.113.6", transport="http", room="lobby")
        await _add(store, at, "data_read", ONE, 1, ip="203.0.113.6", transport="http")
        await _add(store, at, "message_received", ONE, 100, ip="203.0.113.6", transport="websocket", room="lobby")
        await _add(store, at, "rate_limit_hit", ONE, 100, ip="203.0.113.6", transport="websocket")
        assert [row[:4] for row in await _rows(store, "v_ip_connection_attempts")] == [("203.0.113.6", 10, 4, 6)]

    async def test_a_finding_about_a_bot_is_a_suspicious_activity_with_its_facts(self, store: Any) -> None:
        await add_finding(store, "of-an-address", "high", START)
        await _add_suspicion(store, "f-1", ONE, START, {"pattern": "room_hopping", "rooms": 21})
        ((device, pattern, metadata, created_at),) = await _rows(store, "kb_suspicious_activities")
        assert (device, pattern, created_at) == (ONE, "room_hopping", START)
        facts = json.loads(metadata)
        assert (facts["rooms"], facts["finding_id"], facts["severity"], facts["count"]) == (21, "f-1", "medium", 1)

    async def test_each_read_of_data_is_a_query(self, store: Any) -> None:
        await _add(store, START, "data_read", ONE, 1)
        await _add(store, START, "message_received", ONE, 1, room="lobby")
        assert await _rows(store, "kb_query_logs") == [(ONE, START, 1)]

    async def test_a_bot_is_active_while_it_is_approved_and_was_heard_of_within_five_minutes(self, store: Any) -> None:
        now = await _now(store)
        await _add_bot(store, ONE, "weather", last_ping=now - 5 * MINUTE + timedelta(seconds=30))
        await _add_bot(store, TWO, "news", last_ping=now - 5 * MINUTE - timedelta(seconds=1))
        await _add_bot(store, THREE, "blocked", status="blocked", last_ping=now)
        await _add_bot(store, NOBODY, "new")
        assert (await _dashboard(store))["active_bots"] == 1

    async def test_today_begins_at_midnight_in_seoul(self, store: Any) -> None:
        now: datetime = await _now(store)
        midnight = now.astimezone(ZoneInfo("Asia/Seoul")).replace(hour=0, minute=0, second=0, microsecond=0)
        assert await store.fetchval("SELECT public.report_day()") == midnight
        await _add(store, midnight - timedelta(microseconds=1), "message_received", ONE, 1, room="lobby")
        await _add(store, midnight, "message_received", ONE, 1, room="lobby")
        await _add_suspicion(store, "f-1", ONE, midnight - timedelta(microseconds=1), {"pattern": "failed_auth"})
        await _add_suspicion(store, "f-2", ONE, midnight, {"pattern": "failed_auth"})
        dashboard = await _dashboard(store)
        assert (dashboard["today_requests"], dashboard["suspicious_activities"]) == (1, 1)
        assert dashboard["time_zone"] == "Asia/Seoul"

    async def test_failed_signatures_of_the_last_hour_are_counted_for_the_dashboard(self, store: Any) -> None:
        now = await _now(store)
        await _add(store, now - HOUR - MINUTE, "hmac_failed", ONE, 7)
        await _add(store, now - HOUR + MINUTE, "hmac_failed", ONE, 1, attempts=10)
        await _add(store, now - MINUTE, "replay_refused", ONE, 1)
        await _add(store, now - MINUTE, "unauthorized", ONE, 3)
        assert (await _dashboard(store))["failed_auths"] == 11

    @pytest.mark.parametrize("view", VIEWS)
    async def test_a_reader_may_look_at_a_report(self, store: Any, view: str) -> None:
        await store.execute("SET ROLE sakimori_reader")
        try:
            await store.fetch(f"SELECT * FROM public.{view}")
        finally:
            await store.execute("RESET ROLE")

    async def test_a_zone_that_is_none_is_named(self, store: Any) -> None:
        await store.execute("SET sakimori.time_zone = 'Mars/Olympus'")
        try:
            with pytest.raises(Exception, match="Mars/Olympus"):
                await _dashboard(store)
        finally:
            await store.execute("RESET sakimori.time_zone")


class ChatPanelSuite:
    """What the panels of the dashboard "Chat and bots" show; needs the fixture `store`, too."""

    async def test_messages_and_flags_are_counted_by_minute_room_and_check(self, store: Any) -> None:
        for seconds, room in ((0, "lobby"), (59, "lobby"), (60, "side")):
            await _add_chat(store, START + timedelta(seconds=seconds), "chat.message_posted", {"chat.room": room})
        await _add_chat(store, START, "security.message_flagged", {"chat.check.name": "spam"})
        await _add_chat(store, START, "security.rate_limit_hit", {"chat.room": "lobby"})
        later = START + MINUTE
        assert await _panel(store, "Messages by room") == [(START, "lobby", 2), (later, "side", 1)]
        assert await _panel(store, "Flags by check") == [(START, "spam", 1)]

    async def test_the_panels_of_bots_show_what_the_reports_have(self, store: Any) -> None:
        now = await _now(store)
        await _add_bot(store, ONE, "weather", last_ping=now)
        await _add(store, now, "hmac_failed", ONE, 1, ip="203.0.113.6", attempts=11)
        await _add(store, now, "message_received", ONE, 2, ip="203.0.113.6", room="lobby")
        await _add_suspicion(store, "f-1", ONE, now, {"pattern": "failed_auth"})
        assert await _panel(store, "Active bots") == [(1,)]
        assert await _panel(store, "Bot requests today") == [(13,)]
        assert await _panel(store, "Failed bot signatures") == [(11,)]
        assert await _panel(store, "Suspicious bot activities") == [(1,)]
        assert [row[:6] for row in await _panel(store, "Daily report of bots")] == [("weather", ONE, 13, 1, 11, 11)]
        assert [row[:4] for row in await _panel(store, "Addresses that fail as bots")] == [("203.0.113.6", 13, 2, 11)]
        assert await _panel(store, "Newest suspicions about bots") == [(now, "weather", "failed_auth", "medium", 1)]
        hours = await _panel(store, "Bot requests by hour")
        assert [row[0] for row in hours] == [f"{hour:02}" for hour in range(24)]
        assert [row[1:] for row in hours if row[1]] == [(13, 1)]

    @pytest.mark.parametrize("panel", sorted(PANELS - {"Bot requests by hour"}))
    async def test_a_panel_of_an_empty_chat_shows_zeros_or_nothing(self, store: Any, panel: str) -> None:
        assert all(value == 0 for row in await _panel(store, panel) for value in row)


async def _now(store: Any) -> Any:
    return await store.fetchval("SELECT now()")


async def _rows(store: Any, view: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await store.fetch(f"SELECT * FROM public.{view}")]


async def _panel(store: Any, title: str) -> list[tuple[Any, ...]]:
    """Show a panel with Grafana's rights."""
    await store.execute("SET ROLE sakimori_reader")
    try:
        return [tuple(row) for row in await store.fetch(queries(POSTGRES)[title].over(START, END))]
    finally:
        await store.execute("RESET ROLE")


async def _add_chat(store: Any, at: datetime, action: str, fields: dict[str, Any]) -> None:
    await store.execute(
        "INSERT INTO collector.events (time, id, dataset, action, fields) VALUES ($1, $2, $3, $4, $5)",
        at,
        uuid4(),
        "chat.message" if action == "chat.message_posted" else "chat.security",
        action,
        json.dumps(fields),
    )


async def _dashboard(store: Any) -> Any:
    return await store.fetchrow("SELECT * FROM public.v_bot_dashboard")


async def _add(
    store: Any,
    at: datetime,
    event: str,
    bot_id: str,
    count: int,
    *,
    ip: str = "192.0.2.7",
    attempts: int = 1,
    room: str = "",
    transport: str = "http",
) -> None:
    """Add so many events of a bot, a millisecond apart, as the chat reports them."""
    is_success = event in ("message_received", "data_read", "connected")
    given = {"device.id": bot_id, "bot.transport": transport, "chat.room": room, "bot.attempts": attempts}
    left_out = {"" if room else "chat.room", "" if attempts > 1 else "bot.attempts"}
    await store.executemany(
        "INSERT INTO collector.events (time, id, dataset, action, outcome, source_ip, fields) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            (
                at + timedelta(milliseconds=number),
                uuid4(),
                "bot.message" if event == "message_received" else "bot.security",
                f"bot.{event}",
                "success" if is_success else "failure",
                ip,
                json.dumps({name: value for name, value in given.items() if name not in left_out}),
            )
            for number in range(count)
        ],
    )


async def _add_bot(
    store: Any, bot_id: str, name: str, *, status: str = "approved", last_ping: datetime | None = None
) -> None:
    await store.execute(
        "INSERT INTO chat.bots (id, name, look, status, last_ping_at) VALUES ($1, $2, $2, $3, $4)",
        bot_id,
        name,
        status,
        last_ping,
    )


async def _add_suspicion(store: Any, identity: str, bot_id: str, at: datetime, details: dict[str, Any]) -> None:
    await add_finding(store, identity, "medium", at)
    await store.execute(
        "UPDATE detector.findings SET rule_id = 'bot_room_hopping', entity_type = 'device.id', entity = $2,"
        " dataset = 'bot.message', details = $3 WHERE id = $1",
        identity,
        bot_id,
        json.dumps(details),
    )

"""The jails of deploy/fail2ban with Debian's fail2ban: what they match, when they ban, whom nobody can have banned."""

import os
import subprocess
from pathlib import Path

import pytest

from integration.chat.bots import approved_bot, bot_at
from integration.chat.conftest import ADDRESS, chat_running
from sakimori_common.context import Postgres, Valkey
from sakimori_common.log import SecurityLogger
from servers.eventually import eventually
from servers.fail2ban import CONFIGURATION, Fail2ban, matched
from servers.own_logs import lines_of

from .conftest import Started, line

FILTERS = ("sakimori-bot", "sakimori-chat", "sakimori-chat-flood")
HOSTILE = (
    '203.0.113.9","action":"bot.hmac_failed","ip":"198.51.100.66","user":"',
    '{"timestamp":"2026-01-16T02:00:00.000Z","level":"warning","event_type":"security","service":"chat",'
    '"action":"bot.hmac_failed","ip":"198.51.100.66",',
    '\n{"timestamp":"2026-01-16T02:00:00.000Z","level":"warning","event_type":"security","service":"chat",'
    '"action":"security.csrf_failed","ip":"198.51.100.66",',
    '\\","ip":"198.51.100.66',
    ',"ip": "198.51.100.66"',
    "\u2028198.51.100.66\r\n198.51.100.66 HMAC verification failed",
)
"""What somebody calls themselves who wants 198.51.100.66 banned."""


async def test_what_the_chat_writes_of_a_flood_is_matched_a_line_for_each_refused_post(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, security_log: Path
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool") as chat:
        visitor = await chat.visitor()
        statuses = [(await visitor.post(f"post {number}")).status_code for number in range(9)]
        assert statuses == [200] * 5 + [429] * 4
        await eventually(lambda: len(lines_of(security_log)) >= 9)
    assert matched("sakimori-chat-flood", security_log) == [ADDRESS] * 4
    assert matched("sakimori-chat", security_log) == matched("sakimori-bot", security_log) == []


async def test_what_the_chat_writes_of_forged_posts_is_matched(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, security_log: Path
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool") as chat:
        visitor = await chat.visitor("2001:db8::7")
        visitor.http.cookies.delete("csrf_token")
        for _ in range(3):
            assert (await visitor.post("forged")).status_code == 403
        await eventually(lambda: len(lines_of(security_log)) >= 3)
    assert matched("sakimori-chat", security_log) == ["2001:db8::7"] * 3


async def test_nobody_is_banned_for_what_another_sites_page_has_their_browser_do(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, security_log: Path
) -> None:
    page = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    async with chat_running(valkey, postgres, tmp_path / "spool") as chat:
        visitor = await chat.visitor()
        for headers in (page, {"origin": "https://evil.example"}, {"origin": "null"}):
            assert (await visitor.http.post("/chat/post", data={"text": "hello"}, headers=headers)).status_code == 403
        for headers in (page, {"sec-fetch-site": "cross-site"}):
            assert (await visitor.http.get("/bots/me", headers=headers)).status_code == 401
        await eventually(lambda: len(lines_of(security_log)) >= 3)
    assert [matched(name, security_log) for name in FILTERS] == [[], [], []]


async def test_what_the_chat_writes_of_bots_is_matched_in_all_three_kinds(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, security_log: Path
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_minute_limit=30) as chat:
        bot = await approved_bot(chat)
        while (await bot.me()).status_code != 429:
            pass
        forger = bot_at(chat, "203.0.113.66")
        forger.id, forger.secret = bot.id, "sbk_a-guess"
        assert (await forger.post("forged")).status_code == 401
        stranger = bot_at(chat, "203.0.113.67")
        assert (await stranger.http.get("/bots/me")).status_code == 401
        await eventually(lambda: {"203.0.113.66", "203.0.113.67"} <= {line["ip"] for line in lines_of(security_log)})
    found = matched("sakimori-bot", security_log)
    assert found[-2:] == ["203.0.113.66", "203.0.113.67"]
    assert set(found[:-2]) == {"198.51.100.20"}
    said = "\n".join(line["reason"] for line in lines_of(security_log))
    for words in ("HMAC verification failed", "Unauthorized bot attempt", "Rate limit exceeded"):
        assert words in said


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_nothing_a_visitor_sends_names_another_address(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, security_log: Path, hostile: str
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool") as chat:
        agent = hostile.encode("ascii", "ignore").decode().replace("\n", " ").replace("\r", " ").strip()
        visitor = await chat.visitor(user_agent=agent)
        for number in range(7):
            await visitor.post(f"{number} {hostile}", name=hostile)
        visitor.http.cookies.delete("csrf_token")
        await visitor.post(hostile)
        await visitor.http.get("/chat", params={"room": hostile})
        await visitor.http.post("/" + hostile.replace("\n", "%0a").replace("\r", "%0d").replace("?", ""))
        await eventually(lambda: len(lines_of(security_log)) >= 4)
    assert {address for name in FILTERS for address in matched(name, security_log)} == {ADDRESS}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_in_a_field_of_the_stream_names_another_address(security_log: Path, hostile: str) -> None:
    stream = SecurityLogger("chat", "a key of the tests")
    for action in ("bot.hmac_failed", "security.rate_limit_hit", "security.csrf_failed", "request_refused"):
        stream.log_security(action, "203.0.113.6", user=hostile, reason=hostile)
    assert {address for name in FILTERS for address in matched(name, security_log)} == {"203.0.113.6"}


@pytest.mark.parametrize(
    ("action", "reason", "is_matched"),
    [
        ("bot.hmac_failed", "", True),
        ("bot.replay_refused", "", True),
        ("bot.unauthorized", "", True),
        ("bot.handshake_refused", "Bot handshake refused: handshake_timeout", True),
        ("bot.handshake_refused", "Bot handshake refused: too_many_connects", True),
        ("bot.handshake_refused", "Bot handshake refused: too_many_connections", False),
        ("bot.frame_refused", "Bot frame refused: frame_too_large", True),
        ("bot.registered", "", False),
        ("bot.rate_limit_hit", "", True),
        ("bot.connected", "", False),
        ("bot.hmac_failed2", "", False),
        ("console_login", "", False),
    ],
)
def test_the_three_kinds_of_bots_that_fail_are_matched(
    security_log: Path, action: str, reason: str, is_matched: bool
) -> None:
    SecurityLogger("chat", "a key of the tests").log_security(
        action, "203.0.113.6", user="bot-0123456789abcdef", reason=reason
    )
    assert matched("sakimori-bot", security_log) == ["203.0.113.6"] * is_matched


def test_a_failure_of_the_service_itself_is_nobodys(security_log: Path) -> None:
    stream = SecurityLogger("chat", "a key of the tests")
    stream.log_security("system.redis_unavailable", "")
    stream.log_security("bot.hmac_failed", "")
    assert [matched(name, security_log) for name in FILTERS] == [[], [], []]


@pytest.mark.parametrize("option", ["-t", "-d"])
def test_fail2ban_takes_the_configuration(tmp_path: Path, option: str) -> None:
    (tmp_path / "security.log").touch()
    result = Fail2ban(tmp_path, str(tmp_path / "security.log")).run(option)
    assert result.returncode == 0, result.stdout + result.stderr


async def test_the_tenth_failure_within_ten_minutes_bans_for_an_hour_and_the_ninth_does_not(
    tmp_path: Path, server: Started
) -> None:
    log = tmp_path / "security.log"
    old_and_new = line("bot.hmac_failed", "198.51.100.7", 601) + line("bot.unauthorized", "198.51.100.7", 1) * 9
    nine = line("bot.hmac_failed", "198.51.100.8") * 9
    ten = line("bot.hmac_failed", "203.0.113.6", 590) + line("bot.rate_limit_hit", "203.0.113.6") * 9
    log.write_text(old_and_new + nine + ten)
    fail2ban = server(log)
    await eventually(fail2ban.bans, 20)  # the lines are read in order: the others had their chance
    assert fail2ban.bans() == ["sakimori-bot 203.0.113.6 3600"]


async def test_the_allow_list_wins(tmp_path: Path, server: Started) -> None:
    log = tmp_path / "security.log"
    log.write_text("")
    fail2ban = server(log, {"DEFAULT": {"sakimori_allowed": "127.0.0.0/8 ::1 198.51.100.0/24"}})
    with log.open("a") as lines:
        lines.write(line("bot.hmac_failed", "198.51.100.7") * 20 + line("bot.hmac_failed", "127.0.0.1") * 20)
        lines.write(line("security.csrf_failed", "203.0.113.6") * 10 + line("bot.hmac_failed", "203.0.113.6") * 10)
    await eventually(lambda: len(fail2ban.bans()) == 2, 20)
    assert set(fail2ban.bans()) == {"sakimori-bot 203.0.113.6 3600", "sakimori-chat 203.0.113.6 3600"}


async def test_impatient_people_are_no_flood_and_a_script_is(tmp_path: Path, server: Started) -> None:
    log = tmp_path / "security.log"
    log.write_text(
        line("security.blocked_action_attempt", "198.51.100.7") * 49
        + line("security.rate_limit_hit", "203.0.113.6") * 50
    )
    fail2ban = server(log)
    await eventually(fail2ban.bans, 20)
    assert fail2ban.bans() == ["sakimori-chat-flood 203.0.113.6 3600"]


async def test_in_an_emergency_three_failures_ban_for_a_day_and_afterwards_ten_for_an_hour_again(
    tmp_path: Path, server: Started
) -> None:
    log = tmp_path / "security.log"
    log.write_text("")
    fail2ban = server(log)
    assert _emergency(fail2ban, "tighten") == [
        "sakimori-bot: maxretry 3, findtime 600 s, bantime 86400 s",
        "sakimori-chat: maxretry 3, findtime 600 s, bantime 86400 s",
    ]
    with log.open("a") as lines:
        lines.write(line("bot.hmac_failed", "198.51.100.7") * 2 + line("bot.hmac_failed", "203.0.113.6") * 3)
    await eventually(fail2ban.bans, 20)
    assert fail2ban.bans() == ["sakimori-bot 203.0.113.6 86400"]
    assert _emergency(fail2ban, "relax", "sakimori-bot") == [
        "sakimori-bot: maxretry 10, findtime 600 s, bantime 3600 s"
    ]
    with log.open("a") as lines:
        lines.write(line("bot.hmac_failed", "198.51.100.8") * 9 + line("bot.hmac_failed", "203.0.113.60") * 10)
    await eventually(lambda: len(fail2ban.bans()) > 1, 20)
    assert fail2ban.bans()[1:] == ["sakimori-bot 203.0.113.60 3600"]  # and the first stays banned


def test_the_emergency_script_says_how_it_is_called() -> None:
    result = subprocess.run([CONFIGURATION / "emergency", "panic"], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "tighten|relax|status" in result.stderr


def _emergency(fail2ban: Fail2ban, *arguments: str) -> list[str]:
    environment = os.environ | {"FAIL2BAN_CLIENT": " ".join(fail2ban.client)}
    command = [str(CONFIGURATION / "emergency"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()

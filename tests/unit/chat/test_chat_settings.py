from pathlib import Path

import pytest

from sakimori_chat.settings import ChatSettings, split_keys
from sakimori_common.settings import SettingsError, load_settings

LADDER = (30, 300, 3600, 86_400)
GIVEN = {
    "database_url": "postgresql://nobody@localhost/none",
    "valkey_url": "redis://localhost",
    "secret_key": "a key of the server, long enough",
    "edge_token": "the token of the gateway",
}


def test_the_defaults_are_those_of_the_requirements() -> None:
    settings = load_settings(ChatSettings, **GIVEN)
    assert (settings.port, settings.side_port) == (8001, 9201)
    assert (settings.post_limit, settings.post_window_seconds, settings.ban_ladder_seconds) == (5, 10, LADDER)
    assert settings.risk_limit == 8


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COOKIE_SECURE", "1")
    monkeypatch.setenv("CHAT_BAN_LADDER_SECONDS", "60,600")
    settings = load_settings(ChatSettings, **GIVEN)
    assert settings.cookie_secure
    assert settings.ban_ladder_seconds == (60, 600)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cookie_same_site": "none"}, "COOKIE_SECURE=1"),
        ({"secret_key": "short"}, "CHAT_SECRET_KEY"),
        ({"spool_dir": Path("relative")}, "CHAT_SPOOL_DIR"),
        ({"post_limit": 0}, "CHAT_POST_LIMIT"),
        ({"ban_ladder_seconds": ""}, "CHAT_BAN_LADDER_SECONDS"),
        ({"ban_ladder_seconds": "300,30"}, "CHAT_BAN_LADDER_SECONDS.*do not fall"),
        ({"ban_ladder_seconds": "30,forever"}, "CHAT_BAN_LADDER_SECONDS"),
        ({"never_block": "192.0.2.1/24"}, "CHAT_NEVER_BLOCK"),
        ({"origins": "chat.example"}, "CHAT_ORIGINS.*no origin"),
        ({"previous_secret_keys": "a key of sixteen characters,short"}, "CHAT_PREVIOUS_SECRET_KEYS"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_start(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(ChatSettings, **{**GIVEN, **wrong})


def test_cookies_for_other_sites_need_https() -> None:
    assert load_settings(ChatSettings, **GIVEN, cookie_same_site="none", cookie_secure=True).cookie_secure


def test_secrets_do_not_show() -> None:
    assert "long enough" not in repr(load_settings(ChatSettings, **GIVEN))


def test_lists_are_read_with_commas() -> None:
    settings = load_settings(
        ChatSettings,
        **GIVEN,
        never_block="192.0.2.0/24, 2001:db8::/32",
        origins="https://chat.example,https://talk.example:8443",
        previous_secret_keys="a key from the year before, and one from then",
    )
    assert [str(network) for network in settings.never_block] == ["192.0.2.0/24", "2001:db8::/32"]
    assert settings.origins == ("https://chat.example", "https://talk.example:8443")
    assert split_keys(settings.previous_secret_keys) == ("a key from the year before", "and one from then")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "chat.example"])  # noqa: S104
def test_the_debug_api_never_opens_where_others_can_reach_it(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG_MODE", "1")
    monkeypatch.setenv("BIND_HOST", host)
    with pytest.raises(SettingsError, match="DEBUG_MODE=1 needs BIND_HOST"):
        load_settings(ChatSettings, **GIVEN)
    monkeypatch.setenv("BIND_HOST", "127.0.0.1")
    assert load_settings(ChatSettings, **GIVEN).debug_mode


def test_the_ports_of_bots_are_read_with_commas_and_there_are_none_by_default() -> None:
    assert load_settings(ChatSettings, **GIVEN).bot_ports == ()
    assert load_settings(ChatSettings, **GIVEN, bot_ports="1481, 1491").bot_ports == (1481, 1491)
    with pytest.raises(SettingsError, match="CHAT_BOT_PORTS"):
        load_settings(ChatSettings, **GIVEN, bot_ports="1481-1483")


def test_a_certificate_of_the_ports_of_bots_needs_its_key() -> None:
    with pytest.raises(SettingsError, match="CHAT_BOT_CERTIFICATE and CHAT_BOT_KEY go together"):
        load_settings(ChatSettings, **GIVEN, bot_certificate="/etc/chat.pem")

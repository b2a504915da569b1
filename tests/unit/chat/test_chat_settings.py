from pathlib import Path

import pytest

from sakimori_chat.settings import ChatSettings
from sakimori_common.settings import SettingsError, load_settings

GIVEN = {
    "database_url": "postgresql://nobody@localhost/none",
    "valkey_url": "redis://localhost",
    "secret_key": "a key of the server, long enough",
    "edge_token": "the token of the gateway",
}


def test_the_defaults_are_those_of_the_requirements() -> None:
    settings = load_settings(ChatSettings, **GIVEN)
    assert (settings.port, settings.side_port) == (8001, 9201)
    assert (settings.post_limit, settings.post_window_seconds, settings.ban_seconds) == (5, 10, 30)
    assert settings.risk_limit == 8


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COOKIE_SECURE", "1")
    monkeypatch.setenv("CHAT_BAN_SECONDS", "60")
    settings = load_settings(ChatSettings, **GIVEN)
    assert settings.cookie_secure
    assert settings.ban_seconds == 60


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cookie_same_site": "none"}, "COOKIE_SECURE=1"),
        ({"secret_key": "short"}, "CHAT_SECRET_KEY"),
        ({"spool_dir": Path("relative")}, "CHAT_SPOOL_DIR"),
        ({"post_limit": 0}, "CHAT_POST_LIMIT"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_start(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(ChatSettings, **{**GIVEN, **wrong})


def test_cookies_for_other_sites_need_https() -> None:
    assert load_settings(ChatSettings, **GIVEN, cookie_same_site="none", cookie_secure=True).cookie_secure


def test_secrets_do_not_show() -> None:
    assert "long enough" not in repr(load_settings(ChatSettings, **GIVEN))

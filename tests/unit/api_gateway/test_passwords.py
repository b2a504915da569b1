"""User names, passwords and settings."""

import pytest

from sakimori_api_gateway.adapters.passwords import Argon2Passwords
from sakimori_api_gateway.domain.passwords import CredentialsError, check_password, check_user_name
from sakimori_api_gateway.settings import GatewaySettings
from sakimori_common.settings import SettingsError, load_settings


@pytest.mark.parametrize("name", ["a", "hanako", "j.doe-2_x", "0" * 64])
def test_user_names_are_plain(name: str) -> None:
    check_user_name(name)


@pytest.mark.parametrize("name", ["", "Hanako", "a b", "-a", "a" * 65, "a\n", "ｈanako"])
def test_other_user_names_are_refused(name: str) -> None:
    with pytest.raises(CredentialsError):
        check_user_name(name)


@pytest.mark.parametrize("password", ["short", "x" * 1025, "aaaaaaaaaaaaaa", "hanakohanako"])
def test_passwords_that_are_easy_to_guess_are_refused(password: str) -> None:
    with pytest.raises(CredentialsError):
        check_password("hanako", password)


async def test_a_password_is_hashed_by_argon2id_with_the_documented_parameters() -> None:
    passwords = Argon2Passwords()
    stored = await passwords.hash("correct horse battery")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await passwords.verify("correct horse battery", stored)
    assert not await passwords.verify("wrong horse battery", stored)
    assert not await passwords.verify("correct horse battery", None)
    assert not await passwords.verify("correct horse battery", "not a hash")


GIVEN = {
    "database_url": "postgresql://x",
    "valkey_url": "redis://x",
    "edge_token": "e" * 32,
    "jwt_secret": "s" * 32,
}


def test_settings_have_the_documented_defaults() -> None:
    settings = load_settings(GatewaySettings, **GIVEN)
    assert (settings.port, settings.side_port, settings.token_minutes) == (8000, 9206, 15)
    assert [str(network) for network in settings.never_block] == ["127.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"jwt_secret": "s" * 31}, "GATEWAY_JWT_SECRET"),
        ({"admin_password": "short"}, "GATEWAY_ADMIN_PASSWORD"),
        ({"edge_token": "e"}, "EDGE_TOKEN"),
        ({"trusted_proxies": "10.0.0.1/8"}, "GATEWAY_TRUSTED_PROXIES"),
    ],
)
def test_settings_that_are_unsafe_or_wrong_are_named(changes: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named) as caught:
        load_settings(GatewaySettings, **{**GIVEN, **changes})
    assert "s" * 31 not in str(caught.value)


def test_networks_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1")
    settings = load_settings(GatewaySettings, **GIVEN)
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "192.0.2.1/32"]

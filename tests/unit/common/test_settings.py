"""Settings from the environment: what is missing, wrong or mistyped is named."""

from typing import ClassVar

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from sakimori_common.settings import (
    ServiceSettings,
    SettingsError,
    exit_on_bad_settings,
    load_settings,
    variables,
)


class SampleSettings(ServiceSettings):
    """Settings of a service that there is not."""

    model_config = SettingsConfigDict(**{**ServiceSettings.model_config, "env_prefix": "SAMPLE_"})
    service: ClassVar[str] = "sample"

    window_seconds: int = Field(60, gt=0)
    api_key: SecretStr


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("BUS_URL", "DATABASE_URL", "VALKEY_URL", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hush@192.0.2.1/db")
    monkeypatch.setenv("VALKEY_URL", "redis://:hush@192.0.2.2")
    monkeypatch.setenv("SAMPLE_API_KEY", "hush")
    return monkeypatch


def test_settings_are_read_with_and_without_prefix(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SAMPLE_WINDOW_SECONDS", "5")
    environment.setenv("LOG_LEVEL", "DEBUG")
    settings = load_settings(SampleSettings)
    assert (settings.window_seconds, settings.log_level) == (5, "DEBUG")


def test_an_empty_variable_is_one_that_is_not_set(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SAMPLE_WINDOW_SECONDS", "")
    assert load_settings(SampleSettings).window_seconds == 60


def test_a_missing_secret_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("SAMPLE_API_KEY")
    with pytest.raises(SettingsError, match="SAMPLE_API_KEY: Field required"):
        load_settings(SampleSettings)


def test_a_shared_variable_is_named_without_prefix(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("DATABASE_URL")
    with pytest.raises(SettingsError, match=r"^DATABASE_URL: Field required"):
        load_settings(SampleSettings)


def test_a_wrong_value_is_named_and_not_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SAMPLE_WINDOW_SECONDS", "-5")
    with pytest.raises(SettingsError, match="SAMPLE_WINDOW_SECONDS: Input should be greater than 0"):
        load_settings(SampleSettings)


@pytest.mark.parametrize("name", ["BUS_URL", "DATABASE_URL", "VALKEY_URL"])
def test_a_url_of_an_unknown_kind_is_refused_without_its_password(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, "kafka://u:hush@192.0.2.1/")
    with pytest.raises(SettingsError, match=f"{name}: Value error, must begin with ") as failure:
        load_settings(SampleSettings)
    assert "hush" not in str(failure.value)


def test_a_mistyped_variable_is_refused_with_the_nearest(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SAMPLE_WINDOW_SECOND", "5")
    with pytest.raises(
        SettingsError, match="SAMPLE_WINDOW_SECOND: no such setting; did you mean SAMPLE_WINDOW_SECONDS"
    ):
        load_settings(SampleSettings)


def test_every_mistake_is_told_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SAMPLE_COLOUR", "red")
    environment.setenv("SAMPLE_WINDOW_SECONDS", "soon")
    environment.delenv("SAMPLE_API_KEY")
    with pytest.raises(SettingsError) as failure:
        load_settings(SampleSettings)
    assert len(str(failure.value).splitlines()) == 3


def test_another_services_variables_are_none_of_ours(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OTHER_COLOUR", "red")
    load_settings(SampleSettings)


def test_given_values_win_over_the_environment() -> None:
    settings = load_settings(SampleSettings, window_seconds=7, valkey_url="unix:///run/v")
    assert settings.window_seconds == 7
    assert settings.valkey_url.get_secret_value() == "unix:///run/v"


def test_secrets_are_not_shown() -> None:
    assert "hush" not in repr(load_settings(SampleSettings))


def test_bad_settings_end_the_process_with_status_2(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("SAMPLE_WINDOW_SECONDS", "soon")
    with pytest.raises(SystemExit) as stop:
        exit_on_bad_settings(SampleSettings)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("sample cannot start:\nSAMPLE_WINDOW_SECONDS: ")
    assert "Traceback" not in error


def test_variables_map_to_fields() -> None:
    names = variables(SampleSettings)
    assert names["BUS_URL"] == "bus_url"
    assert names["SAMPLE_SIDE_PORT"] == "side_port"
    assert names["SAMPLE_WINDOW_SECONDS"] == "window_seconds"

"""What every service's settings have in common, and how they are read.

A service's `settings.py` holds one frozen subclass of `ServiceSettings`. Its own variables carry the service's prefix
(`DETECTOR_RULES_DIR`); those below carry none, since all services share them.
"""

import difflib
import os
import sys
from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sakimori_common.log import Format, Level

S = TypeVar("S", bound="ServiceSettings")

_SCHEMES = {
    "bus_url": ("amqp", "amqps", "memory"),
    "database_url": ("postgresql", "postgres"),
    "valkey_url": ("redis", "rediss", "unix"),
}


def shared(name: str) -> AliasChoices:
    """Name a variable that carries no service prefix."""
    return AliasChoices(name)


class ServiceSettings(BaseSettings):
    """Settings of one service, from the environment only. Secrets have no default and are never shown."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True, use_attribute_docstrings=True
    )
    service: ClassVar[str]

    bus_url: SecretStr = Field(SecretStr("memory://"), validation_alias=shared("BUS_URL"))
    """Broker: `amqp://user:password@host:5672/` or, in one process only, `memory://`."""
    database_url: SecretStr = Field(validation_alias=shared("DATABASE_URL"))
    """PostgreSQL or TimescaleDB: `postgresql://user:password@host:5432/name`."""
    valkey_url: SecretStr = Field(validation_alias=shared("VALKEY_URL"))
    """Valkey or Redis: `redis://:password@host:6379/0` or `unix:///path`."""
    log_level: Level = Field("INFO", validation_alias=shared("LOG_LEVEL"))
    """Least severe log record that is written."""
    log_format: Format = Field("auto", validation_alias=shared("LOG_FORMAT"))
    """`json`, `console`, or `auto`: console on a terminal."""
    log_dir: Path | None = Field(None, validation_alias=shared("LOG_DIR"))
    """Folder for access.log, security.log, error.log and alert.log; none are written without. One process each."""
    log_max_bytes: int = Field(10_000_000, validation_alias=shared("LOG_MAX_BYTES"), ge=10_000)
    """Size at which one of these is set aside and a new one begun; so does each UTC day."""
    log_old_files: int = Field(5, validation_alias=shared("LOG_OLD_FILES"), ge=1, le=1000)
    """How many that were set aside are kept of each."""
    log_retention_days: int = Field(30, validation_alias=shared("LOG_RETENTION_DAYS"), ge=1, le=3650)
    """Days after which they are deleted; of security.log, where addresses stand as they are, 7 at most."""
    log_key: SecretStr | None = Field(None, validation_alias=shared("LOG_KEY"), min_length=16)
    """Secret with which addresses in the other logs are made pseudonyms; without it these change at each start."""
    host: str = Field("127.0.0.1", validation_alias=shared("BIND_HOST"))
    """Address the service's ports bind to; 0.0.0.0 inside a container."""
    start_timeout_seconds: float = Field(60.0, validation_alias=shared("START_TIMEOUT_SECONDS"), gt=0)
    """How long to wait at start for the broker, the database and Valkey before giving up."""
    side_port: int = Field(0, ge=0, le=65535)
    """Port of /live, /ready and /metrics; 0 takes a free one."""

    @field_validator("bus_url", "database_url", "valkey_url")
    @classmethod
    def _has_known_scheme(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        schemes = _SCHEMES[info.field_name or ""]
        if url.get_secret_value().partition(":")[0] not in schemes:
            raise ValueError(f"must begin with {' or '.join(f'{scheme}:' for scheme in schemes)}")
        return url


class SettingsError(Exception):
    """The environment does not describe a service that can start; the message says which variable and why."""


def load_settings(kind: type[S], **given: object) -> S:
    """Read settings from the environment; `given` wins over it (the all-in-one runner names its own servers so).

    Raises SettingsError that names each variable that is missing, wrong, or begins with the service's prefix and is
    known to no setting (pydantic-settings would ignore a typing mistake in silence).
    """
    problems = [_unknown(name, kind) for name in sorted(os.environ) if _is_stray(name, kind)]
    try:
        settings = kind(**given)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        problems += [_mistake(kind, e["loc"], e["msg"]) for e in error.errors()]
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def variables(kind: type[ServiceSettings]) -> dict[str, str]:
    """Map each environment variable of a settings class to its field, in the order they are declared."""
    return {variable_of(kind, name): name for name in kind.model_fields}


def variable_of(kind: type[ServiceSettings], field: str) -> str:
    """Name the environment variable of a field (or return a variable's name as it is)."""
    info = kind.model_fields.get(field)
    if info is None:
        return field
    alias = info.validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return (kind.model_config.get("env_prefix", "") + field).upper()


def _mistake(kind: type[ServiceSettings], location: tuple[int | str, ...], message: str) -> str:
    """Name the variable that is wrong; a check of several together names them itself."""
    return f"{variable_of(kind, str(location[0]))}: {message}" if location else message


def _is_stray(name: str, kind: type[ServiceSettings]) -> bool:
    prefix = kind.model_config.get("env_prefix", "").upper()
    return bool(prefix) and name.startswith(prefix) and name not in variables(kind)


def _unknown(name: str, kind: type[ServiceSettings]) -> str:
    near = difflib.get_close_matches(name, variables(kind), n=1)
    return f"{name}: no such setting" + (f"; did you mean {near[0]}?" if near else "")


def exit_on_bad_settings(kind: type[S]) -> S:
    """Load settings or end the process with status 2 and one line a mistake."""
    try:
        return load_settings(kind)
    except SettingsError as error:
        sys.stderr.write(f"{kind.service} cannot start:\n{error}\n")
        raise SystemExit(2) from None

"""Settings of the collector."""

import zoneinfo
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from sakimori_collector.domain.formats import AUTO
from sakimori_collector.domain.reading import UnknownFormat, check_format
from sakimori_common.settings import ServiceSettings, shared


@dataclass(frozen=True, slots=True)
class FollowedFiles:
    """One entry of COLLECTOR_FILES: a path or glob, and the format of its lines."""

    pattern: str
    format: str


class CollectorSettings(ServiceSettings):
    """Settings of the collector."""

    model_config = SettingsConfigDict(**{**ServiceSettings.model_config, "env_prefix": "COLLECTOR_"})
    service: ClassVar[str] = "collector"

    side_port: int = Field(9202, ge=0, le=65535)
    """Port of /live, /ready and /metrics; 0 takes a free one."""
    port: int = Field(8002, ge=0, le=65535)
    """Port of `POST /ingest`; 0 takes a free one."""
    ingest_token: SecretStr = Field(validation_alias=shared("INGEST_TOKEN"), min_length=16)
    """What agents show as `Authorization: Bearer ...`."""
    privacy_key: SecretStr = Field(validation_alias=shared("PRIVACY_KEY"), min_length=16)
    """With what the raw text of rejected lines is encrypted, and pseudonyms are made. Keep it: without it they stay so."""
    edge_token: SecretStr = Field(validation_alias=shared("EDGE_TOKEN"), min_length=16)
    """With what the gateway proves itself; only then are its `x-forwarded-for` and `x-request-id` believed."""
    files: str = ""
    """Files to follow, `/var/log/nginx/access.log=nginx.access,/var/log/auth*.log=openssh.auth`; the format may be left
    out (`auto`). Globs are looked at again all the time. One replica only: two would read every line twice."""
    timezone: str = "UTC"
    """Zone of syslog lines that name none, such as `Asia/Tokyo`."""
    max_body_bytes: int = Field(10_000_000, ge=1024, le=100_000_000)
    """Largest body of a request."""
    retention_days: int = Field(90, ge=1, le=36_500)
    """How long events and rejected lines are kept on plain PostgreSQL; TimescaleDB has its own policy (90 days)."""

    @field_validator("files")
    @classmethod
    def _known_formats(cls, value: str) -> str:
        try:
            parse_files(value)
        except UnknownFormat as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            raise ValueError(f"{value!r} is no time zone such as Asia/Tokyo") from None
        return value


def parse_files(text: str) -> list[FollowedFiles]:
    """Read COLLECTOR_FILES. Raises UnknownFormat."""
    followed = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        pattern, mark, name = entry.rpartition("=")
        if not mark:
            pattern, name = entry, AUTO
        followed.append(FollowedFiles(pattern.strip(), check_format(name.strip())))
    return followed

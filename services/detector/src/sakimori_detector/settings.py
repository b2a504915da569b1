"""Settings of the detector."""

import ipaddress
from pathlib import Path
from typing import ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from sakimori_common.settings import ServiceSettings


class DetectorSettings(ServiceSettings):
    """Settings of the detector."""

    model_config = SettingsConfigDict(**{**ServiceSettings.model_config, "env_prefix": "DETECTOR_"})
    service: ClassVar[str] = "detector"

    side_port: int = Field(9204, ge=0, le=65535)
    """Port of /live, /ready and /metrics; 0 takes a free one."""
    rules_dir: Path = Path("rules")
    """Folder of the rules; a change in it takes effect within two seconds."""
    time_zone: str = "Asia/Tokyo"
    """Zone of the local hours that rules speak of, as the tz database names it."""
    allowed_addresses: str = ""
    """Addresses and networks that are never blocked, separated by commas; loopback never is."""
    dry_run: bool = False
    """Decide, record and show, but have nobody enforce it."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is no time zone; one is Asia/Tokyo") from None
        return value

    @field_validator("allowed_addresses")
    @classmethod
    def _networks(cls, value: str) -> str:
        for entry in split(value):
            ipaddress.ip_network(entry, strict=False)
        return value

    @property
    def allowed_networks(self) -> list[str]:
        """The networks that are never blocked, loopback included."""
        return ["127.0.0.0/8", "::1/128", *split(self.allowed_addresses)]


def split(value: str) -> list[str]:
    """Split a comma-separated setting."""
    return [entry.strip() for entry in value.split(",") if entry.strip()]

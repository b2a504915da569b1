"""Settings of the detector."""

import ipaddress
from pathlib import Path
from typing import ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator
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
    lateness_seconds: int = Field(60, ge=0, le=3600)
    """How much later than newer ones events may come, of a rule and key, and still count as if in order."""
    allowed_addresses: str = ""
    """Addresses and networks, separated by commas, that are never blocked nor matched by an indicator, as those of
    rules/lists/allowed.txt; loopback never is."""
    feeds_dir: Path = Path("~/.local/share/sakimori/feeds")
    """Folder for the last good copies of the feeds of rules/intelligence/feeds.yml; replicas may share it."""
    feed_max_bytes: int = Field(32 * 1024 * 1024, ge=1024, le=1024**3)
    """Largest document of a feed, as it comes and unpacked."""
    feed_timeout_seconds: float = Field(60.0, gt=0)
    """How long a feed may take to give its document."""
    feed_secrets: SecretStr = SecretStr("")
    """What feeds with a `secret_header` want in it: `name=value`, separated by commas."""
    opinion_file: str = ""
    """Model of the second opinion on web payloads; empty takes the one that comes with the detector. One that cannot be
    used is logged and done without."""
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

    @field_validator("feeds_dir")
    @classmethod
    def _from_home(cls, folder: Path) -> Path:
        return folder.expanduser()

    @field_validator("feed_secrets")
    @classmethod
    def _named(cls, value: SecretStr) -> SecretStr:
        if any("=" not in entry for entry in split(value.get_secret_value())):
            raise ValueError("must be name=value, separated by commas")
        return value

    @field_validator("allowed_addresses")
    @classmethod
    def _networks(cls, value: str) -> str:
        for entry in split(value):
            ipaddress.ip_network(entry, strict=False)
        return value

    @property
    def secrets_of_feeds(self) -> dict[str, str]:
        """What each feed wants in its `secret_header`."""
        pairs = (entry.partition("=") for entry in split(self.feed_secrets.get_secret_value()))
        return {name.strip(): value.strip() for name, _, value in pairs}

    @property
    def allowed_networks(self) -> list[str]:
        """The networks that are never blocked, loopback included."""
        return ["127.0.0.0/8", "::1/128", *split(self.allowed_addresses)]


def split(value: str) -> list[str]:
    """Split a comma-separated setting."""
    return [entry.strip() for entry in value.split(",") if entry.strip()]

"""Settings of the packet-sensor."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from sakimori_common.settings import ServiceSettings, shared


class SensorSettings(ServiceSettings):
    """Settings of the packet-sensor."""

    model_config = SettingsConfigDict(**{**ServiceSettings.model_config, "env_prefix": "SENSOR_"})
    service: ClassVar[str] = "packet-sensor"

    side_port: int = Field(9203, ge=0, le=65535)
    """Port of /live, /ready and /metrics; 0 takes a free one."""
    port: int = Field(8003, ge=0, le=65535)
    """Port of `POST /captures`; 0 takes a free one."""
    edge_token: SecretStr = Field(validation_alias=shared("EDGE_TOKEN"), min_length=16)
    """With what the gateway proves itself; captures are taken from nobody else."""
    max_capture_bytes: int = Field(64 * 1024 * 1024, ge=1024, le=4 * 1024**3)
    """Largest upload, and how much is read of a compressed one at most."""
    spool_dir: Path = Path("/var/lib/sakimori/packet-sensor")
    """Folder of its own for uploads that are being read (`tmp`) and for what was read of SENSOR_CAPTURE_DIR. Made when
    missing."""
    capture_dir: Path | None = None
    """Folder to watch: each capture in it is read once it stopped growing. It may be read-only."""
    poll_seconds: float = Field(2.0, gt=0)
    """How often SENSOR_CAPTURE_DIR is looked at; a file is finished when it is the same at two looks."""
    max_flows: int = Field(100_000, ge=1)
    """Flows followed at once, some 600 bytes each; the one that was quiet for longest gives way, and is counted."""
    idle_seconds: int = Field(300, ge=1)
    """A flow ends after so long without a packet."""
    active_seconds: int = Field(1800, ge=1)
    """A flow that goes on is reported every so often."""

    @field_validator("capture_dir")
    @classmethod
    def _folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError(f"{value} is no folder")
        return value

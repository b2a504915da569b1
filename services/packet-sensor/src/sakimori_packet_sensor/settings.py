"""Settings of the packet-sensor."""

import re
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from sakimori_common.settings import ServiceSettings, shared

Interfaces = Annotated[tuple[str, ...], NoDecode]
Ports = Annotated[tuple[int, ...], NoDecode]

_INTERFACE = re.compile(r"[^/\s]{1,15}")
"""What Linux takes for a name (IFNAMSIZ)."""


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
    """Folder of its own for uploads that are being read (`tmp`), events that the bus could not take (`events`), the
    latest packets (`packets`) and what was read of SENSOR_CAPTURE_DIR. Made when missing."""
    capture_dir: Path | None = None
    """Folder to watch: each capture in it is read once it stopped growing. It may be read-only."""
    poll_seconds: float = Field(2.0, gt=0)
    """How often SENSOR_CAPTURE_DIR is looked at; a file is finished when it is the same at two looks."""
    interfaces: Interfaces = Field((), validation_alias=shared("NETWORK_INTERFACE"))
    """Interfaces to capture from, separated by commas, such as `eth0`; needs CAP_NET_RAW. Empty: no live capture."""
    capture_filter: str | None = Field(None, validation_alias=shared("CAPTURE_FILTER"))
    """What to capture, in the language of pcap-filter(7), such as `not port 22`; needs libpcap. Empty: everything."""
    monitored_ports: Ports = Field((), validation_alias=shared("MONITORED_PORTS"))
    """Ports, separated by commas, to which decoding beyond the headers is kept; flows with none of them are still
    reported. Empty: all, for a protocol is told by what it says and not by its port."""
    workers: int = Field(1, ge=1, le=64)
    """Capture processes an interface; they share its packets by flow. One takes a core at full load."""
    ring_bytes: int = Field(64 * 1024 * 1024, ge=1 << 20, le=4 * 1024**3)
    """Kernel memory of each worker for packets that are yet to be read."""
    promiscuous: bool = True
    """Whether to see packets that are meant for others, as on a mirror port."""
    packet_store_bytes: int = Field(256 * 1024 * 1024, ge=0)
    """Disk below SENSOR_SPOOL_DIR for the latest packets of each worker, to be had by GET /packets; 0 keeps none."""
    recordings_bytes: int = Field(1024 * 1024 * 1024, ge=1 << 20)
    """Disk below SENSOR_SPOOL_DIR for captures that operators start (POST /recordings); the oldest make room."""
    capture_python: Path | None = None
    """Interpreter for the processes that capture: a copy of this one that has the capability NET_RAW (setcap), where
    the service itself is to have none. Empty: the one that runs the service."""
    spool_bytes: int = Field(256 * 1024 * 1024, ge=1 << 16)
    """Disk below SENSOR_SPOOL_DIR for live events while the bus is away. From half of it on no new flows are followed
    (they are counted), so that those that are followed find room; below a quarter they are again."""
    max_flows: int = Field(100_000, ge=1)
    """Flows followed at once, some 600 bytes each; the one that was quiet for longest gives way, and is counted."""
    idle_seconds: int = Field(300, ge=1)
    """A flow ends after so long without a packet."""
    active_seconds: int = Field(1800, ge=1)
    """A flow that goes on is reported every so often."""

    @field_validator("interfaces", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
        if wrong := [name for name in names if not _INTERFACE.fullmatch(name)]:
            raise ValueError(f"{wrong[0]!r} cannot be the name of an interface")
        return names

    @field_validator("monitored_ports", mode="before")
    @classmethod
    def _ports(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if wrong := [part for part in parts if not (part.isdecimal() and int(part) <= 65_535)]:
            raise ValueError(f"{wrong[0]!r} is no port")
        return tuple(sorted({int(part) for part in parts}))

    @field_validator("capture_dir")
    @classmethod
    def _folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError(f"{value} is no folder")
        return value

"""Settings of the collector."""

import re
import zoneinfo
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from sakimori_collector.domain.enrichment.networks import parse_networks as trusted_networks
from sakimori_collector.domain.filters import parse_filter
from sakimori_collector.domain.formats import AUTO
from sakimori_collector.domain.privacy import CLASSES, SUBJECTS
from sakimori_collector.domain.reading import UnknownFormat, check_format
from sakimori_collector.domain.retention import parse_retention
from sakimori_collector.domain.wire.listening import parse_listeners
from sakimori_collector.domain.wire.peers import PRIVATE_NETWORKS, parse_networks, parse_peer_names
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
    """Port of `POST /ingest`, of Elasticsearch's bulk call and of Splunk's HEC; 0 takes a free one."""
    ingest_token: SecretStr = Field(validation_alias=shared("INGEST_TOKEN"), min_length=16)
    """What agents show as `Authorization: Bearer ...`."""
    privacy_key: SecretStr = Field(validation_alias=shared("PRIVACY_KEY"), min_length=16)
    """With what rejected lines are encrypted, and pseudonyms are made. Keep it: without it they stay so."""
    edge_token: SecretStr = Field(validation_alias=shared("EDGE_TOKEN"), min_length=16)
    """With what the gateway proves itself; only then are its `x-forwarded-for` and `x-request-id` believed."""
    files: str = ""
    """Files to follow, `/var/log/nginx/access.log=nginx.access,/var/log/auth*.log=openssh.auth`; the format may be left
    out (`auto`). Globs are looked at again all the time; rotated files (`.1`, `-20260116.gz`) are read as parts of the
    file they come from. Of several replicas one reads each file. Format `docker`: Docker's `*-json.log`."""
    multiline: dict[str, str] = Field(default_factory=dict)
    """By path or glob as in COLLECTOR_FILES: how the first line of a record begins, as JSON, `{"/var/log/app.log":
    "^\\d{4}-"}`. Lines that do not match it (by their first 256 characters) are joined to the one before."""
    journal: str = ""
    """The journal of systemd to follow: `system`, the folder of one (`/var/log/journal`; both need journalctl), or a
    file or named pipe in its export format. Empty: none."""
    node: str = ""
    """Name of the machine whose files these are, where several collectors with one database read files of their own."""
    quarantine_max_bytes: int = Field(1 << 30, ge=1 << 20)
    """What rejected lines may take in the database; beyond, the oldest are deleted."""
    timezone: str = "UTC"
    """Zone of syslog lines that name none, such as `Asia/Tokyo`."""
    max_body_bytes: int = Field(10_000_000, ge=1024, le=100_000_000)
    """Largest body of a request, as it comes and decompressed."""
    max_held_bytes: int = Field(128_000_000, ge=1_000_000)
    """Bodies that are worked on at once, in bytes; what comes beyond is answered 503."""
    tls_certificate: Path | None = None
    """PEM file of the certificate (and those between it and the root) that the port shows by TLS; without, plain
    HTTP."""
    tls_key: Path | None = None
    """PEM file of the certificate's private key."""
    silent_after_minutes: int = Field(15, ge=1, le=100_000)
    """A source that was seen regularly and then not for so long is told of; a source of a token may have its own."""
    retention_days: int = Field(90, ge=1, le=36_500)
    """How long events and rejected lines are kept, but for datasets that `COLLECTOR_RETENTION` names."""
    retention: str = ""
    """Days by dataset, or by how its name begins: `network.*=30,nginx.access=14`; the longest that fits decides.
    `network.*` is kept for 30 days, or COLLECTOR_RETENTION_DAYS if that is less, unless it is named here."""

    @model_validator(mode="after")
    def _has_both_or_none(self) -> "CollectorSettings":
        if (self.tls_certificate is None) is not (self.tls_key is None):
            raise ValueError("COLLECTOR_TLS_CERTIFICATE and COLLECTOR_TLS_KEY go together")
        return self

    syslog_udp: str = ""
    """Where to take syslog over UDP, `0.0.0.0:5514`; several with commas, each with a format of its own if all that is
    sent there has one: `0.0.0.0:5514,[::]:5515=nginx.access`. Empty: nowhere."""
    syslog_tcp: str = ""
    """Where to take syslog over TCP, in the same way; octet counting or newlines, as the sender does it."""
    syslog_tls: str = ""
    """Where to take syslog over TLS, in the same way; needs COLLECTOR_SYSLOG_TLS_CERTIFICATE."""
    gelf_udp: str = ""
    """Where to take GELF over UDP, in the same way, usually port 12201."""
    gelf_tcp: str = ""
    """Where to take GELF over TCP, in the same way."""
    syslog_tls_certificate: Path | None = None
    """PEM file of the certificate (and those between it and the root) of syslog over TLS."""
    syslog_tls_key: Path | None = None
    """PEM file of its private key; without, it stands in the file of the certificate."""
    syslog_tls_client_ca: Path | None = None
    """PEM file of authorities. With it, only clients with a certificate of theirs are let in to syslog over TLS."""
    peer_networks: str = PRIVATE_NETWORKS
    """Who may send syslog and GELF: networks and addresses; `0.0.0.0/0,::/0` for everybody."""
    peer_names: str = ""
    """Names under which senders are counted, `firewall=192.0.2.1,switches=198.51.100.0/24`; the others go under the
    kind of input. Few, please: each is a label of metrics."""
    peer_lines_per_second: int = Field(20_000, ge=0, le=10_000_000)
    """Most lines a second of one sender (twice as many at once); over UDP what is more is dropped and counted, over TCP
    the sender waits. 0: no limit."""
    max_message_bytes: int = Field(65_536, ge=480, le=1 << 20)
    """Longest syslog message; of a longer one the beginning is kept with the rejected lines."""
    max_connections: int = Field(1000, ge=1, le=100_000)
    """Connections a port of syslog or GELF serves at once."""
    idle_seconds: float = Field(3600.0, gt=0)
    """After so long without a word a connection of syslog or GELF is closed; amid a message after a minute."""
    udp_buffer_bytes: int = Field(8 << 20, ge=4096, le=1 << 30)
    """Room the kernel is asked for, for datagrams that wait; sysctl net.core.rmem_max bounds it."""
    spool_dir: Path = Path("~/.local/share/sakimori/collector-spool")
    """Folder for what comes by UDP while the bus or the database is away; absolute (or from ~), one per replica."""
    spool_bytes: int = Field(256 << 20, ge=1 << 16)
    """Size of the spool at which further lines are dropped (and counted); a quarter of it more for rejected lines."""

    mask: str = ",".join(CLASSES)
    """What is masked as `***` before anything is published or stored: `secrets` (passwords, tokens, keys, cookies),
    `cards`, `email` (the part before the @), `phone`; `none`: nothing."""
    subject_fields: str = ",".join(SUBJECTS)
    """Fields in which e-mail addresses and telephone numbers stay, since they are whom the event is about; `*` at the
    end stands for all that begin so."""
    hashed_fields: str = ""
    """Fields whose values are replaced by keyed hashes (of PRIVACY_KEY), everywhere in the event, such as
    `user.name,source.ip`. What is hashed can be counted and correlated, not blocked or looked up."""
    drop: str = ""
    """Events that nobody wants: `log.level=debug|trace; url.path=/healthz user_agent.original=kube-probe/*`. Rules are
    parted by `;`, all conditions of one must hold; `!=`, `|` between values and `*` in them are understood."""

    user_agents: bool = True
    """Whether programs are told by their user agent (`user_agent.name`, `sakimori.user_agent.class`); takes 40 MB."""
    networks: bool = True
    """Whether addresses get the kind of network they are in (`sakimori.known.source.network`), and two a direction."""
    trusted_networks: str = ""
    """Networks that are called `trusted`, and count as inside: `198.51.100.0/24,2001:db8::/32`."""
    geoip_files: str = ""
    """MMDB files with places and owners of addresses, `/var/lib/GeoIP/GeoLite2-City.mmdb,/...ASN.mmdb`; they are
    opened anew when they change."""
    assets_file: Path | None = None
    """CSV or TOML file that names your machines (docs/operations.md); read anew when it changes."""
    device_names: bool = True
    """Whether addresses get the devices that the packet sensor knows."""
    dns_names: bool = True
    """Whether addresses get the names that the packet sensor saw in DNS within a day."""

    @field_validator("trusted_networks")
    @classmethod
    def _known_trusted_networks(cls, value: str) -> str:
        trusted_networks(value)
        return value

    @field_validator("mask")
    @classmethod
    def _known_classes(cls, value: str) -> str:
        unknown = sorted(set(listed(value)) - set(CLASSES)) if value.strip() != "none" else []
        if unknown:
            raise ValueError(f"{unknown[0]!r} is none of {', '.join(CLASSES)}, and not `none`")
        return value

    @field_validator("drop")
    @classmethod
    def _readable_filter(cls, value: str) -> str:
        parse_filter(value)
        return value

    @field_validator("syslog_udp", "syslog_tcp", "syslog_tls", "gelf_udp", "gelf_tcp")
    @classmethod
    def _known_listeners(cls, value: str) -> str:
        parse_listeners(value)
        return value

    @field_validator("peer_networks")
    @classmethod
    def _known_networks(cls, value: str) -> str:
        parse_networks(value)
        return value

    @field_validator("peer_names")
    @classmethod
    def _known_names(cls, value: str) -> str:
        parse_peer_names(value)
        return value

    @field_validator("spool_dir")
    @classmethod
    def _independent_of_the_working_directory(cls, folder: Path) -> Path:
        absolute = folder.expanduser()
        if not absolute.is_absolute():
            raise ValueError("must be absolute: the service starts the same from any directory")
        return absolute

    @model_validator(mode="after")
    def _with_a_certificate(self) -> Self:
        if self.syslog_tls and self.syslog_tls_certificate is None:
            raise ValueError("COLLECTOR_SYSLOG_TLS needs COLLECTOR_SYSLOG_TLS_CERTIFICATE")
        return self

    @field_validator("multiline")
    @classmethod
    def _known_expressions(cls, value: dict[str, str]) -> dict[str, str]:
        for pattern, first in value.items():
            try:
                re.compile(first)
            except re.error as error:
                raise ValueError(f"{pattern}: {first!r} is no regular expression: {error}") from None
        return value

    @field_validator("files")
    @classmethod
    def _known_formats(cls, value: str) -> str:
        try:
            parse_files(value)
        except UnknownFormat as error:
            raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _can_read_retention(self) -> "CollectorSettings":
        parse_retention(self.retention, self.retention_days)
        return self

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            raise ValueError(f"{value!r} is no time zone such as Asia/Tokyo") from None
        return value


def listed(text: str) -> list[str]:
    """Read a setting that names several things, with commas between."""
    return [part.strip() for part in text.split(",") if part.strip()]


def parse_paths(text: str) -> list[Path]:
    """Read a setting that names several files, with commas between."""
    return [Path(part).expanduser() for part in listed(text)]


def parse_files(text: str) -> list[FollowedFiles]:
    """Read COLLECTOR_FILES. Raises UnknownFormat."""
    followed = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        pattern, mark, name = entry.rpartition("=")
        if not mark:
            pattern, name = entry, AUTO
        followed.append(FollowedFiles(pattern.strip(), check_format(name.strip())))
    return followed

"""Settings of the chat."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from sakimori_chat.domain.identity import Network, parse_networks
from sakimori_chat.domain.origins import parse_origins
from sakimori_common.settings import ServiceSettings, shared

MIN_KEY_CHARACTERS = 16
Networks = Annotated[tuple[Network, ...], NoDecode]
Origins = Annotated[tuple[str, ...], NoDecode]
Ports = Annotated[tuple[Annotated[int, Field(ge=0, le=65535)], ...], NoDecode]
Seconds = Annotated[tuple[Annotated[float, Field(gt=0, le=7 * 86_400)], ...], NoDecode]


class ChatSettings(ServiceSettings):
    """Settings of the chat; the figures are those of requirement C0-2."""

    model_config = SettingsConfigDict(
        **{**ServiceSettings.model_config, "env_prefix": "CHAT_", "validate_default": True}
    )
    service: ClassVar[str] = "chat"

    port: int = Field(8001, ge=0, le=65535)
    """Port of the chat; the gateway passes /chat on to it. 0 takes a free one."""
    side_port: int = Field(9201, ge=0, le=65535)
    """Port of /live, /ready and /metrics; 0 takes a free one."""
    secret_key: SecretStr = Field(min_length=MIN_KEY_CHARACTERS)
    """Signs identities and keys the hashes of addresses and browsers; at least 16 characters. Replicas share it."""
    previous_secret_keys: SecretStr = SecretStr("")
    """What CHAT_SECRET_KEY was before, commas between: identities signed with it go on and are signed anew."""
    edge_token: SecretStr = Field(validation_alias=shared("EDGE_TOKEN"), min_length=16)
    """How the gateway proves itself; only then is its word on the client's address believed."""
    cookie_secure: bool = Field(False, validation_alias=shared("COOKIE_SECURE"))
    """1 where the edge speaks HTTPS: every cookie is then Secure. 0 for plain HTTP on a local machine."""
    cookie_same_site: Literal["lax", "strict", "none"] = "lax"
    """SameSite of every cookie; `none` needs COOKIE_SECURE=1."""
    post_limit: int = Field(5, ge=1)
    """Posts that one identity may make within the window; the next one is refused and bans it."""
    post_window_seconds: float = Field(10.0, gt=0)
    """Length of the sliding window of all post limits."""
    ban_ladder_seconds: Seconds = (30.0, 300.0, 3600.0, 86_400.0)
    """How long an identity is banned that went over its limit: the first time, the second, ...; the last stays."""
    ban_memory_seconds: float = Field(86_400.0, ge=1, le=30 * 86_400)
    """Quiet time after a ban for which the identity's next one falls back by one step."""
    fingerprint_post_limit: int = Field(20, ge=1)
    """Posts per window from one address and browser, whatever identities it shows (they cost nothing to drop)."""
    address_post_limit: int = Field(60, ge=1)
    """Posts per window from one address (IPv6: one /64 network)."""
    throttled_post_limit: int = Field(1, ge=1)
    """Posts per window of an identity, fingerprint or address that a decision throttles."""
    new_identity_limit: int = Field(100, ge=1)
    """Identities that may post for the first time from one address (IPv6: /64) within their window."""
    new_identity_window_seconds: float = Field(600.0, gt=0, le=86_400)
    """Length of the sliding window of CHAT_NEW_IDENTITY_LIMIT."""
    never_block: Networks = ()
    """Networks that nothing bans or blocks, such as the operators' own; the posting limits hold for them as well."""
    origins: Origins = ()
    """Origins besides the chat's own whose pages may post and listen (`https://chat.example`), commas between."""
    events_with_text: bool = False
    """1 puts the text of messages into their events (`chat.message.text`), and so into the store and its backups."""
    requests_per_second: float = Field(100.0, gt=0)
    """Requests that one network may make on the whole, a second's worth at once; more are refused at the door."""
    posts_per_second: float = Field(10.0, gt=0)
    """The same of posts to rooms, three seconds' worth at once. Keep it above CHAT_ADDRESS_POST_LIMIT by its window."""
    bot_ports: Ports = ()
    """TCP ports at which bots may connect besides WebSocket, such as 1481,1482,1483,1491,1492,1493; none without."""
    bot_certificate: Path | None = None
    """PEM file of the certificate (and those between it and the root) that these ports show by TLS; else in clear."""
    bot_key: Path | None = None
    """PEM file of the certificate's private key."""
    bot_connections: int = Field(100, ge=1, le=1000)
    """Bots that may be connected to one replica at once, by WebSocket and TCP together."""
    bot_connects_per_minute: int = Field(10, ge=1)
    """Connections of bots from one address (IPv6: /64) within a minute; then it waits 30 s, 5 minutes, an hour."""
    bot_handshake_seconds: float = Field(10.0, gt=0, le=60)
    """How long a connection may take to say who it is."""
    bot_frame_seconds: float = Field(10.0, gt=0, le=60)
    """How long a frame may take from its first byte to its last, at the TCP ports."""
    bot_session_seconds: float = Field(3600.0, gt=0, le=86_400)
    """How long a bot's session lasts; then it connects and proves itself anew."""
    bot_ping_seconds: float = Field(30.0, gt=0, le=300)
    """From one ping of a connected bot to the next; the first comes at random within that time."""
    bot_ping_timeout_seconds: float = Field(90.0, gt=0)
    """After so long without an answer to a ping a bot counts as gone, and its connection is closed."""
    bot_read_timeout_seconds: float = Field(600.0, gt=0)
    """After so long without any frame of a bot its connection is closed."""
    live_connections: int = Field(5_000, ge=1)
    """WebSockets that this replica holds for browsers; more are refused."""
    live_connections_per_address: int = Field(50, ge=1)
    """WebSockets that one address (IPv6: one /64 network) may hold at this replica."""
    live_frames_per_second: float = Field(5.0, gt=0)
    """Frames that a browser may send by WebSocket, four seconds' worth at once; more close its connection."""
    live_buffer_bytes: int = Field(512 * 1024, ge=64 * 1024)
    """Bytes that may wait for a slow listener; beyond that it is sent away and comes back when it can."""
    live_ping_seconds: float = Field(20.0, gt=0)
    """From one ping of a WebSocket to the next, and how long its answer may take before the connection is cut."""
    risk_limit: float = Field(8.0, gt=0)
    """Risk of a fingerprint, as the detector adds it up, from which on it may not post."""
    events_per_second: int = Field(10, ge=1)
    """Security events of one kind from one address that are published one by one each second; more become one count."""
    bot_minute_limit: int = Field(300, ge=1)
    """Requests and frames of one bot in each minute of the clock; the next one is refused."""
    bot_hour_limit: int = Field(10_000, ge=1)
    """The same in each hour."""
    bot_day_limit: int = Field(100_000, ge=1)
    """The same in each day (UTC)."""
    bot_secret_overlap_seconds: float = Field(86_400.0, ge=0, le=30 * 86_400)
    """How long a bot's secret stays good after it got a new one."""
    bot_pending_limit: int = Field(100, ge=1, le=10_000)
    """Bots that may wait for an operator at once; while so many do no further one can register."""
    bot_pending_seconds: float = Field(7 * 86_400.0, ge=60)
    """How long a registration waits for an operator before it is forgotten."""
    bot_registrations_per_address: int = Field(5, ge=1)
    """Registrations of bots from one network (IPv6: /64) within an hour."""
    bot_registrations_per_hour: int = Field(60, ge=1)
    """Registrations of bots from everywhere within an hour."""
    bot_rotations_per_hour: int = Field(5, ge=1)
    """How often a bot may get itself a new secret within an hour."""
    bot_forgeries_per_minute: int = Field(30, ge=1)
    """Wrong signatures of one network within a minute that are answered 401; more are answered 429."""
    debug_mode: bool = Field(False, validation_alias=shared("DEBUG_MODE"))
    """1 opens the debug API below /debug; only with BIND_HOST on loopback, and only to this machine."""
    debug_admin_token: SecretStr = Field(SecretStr(""), validation_alias=shared("DEBUG_ADMIN_TOKEN"))
    """What the debug API wants as X-Admin-Token; while it is empty nobody gets in."""
    spool_dir: Path = Path("~/.local/share/sakimori/chat-spool")
    """Folder for security events that the bus could not take; absolute (or from ~), one per replica."""
    spool_bytes: int = Field(64 * 1024 * 1024, ge=1024)
    """Size of the spool at which further events are dropped (and counted)."""

    @field_validator("previous_secret_keys")
    @classmethod
    def _keys_of_some_length(cls, keys: SecretStr) -> SecretStr:
        if any(len(key) < MIN_KEY_CHARACTERS for key in split_keys(keys)):
            raise ValueError(f"each key has at least {MIN_KEY_CHARACTERS} characters")
        return keys

    @field_validator("ban_ladder_seconds", "bot_ports", mode="before")
    @classmethod
    def _steps(cls, value: object) -> object:
        return tuple(value.split(",")) if isinstance(value, str) else value

    @field_validator("ban_ladder_seconds")
    @classmethod
    def _rising(cls, ladder: tuple[float, ...]) -> tuple[float, ...]:
        if not ladder or list(ladder) != sorted(ladder) or len(ladder) > 16:
            raise ValueError("1 to 16 steps that do not fall, such as 30,300,3600,86400")
        return ladder

    @field_validator("never_block", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        return parse_networks(value) if isinstance(value, str) else value

    @field_validator("origins", mode="before")
    @classmethod
    def _origins(cls, value: object) -> object:
        return parse_origins(value) if isinstance(value, str) else value

    @field_validator("spool_dir")
    @classmethod
    def _independent_of_the_working_directory(cls, folder: Path) -> Path:
        absolute = folder.expanduser()
        if not absolute.is_absolute():
            raise ValueError("must be absolute: the service starts the same from any directory")
        return absolute

    @model_validator(mode="after")
    def _certificate_has_a_key(self) -> Self:
        if (self.bot_certificate is None) is not (self.bot_key is None):
            raise ValueError("CHAT_BOT_CERTIFICATE and CHAT_BOT_KEY go together")
        return self

    @model_validator(mode="after")
    def _debugs_on_loopback_only(self) -> Self:
        if self.debug_mode and self.host not in {"127.0.0.1", "::1", "localhost"}:
            raise ValueError(f"DEBUG_MODE=1 needs BIND_HOST=127.0.0.1 (or ::1), not {self.host}: it lifts bans")
        return self

    @model_validator(mode="after")
    def _browsers_take_the_cookies(self) -> Self:
        if self.cookie_same_site == "none" and not self.cookie_secure:
            raise ValueError("CHAT_COOKIE_SAME_SITE=none needs COOKIE_SECURE=1: browsers refuse such cookies")
        return self


def split_keys(keys: SecretStr) -> tuple[str, ...]:
    """Take CHAT_PREVIOUS_SECRET_KEYS apart."""
    return tuple(filter(None, (key.strip() for key in keys.get_secret_value().split(","))))

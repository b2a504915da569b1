"""Settings of the chat."""

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from sakimori_common.settings import ServiceSettings, shared


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
    secret_key: SecretStr = Field(min_length=16)
    """Signs identities and keys the hashes of addresses and browsers; at least 16 characters. Replicas share it."""
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
    ban_seconds: float = Field(30.0, gt=0)
    """How long an identity is banned that went over its limit."""
    fingerprint_post_limit: int = Field(20, ge=1)
    """Posts per window from one address and browser, whatever identities it shows (they cost nothing to drop)."""
    address_post_limit: int = Field(60, ge=1)
    """Posts per window from one address (IPv6: one /64 network)."""
    requests_per_second: float = Field(100.0, gt=0)
    """Requests that one network may make on the whole, three seconds' worth at once; more are refused at the door."""
    posts_per_second: float = Field(30.0, gt=0)
    """The same of posts to rooms. Their own limits are stricter; this one keeps a flood from costing others time."""
    risk_limit: float = Field(8.0, gt=0)
    """Risk of a fingerprint, as the detector adds it up, from which on it may not post."""
    events_per_second: int = Field(10, ge=1)
    """Security events of one kind from one address that are published one by one each second; more become one count."""
    spool_dir: Path = Path("~/.local/share/sakimori/chat-spool")
    """Folder for security events that the bus could not take; absolute (or from ~), one per replica."""
    spool_bytes: int = Field(64 * 1024 * 1024, ge=1024)
    """Size of the spool at which further events are dropped (and counted)."""

    @field_validator("spool_dir")
    @classmethod
    def _independent_of_the_working_directory(cls, folder: Path) -> Path:
        absolute = folder.expanduser()
        if not absolute.is_absolute():
            raise ValueError("must be absolute: the service starts the same from any directory")
        return absolute

    @model_validator(mode="after")
    def _browsers_take_the_cookies(self) -> Self:
        if self.cookie_same_site == "none" and not self.cookie_secure:
            raise ValueError("CHAT_COOKIE_SAME_SITE=none needs COOKIE_SECURE=1: browsers refuse such cookies")
        return self

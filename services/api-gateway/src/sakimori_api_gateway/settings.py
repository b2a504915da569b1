"""Settings of the API gateway."""

from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from sakimori_api_gateway.domain.addresses import Network, parse_networks
from sakimori_api_gateway.domain.passwords import MIN_PASSWORD_CHARACTERS
from sakimori_common.settings import ServiceSettings, shared

MIN_SECRET_CHARACTERS = 32
"""HS256 wants a key at least as long as its hash (RFC 7518, 3.2)."""

Networks = Annotated[tuple[Network, ...], NoDecode]


class GatewaySettings(ServiceSettings):
    """Settings of the API gateway."""

    model_config = SettingsConfigDict(**{**ServiceSettings.model_config, "env_prefix": "GATEWAY_"})
    service: ClassVar[str] = "api-gateway"

    port: int = Field(8000, ge=0, le=65535)
    """Port of the API, the pages and the proxy; 0 takes a free one."""
    side_port: int = Field(9206, ge=0, le=65535)
    """Port of /live, /ready and /metrics; 0 takes a free one."""
    jwt_secret: SecretStr = Field(min_length=MIN_SECRET_CHARACTERS)
    """Key that signs operators' tokens, at least 32 characters; the same on every replica."""
    admin_password: SecretStr | None = Field(None, min_length=MIN_PASSWORD_CHARACTERS)
    """Password of the user `admin`, who is created when there is no user yet; at least 12 characters."""
    chat_url: str = "http://127.0.0.1:8001"
    """Where /chat and /bots are passed on to, WebSockets too."""
    collector_url: str = "http://127.0.0.1:8002"
    """Where /ingest is passed on to."""
    sensor_url: str = "http://127.0.0.1:8003"
    """Where /api/v1/captures is passed on to."""
    edge_token: SecretStr = Field(validation_alias=shared("EDGE_TOKEN"), min_length=16)
    """What the gateway proves itself with to the services behind it."""
    max_tunnels: int = Field(5000, ge=1)
    """WebSockets that may be open through to the chat at once; each takes two file descriptors."""
    trusted_proxies: Networks = ()
    """Networks of proxies in front of the gateway whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    never_block: Networks = parse_networks("127.0.0.0/8,::1/128")
    """Networks that no decision locks out, so that operators can always lift it."""
    visitor_requests_per_second: float = Field(100.0, gt=0)
    """Requests of people and bots that one network may make, a second's worth at once; more are refused (429)."""
    cookie_secure: bool = Field(False, validation_alias=shared("COOKIE_SECURE"))
    """Whether clients come by HTTPS: sends HSTS and redirects what a trusted proxy took by plain HTTP."""
    token_minutes: int = Field(15, ge=1, le=60)
    """How long a token is good for."""
    login_window_seconds: int = Field(300, ge=1, le=86_400)
    """Window of both login limits."""
    login_attempts_per_address: int = Field(20, ge=1)
    """Logins that one address may try in a window, whether they succeed or not."""
    login_failures_per_user: int = Field(10, ge=1)
    """Failed logins in a window after which a user name is refused; those from GATEWAY_NEVER_BLOCK do not count."""
    refresh_seconds: float = Field(30.0, gt=0, le=300)
    """How often active blocks are read from the database again, and unpublished decisions are published."""

    @field_validator("trusted_proxies", "never_block", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        return parse_networks(value) if isinstance(value, str) else value

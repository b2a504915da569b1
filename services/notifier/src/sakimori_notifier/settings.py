"""Settings of the notifier."""

from typing import ClassVar

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from sakimori_common.settings import ServiceSettings, shared
from sakimori_notifier.domain.routing import DEFAULT_ROUTES, RouteError, parse_routes


class NotifierSettings(ServiceSettings):
    """Settings of the notifier; a channel without its URL is off, the console never is."""

    model_config = SettingsConfigDict(**{**ServiceSettings.model_config, "env_prefix": "NOTIFIER_"})
    service: ClassVar[str] = "notifier"

    side_port: int = Field(9205, ge=0, le=65535)
    """Port of /live, /ready and /metrics; 0 takes a free one."""
    slack_webhook_url: SecretStr | None = Field(None, validation_alias=shared("SLACK_WEBHOOK_URL"))
    """Slack Incoming Webhook."""
    discord_webhook_url: SecretStr | None = Field(None, validation_alias=shared("DISCORD_WEBHOOK_URL"))
    """Discord webhook."""
    webhook_url: SecretStr | None = None
    """Any HTTP endpoint: gets the finding itself as JSON."""
    webhook_token: SecretStr | None = None
    """Sent to `NOTIFIER_WEBHOOK_URL` as a bearer token."""
    smtp_url: SecretStr | None = None
    """Mail server: `smtp://user:password@host:587` (STARTTLS where offered) or `smtps://...:465`."""
    alert_email: str = Field("", validation_alias=shared("ALERT_EMAIL"))
    """Recipients of mail, separated by commas."""
    email_from: str = "sakimori@localhost"
    """Sender of mail."""
    routes: str = DEFAULT_ROUTES
    """Which severity goes where, `critical=console,email,slack;high=console,email;...`; `chat` adds."""
    suppress_seconds: int = Field(300, ge=0)
    """How long a notice of the same rule about the same entity is not repeated on a channel."""
    attempts: int = Field(8, ge=1, le=50)
    """How often a delivery is tried before it goes to the dead letters."""
    retry_seconds: float = Field(1.0, gt=0)
    """First back-off after a failed try; doubles up to a minute. A Retry-After of the receiver wins."""
    language: str = Field("ja", pattern="^(ja|en)$")
    """Language of the headings of a notice."""

    @field_validator("routes")
    @classmethod
    def _known_routes(cls, value: str) -> str:
        try:
            parse_routes(value)
        except RouteError as error:
            raise ValueError(str(error)) from None
        return value

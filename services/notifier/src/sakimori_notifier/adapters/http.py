"""Slack, Discord and any other HTTP receiver: one way to post, three bodies."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from sakimori_common.contracts import Finding
from sakimori_notifier.domain.backoff import parse_retry_after
from sakimori_notifier.domain.notice import discord_body, slack_body
from sakimori_notifier.ports import DeliveryFailed, DeliveryRefused

TIMEOUT_SECONDS = 10.0
TRANSIENT_STATUS = frozenset({408, 409, 425, 429})

Render = Callable[[Finding], Mapping[str, Any]]


def http_client() -> httpx.AsyncClient:
    """Make the client of all HTTP channels: no redirects (a webhook does not move), no proxies from the environment."""
    return httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False)


class HttpChannel:
    """Posts a body as JSON. 2xx is delivered; 5xx, 408, 409, 425, 429 and silence come again; the rest is final."""

    def __init__(
        self, name: str, url: str, render: Render, client: httpx.AsyncClient, headers: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._url = url
        self._render = render
        self._client = client
        self._headers = {"content-type": "application/json", **(headers or {})}

    async def send(self, finding: Finding) -> None:
        """Post the notice. Raises DeliveryFailed or DeliveryRefused with the status only: the URL is a secret."""
        body = msgspec.json.encode(self._render(finding))
        try:
            async with self._client.stream("POST", self._url, content=body, headers=self._headers) as response:
                status, retry_after = response.status_code, response.headers.get("retry-after")
        except httpx.HTTPError as error:
            raise DeliveryFailed(type(error).__name__) from None
        except httpx.InvalidURL:
            raise DeliveryRefused("the URL of the webhook is no URL") from None
        if 200 <= status < 300:
            return
        if status >= 500 or status in TRANSIENT_STATUS:
            raise DeliveryFailed(f"HTTP {status}", parse_retry_after(retry_after, datetime.now(UTC)))
        raise DeliveryRefused(f"HTTP {status}")


def slack(url: str, language: str, client: httpx.AsyncClient) -> HttpChannel:
    """Make the channel of a Slack Incoming Webhook."""
    return HttpChannel("slack", url, lambda finding: slack_body(finding, language), client)


def discord(url: str, language: str, client: httpx.AsyncClient) -> HttpChannel:
    """Make the channel of a Discord webhook."""
    return HttpChannel("discord", url, lambda finding: discord_body(finding, language), client)


def webhook(url: str, token: str | None, client: httpx.AsyncClient) -> HttpChannel:
    """Make the channel that posts the finding itself (the flat object of the API)."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return HttpChannel("webhook", url, msgspec.to_builtins, client, headers)

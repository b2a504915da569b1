"""Which datasets a rule's log source means (docs/reference/fields.md)."""

import re
from dataclasses import dataclass
from typing import Final

from sakimori_detector.domain.normalise import DECODED_FIELD, decode_request
from sakimori_detector.sigma.batch import Derived


@dataclass(frozen=True, slots=True)
class LogSource:
    """A log source as Sigma names it; what a rule leaves out, it does not ask for."""

    category: str | None = None
    product: str | None = None
    service: str | None = None

    def __str__(self) -> str:
        parts = {"category": self.category, "product": self.product, "service": self.service}
        return ", ".join(f"{name}: {value}" for name, value in parts.items() if value is not None)


LOG_SOURCES: Final[dict[str, LogSource]] = {
    "nginx.access": LogSource("webserver", "nginx", "access"),
    "apache.access": LogSource("webserver", "apache", "access"),
    "openssh.auth": LogSource("authentication", "linux", "sshd"),
    "gateway.auth": LogSource("authentication", "sakimori", "sakimori"),
    "chat.message": LogSource("chat", "sakimori", "chat"),
    "chat.security": LogSource("chat", "sakimori", "chat"),
    "bot.message": LogSource("bot", "sakimori", "bot"),
    "bot.security": LogSource("bot", "sakimori", "bot"),
    "network.flow": LogSource("network_connection", "sakimori", "flow"),
    "network.dns": LogSource("dns", "sakimori", "dns"),
    "network.device": LogSource("device", "sakimori", "device"),
    "sakimori.finding": LogSource("finding", "sakimori", "finding"),
}
"""What each dataset is, so that `{product: linux, service: sshd}` finds the same events as `{category: ...}`."""

WEB_DATASETS: Final = frozenset({"nginx.access", "apache.access"})
"""Those whose events get the decoded request."""


def datasets_of(asked: LogSource) -> tuple[str, ...]:
    """List the datasets that have all that a log source asks for; empty when there is none."""
    return tuple(
        dataset
        for dataset, has in LOG_SOURCES.items()
        if asked.category in {None, has.category}
        and asked.product in {None, has.product}
        and asked.service in {None, has.service}
    )


def fits(asked: LogSource, dataset: str, category: str | None) -> bool:
    """Say whether events of a dataset that nobody knows are meant: each part that is asked for is named by them.

    Parts are looked for among those of the dataset's name (`haproxy.log` has two) and in `event.category`.
    """
    names = {*re.split(r"[._-]", dataset.lower()), dataset.lower(), (category or "").lower()}
    parts = [part.lower() for part in (asked.category, asked.product, asked.service) if part is not None]
    return bool(parts) and all(part in names or _CATEGORIES.get(part) in names for part in parts)


_CATEGORIES: Final = {
    "webserver": "web",
    "proxy": "web",
    "network_connection": "network",
    "firewall": "network",
    "process_creation": "process",
    "file_event": "file",
    "registry_set": "registry",
}
"""What ECS calls in `event.category` what Sigma calls otherwise."""


def canonical(source: LogSource, name: str) -> str:
    """Give the ECS name of a field of the Sigma taxonomy; a name that is none of those stays as it is."""
    return name


ALIASES: Final[dict[str, tuple[str, ...]]] = {}
"""ECS names to the names that events of a source that was not mapped may have instead."""


def derived_fields(dataset: str) -> Derived:
    """Name the fields that are made of others before rules see an event of this dataset."""
    return {DECODED_FIELD: decode_request} if dataset in WEB_DATASETS else {}

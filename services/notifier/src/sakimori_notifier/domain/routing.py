"""Which channels hear of a finding (S1-40..S1-42, X-09), and which notices say the same thing."""

from collections.abc import Mapping

from sakimori_common.contracts import Finding, Severity
from sakimori_common.ids import stable_id

CHANNELS = ("console", "email", "slack", "discord", "webhook")

DEFAULT_ROUTES = (
    "critical=console,email,slack,discord,webhook;"
    "high=console,email,webhook;"
    "medium=console,webhook;"
    "low=console,webhook;"
    "info=webhook;"
    "chat=discord"
)
"""Mail and Slack are for what cannot wait; Discord, where the chat's people are, hears everything about the chat."""

Routes = Mapping[str, tuple[str, ...]]


class RouteError(ValueError):
    """A routing table cannot be read; the message says which part and what is allowed."""


def parse_routes(text: str) -> Routes:
    """Read `severity=channel,channel;...`; `chat` adds channels for findings of the chat. Raises RouteError."""
    allowed = [*Severity, "chat"]
    routes: dict[str, tuple[str, ...]] = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        name, separator, channels = part.partition("=")
        if not separator or name not in allowed:
            raise RouteError(f"{part!r}: begin with one of {', '.join(allowed)} and =")
        named = tuple(channel.strip() for channel in channels.split(",") if channel.strip())
        unknown = [channel for channel in named if channel not in CHANNELS]
        if unknown:
            raise RouteError(f"{unknown[0]!r} is no channel: {', '.join(CHANNELS)}")
        routes[name] = named
    return routes


def channels_for(finding: Finding, routes: Routes) -> tuple[str, ...]:
    """List the channels that hear of a finding, each once, in the order of CHANNELS."""
    chosen = set(routes.get(finding.severity, ()))
    if finding.dataset.startswith("chat."):
        chosen.update(routes.get("chat", ()))
    return tuple(channel for channel in CHANNELS if channel in chosen)


def suppression_key(finding: Finding, channel: str) -> str:
    """Name what two notices must share to be the same: channel, rule, entity and the details that are no measurement.

    Numbers grow while an attack goes on (`failed_attempts` 5, then 6); a key with them in it would suppress nothing
    (S1-47).
    """
    stable = [f"{name}={value}" for name, value in sorted(finding.details.items()) if isinstance(value, str)]
    return stable_id(channel, finding.rule_id, finding.entity_type, finding.entity, *stable)

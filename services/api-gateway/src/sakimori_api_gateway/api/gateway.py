"""All that the API works with, as wiring put it together."""

from dataclasses import dataclass

import structlog
from starlette.requests import HTTPConnection

from sakimori_api_gateway.adapters.login_events import LoginEvents
from sakimori_api_gateway.adapters.sockets import SocketUpstream
from sakimori_api_gateway.adapters.upstream import Upstream
from sakimori_api_gateway.api.enforcement import Enforcement
from sakimori_api_gateway.api.hub import LiveHub
from sakimori_api_gateway.api.sessions import Sessions
from sakimori_api_gateway.api.tunnels import Tunnels
from sakimori_api_gateway.domain.masking import AddressMask
from sakimori_api_gateway.metrics import GatewayMetrics
from sakimori_api_gateway.ports import (
    AuditLog,
    ChatOffice,
    Clock,
    DecisionStore,
    DeviceStore,
    EventSearch,
    FindingStore,
    LoginLimit,
    LogSourceStore,
    Passwords,
    SessionStore,
    UserStore,
)
from sakimori_api_gateway.settings import GatewaySettings
from sakimori_common.log import SecurityLogger
from sakimori_common.shedding import Shedder


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The object graph that handlers of requests reach through the application."""

    settings: GatewaySettings
    clock: Clock
    log: structlog.stdlib.BoundLogger
    streams: SecurityLogger
    metrics: GatewayMetrics
    users: UserStore
    findings: FindingStore
    decisions: DecisionStore
    devices: DeviceStore
    traffic: SessionStore
    events: EventSearch
    sources: LogSourceStore
    audit: AuditLog
    login_limit: LoginLimit
    login_events: LoginEvents
    passwords: Passwords
    sessions: Sessions
    enforcement: Enforcement
    hub: LiveHub
    mask: AddressMask
    tunnels: Tunnels
    visitors: Shedder
    chat: Upstream
    chat_sockets: SocketUpstream
    chat_office: ChatOffice
    collector: Upstream
    sensor: Upstream


def gateway_of(connection: HTTPConnection) -> Gateway:
    """Find the object graph from a request or a WebSocket."""
    gateway: Gateway = connection.app.state.gateway
    return gateway

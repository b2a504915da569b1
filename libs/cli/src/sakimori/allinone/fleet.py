"""The six services as the all-in-one runner starts them."""

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

import sakimori_api_gateway.wiring
import sakimori_chat.wiring
import sakimori_collector.wiring
import sakimori_detector.wiring
import sakimori_notifier.wiring
import sakimori_packet_sensor.wiring
from sakimori.allinone.home import Home, Secrets
from sakimori.content import rules_dir
from sakimori_api_gateway.settings import GatewaySettings
from sakimori_chat.settings import ChatSettings
from sakimori_collector.settings import CollectorSettings
from sakimori_common.context import ServiceContext
from sakimori_common.settings import ServiceSettings, load_settings, variable_of
from sakimori_detector.settings import DetectorSettings
from sakimori_notifier.settings import NotifierSettings
from sakimori_packet_sensor.settings import SensorSettings


@dataclass(frozen=True, slots=True)
class Member:
    """A service: its settings class and its wiring."""

    settings: type[ServiceSettings]
    running: Callable[[Any, ServiceContext], AbstractAsyncContextManager[None]]

    @property
    def name(self) -> str:
        """The service's name, as its folder is called."""
        return self.settings.service


FLEET = (
    Member(NotifierSettings, sakimori_notifier.wiring.running),
    Member(DetectorSettings, sakimori_detector.wiring.running),
    Member(CollectorSettings, sakimori_collector.wiring.running),
    Member(SensorSettings, sakimori_packet_sensor.wiring.running),
    Member(ChatSettings, sakimori_chat.wiring.running),
    Member(GatewaySettings, sakimori_api_gateway.wiring.running),
)
"""In the order of starting: who consumes before who publishes, the door last. They stop the other way round."""


def settings_of_all(home: Home, secrets: Secrets, urls: Mapping[str, str]) -> dict[str, ServiceSettings]:
    """Build the settings of all six; what the environment says wins over what is made up here.

    `urls` are DATABASE_URL, VALKEY_URL and BUS_URL. Raises SettingsError.
    """
    ports = {
        member.name: _free_port(member.settings, "port") for member in FLEET if "port" in member.settings.model_fields
    }
    ports["api-gateway"] = int(os.environ.get("GATEWAY_PORT") or 8000)
    own: dict[str, dict[str, object]] = {
        "notifier": {},
        "detector": {"rules_dir": rules_dir(), "feeds_dir": home.path / "feeds"},
        "collector": {
            "ingest_token": SecretStr(secrets.ingest_token),
            "privacy_key": SecretStr(secrets.privacy_key),
            "spool_dir": home.path / "collector-spool",
        },
        "packet-sensor": {"spool_dir": home.path / "sensor"},
        "chat": {"secret_key": SecretStr(secrets.chat_secret_key), "spool_dir": home.path / "chat-spool"},
        "api-gateway": {
            "jwt_secret": SecretStr(secrets.jwt_secret),
            "admin_password": SecretStr(secrets.admin_password),
            "chat_url": f"http://127.0.0.1:{ports['chat']}",
            "collector_url": f"http://127.0.0.1:{ports['collector']}",
            "sensor_url": f"http://127.0.0.1:{ports['packet-sensor']}",
        },
    }
    return {
        member.name: _settings(member.settings, {**own[member.name], **_shared(member.settings, urls, secrets, ports)})
        for member in FLEET
    }


def _settings(kind: type[ServiceSettings], made_up: Mapping[str, object]) -> ServiceSettings:
    given = {name: value for name, value in made_up.items() if not os.environ.get(variable_of(kind, name))}
    return load_settings(kind, **given)


def _shared(
    kind: type[ServiceSettings], urls: Mapping[str, str], secrets: Secrets, ports: Mapping[str, int]
) -> dict[str, object]:
    given: dict[str, object] = {
        "bus_url": SecretStr(urls["BUS_URL"]),
        "database_url": SecretStr(urls["DATABASE_URL"]),
        "valkey_url": SecretStr(urls["VALKEY_URL"]),
        "side_port": _free_port(kind, "side_port"),
        "log_key": SecretStr(secrets.log_key),
    }
    if kind.service in ports:
        given["port"] = ports[kind.service]
    if "edge_token" in kind.model_fields:
        given["edge_token"] = SecretStr(secrets.edge_token)
    return given


def _free_port(kind: type[ServiceSettings], field: str) -> int:
    """Take the service's usual port, or any free one where that is in use: nobody but ourselves needs to know it."""
    usual = int(os.environ.get(variable_of(kind, field)) or kind.model_fields[field].default)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", usual))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

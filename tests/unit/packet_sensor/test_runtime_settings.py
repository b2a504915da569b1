"""The sensor's variables."""

import pytest

from sakimori_common.settings import SettingsError, load_settings
from sakimori_packet_sensor.settings import SensorSettings

NEEDED = {
    "DATABASE_URL": "postgresql://sakimori@db/sakimori",
    "VALKEY_URL": "redis://valkey",
    "EDGE_TOKEN": "the token of the gateway",
}


def settings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> SensorSettings:
    for name, value in {**NEEDED, **variables}.items():
        monkeypatch.setenv(name, value)
    return load_settings(SensorSettings)


def test_nothing_is_captured_unless_an_interface_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    default = settings(monkeypatch)
    assert (default.interfaces, default.capture_filter, default.monitored_ports) == ((), None, ())


def test_interfaces_and_ports_are_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    given = settings(monkeypatch, NETWORK_INTERFACE="eth0, br-lan,eth0", MONITORED_PORTS="443,22, 5683 ,22")
    assert given.interfaces == ("eth0", "br-lan")
    assert given.monitored_ports == (22, 443, 5683)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("NETWORK_INTERFACE", "a-name-of-17-chars", "cannot be the name of an interface"),
        ("NETWORK_INTERFACE", "eth0/1", "cannot be the name of an interface"),
        ("MONITORED_PORTS", "22,http", "'http' is no port"),
        ("MONITORED_PORTS", "70000", "'70000' is no port"),
        ("SENSOR_WORKERS", "0", "SENSOR_WORKERS"),
        ("SENSOR_RING_BYTES", "1000", "SENSOR_RING_BYTES"),
        ("SENSOR_WORKER", "2", "did you mean SENSOR_WORKERS?"),
    ],
)
def test_a_mistake_stops_the_start_and_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said.replace("?", r"\?")):
        settings(monkeypatch, **{variable: value})

"""What traffic tells about the devices at its ends: services, peers, volumes, first packets."""

from functools import lru_cache
from typing import Final

from sakimori_common.contracts import Event, FieldValue
from sakimori_packet_sensor.domain.devices.device import Device
from sakimori_packet_sensor.domain.devices.ends import Fields, ends_of, number, texts
from sakimori_packet_sensor.domain.devices.neighbourhood import Neighbourhood

_EPHEMERAL: Final = 32_768
"""Clients choose ports from here on (Linux; IANA says 49,152), or below; servers seldom."""


def read_sighting(hood: Neighbourhood, event: Event) -> None:
    """Take the first packet of a MAC address, or of it with an IP address."""
    device = hood.find(event.fields.get("device.mac"), event.time)
    if device is not None:
        for ip in texts(event.fields.get("device.ip")):
            hood.belongs(device, ip, event.time)


def read_flow(hood: Neighbourhood, event: Event) -> None:
    """Take traffic: services used and offered, peers, volumes, sizes of first packets."""
    fields = event.fields
    source, destination = ends_of(hood, event)
    out = _amounts(fields, "source.bytes", "source.packets")
    back = _amounts(fields, "destination.bytes", "destination.packets")
    if source is not None:
        source.move(event.time, back, out)
        _peer(source, fields.get("destination.ip"), out[0] + back[0])
        _attempt(source, fields, event.time)
    if destination is not None:
        destination.move(event.time, out, back)
        _peer(destination, fields.get("source.ip"), out[0] + back[0])
    is_turned = _is_turned(fields)
    client, server = (destination, source) if is_turned else (source, destination)
    service, end = _service(fields, is_turned=is_turned)
    if not service:
        return
    if client is not None and client.use(service):
        client.show(f"uses:{end}")
    if source is not None:
        _first(source, end, fields)
    if server is not None and _is_answered(fields) and server.offer(service):
        server.show(f"offers:{end}")


def read_anomaly(hood: Neighbourhood, event: Event) -> None:
    """Take packets whose headers are wrong."""
    source, _ = ends_of(hood, event)
    if source is not None:
        source.trouble("anomalies", event.time)


def _amounts(fields: Fields, first: str, second: str) -> tuple[int, int]:
    one, other = fields.get(first), fields.get(second)
    return one if isinstance(one, int) else 0, other if isinstance(other, int) else 0


def _service(fields: Fields, *, is_turned: bool) -> tuple[str, str]:
    """Name what a flow is about, `tcp/443 tls`, and without the protocol, `tcp/443`."""
    transport = fields.get("network.transport") or fields.get("network.iana_number")
    port = fields.get("source.port" if is_turned else "destination.port")
    protocol = fields.get("network.protocol")
    if not isinstance(transport, str):
        return "", ""
    return _names(transport, port if isinstance(port, int) else -1, protocol if isinstance(protocol, str) else "")


@lru_cache(4096)
def _names(transport: str, port: int, protocol: str) -> tuple[str, str]:
    end = f"{transport}/{port}" if port >= 0 else transport
    return f"{end} {protocol}" if protocol else end, end


def _is_turned(fields: Fields) -> bool:
    """Whether the source is likely the server: the capture began in the middle, with the server's packet."""
    destination = fields.get("destination.port")
    if not isinstance(destination, int) or destination < _EPHEMERAL:
        return False
    source = fields.get("source.port")
    if not isinstance(source, int) or source >= _EPHEMERAL:
        return False
    return "S" not in str(fields.get("sakimori.flow.tcp_flags", ""))


def _is_answered(fields: Fields) -> bool:
    """Whether both sides spoke, so that the service is there."""
    if fields.get("network.transport") == "tcp":
        return (
            fields.get("sakimori.flow.state") not in {"attempted", "rejected"}
            and number(fields, "destination.packets") > 1
        )
    return number(fields, "destination.packets") > 0 and isinstance(fields.get("destination.port"), int)


def _peer(device: Device, ip: FieldValue, traffic_bytes: int) -> None:
    if isinstance(ip, str):
        device.meet(ip, traffic_bytes)


def _first(device: Device, end: str, fields: Fields) -> None:
    """Note the size of a flow's first packet: much of set-up traffic is the same to the byte each time."""
    sizes = fields.get("sakimori.flow.sizes")
    if isinstance(sizes, list) and sizes and isinstance(sizes[0], int) and sizes[0] > 0:
        device.show(f"first:{end}/{sizes[0]}")


def _attempt(device: Device, fields: Fields, time: int) -> None:
    if fields.get("sakimori.flow.state") in {"attempted", "rejected"}:
        device.attempt(f"{fields.get('destination.ip')} {fields.get('destination.port')}", time)

"""What traffic tells about the devices at its ends: services, peers, volumes, first packets."""

from typing import Final

from sakimori_common.contracts import Event, FieldValue
from sakimori_packet_sensor.domain.devices.device import Device
from sakimori_packet_sensor.domain.devices.ends import Ends, Fields, number, texts
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
    fields, ends = event.fields, Ends(hood, event)
    out = number(fields, "source.bytes"), number(fields, "source.packets")
    back = number(fields, "destination.bytes"), number(fields, "destination.packets")
    if ends.source is not None:
        ends.source.move(event.time, back, out)
        _peer(ends.source, fields.get("destination.ip"), out[0] + back[0])
        _attempt(ends.source, fields, event.time)
    if ends.destination is not None:
        ends.destination.move(event.time, out, back)
        _peer(ends.destination, fields.get("source.ip"), out[0] + back[0])
    client, server = (ends.destination, ends.source) if _is_turned(fields) else ends
    service = _service(fields)
    if client is not None and service:
        client.use(service)
        client.show(f"uses:{service.partition(' ')[0]}")
    if ends.source is not None and service:
        _first(ends.source, service, fields)
    if server is not None and service and _is_answered(fields) and server.offer(service):
        server.show(f"offers:{service.partition(' ')[0]}")


def read_anomaly(hood: Neighbourhood, event: Event) -> None:
    """Take packets whose headers are wrong."""
    ends = Ends(hood, event)
    if ends.source is not None:
        ends.source.trouble("anomalies", event.time)


def _service(fields: Fields) -> str:
    """Name what a flow is about: `tcp/443 tls`, `igmp`."""
    transport = fields.get("network.transport") or fields.get("network.iana_number")
    port = fields.get("source.port" if _is_turned(fields) else "destination.port")
    protocol = fields.get("network.protocol")
    if not isinstance(transport, str):
        return ""
    name = f"{transport}/{port}" if isinstance(port, int) else transport
    return f"{name} {protocol}" if isinstance(protocol, str) and protocol else name


def _is_turned(fields: Fields) -> bool:
    """Whether the source is likely the server: the capture began in the middle, with the server's packet."""
    source, destination = fields.get("source.port"), fields.get("destination.port")
    if not isinstance(source, int) or not isinstance(destination, int):
        return False
    if "S" in str(fields.get("sakimori.flow.tcp_flags", "")):
        return False
    return source < _EPHEMERAL <= destination


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


def _first(device: Device, service: str, fields: Fields) -> None:
    """Note the size of a flow's first packet: much of set-up traffic is the same to the byte each time."""
    sizes = fields.get("sakimori.flow.sizes")
    if isinstance(sizes, list) and sizes and isinstance(sizes[0], int) and sizes[0] > 0:
        device.show(f"first:{service.partition(' ')[0]}/{sizes[0]}")


def _attempt(device: Device, fields: Fields, time: int) -> None:
    if fields.get("sakimori.flow.state") in {"attempted", "rejected"}:
        device.attempt(f"{fields.get('destination.ip')} {fields.get('destination.port')}", time)

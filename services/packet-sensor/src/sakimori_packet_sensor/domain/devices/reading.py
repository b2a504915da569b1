"""What events tell about devices, dataset by dataset.

Each reader takes an event and changes what is known of the devices at its two ends. What is said by an address that
only passes through a device - a router's - is nobody's here.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from sakimori_common.contracts import Event, FieldValue
from sakimori_packet_sensor.domain.devices.device import Device
from sakimori_packet_sensor.domain.devices.neighbourhood import Neighbourhood
from sakimori_packet_sensor.domain.devices.signs import named, numbered, plain

Fields = Mapping[str, FieldValue]
_LIST_ITEMS: Final = 16
_SYSTEM_PORTS: Final = 1024
_EPHEMERAL: Final = 32_768

_MODEL_KEYS: Final = frozenset(
    {"md", "model", "ty", "am", "product", "usb_mdl", "usb_mfg", "mfg", "manufacturer", "deviceid", "rmodel", "fv"}
)
"""Keys of DNS-SD's TXT records in which makers say what it is (cast, AirPlay, HomeKit, printing)."""


class Ends:
    """The devices at the two ends of an event, where the address there is their own; None else."""

    __slots__ = ("destination", "source")

    def __init__(self, hood: Neighbourhood, event: Event) -> None:
        fields, time = event.fields, event.time
        source = hood.find(fields.get("source.mac"), time)
        destination = hood.find(fields.get("destination.mac"), time)
        self.source = source if source is not None and hood.belongs(source, fields.get("source.ip"), time) else None
        self.destination = (
            destination
            if destination is not None and hood.belongs(destination, fields.get("destination.ip"), time)
            else None
        )


Reader = Callable[[Neighbourhood, Event], Iterable[Device | None]]
"""Gives the devices about which there may be news."""


def read_sighting(hood: Neighbourhood, event: Event) -> Iterable[Device | None]:
    """Take the first packet of a MAC address, or of it with an IP address."""
    device = hood.find(event.fields.get("device.mac"), event.time)
    if device is not None:
        for ip in _texts(event.fields.get("device.ip")):
            hood.belongs(device, ip, event.time)
    return (device,)


def read_flow(hood: Neighbourhood, event: Event) -> Iterable[Device | None]:
    """Take traffic: services used and offered, peers, volumes, sizes of first packets."""
    fields, ends = event.fields, Ends(hood, event)
    out = _number(fields, "source.bytes"), _number(fields, "source.packets")
    back = _number(fields, "destination.bytes"), _number(fields, "destination.packets")
    service = _service(fields)
    is_turned = _is_turned(fields)
    if (source := ends.source) is not None:
        source.move(event.time, back, out)
        _peer(source, fields.get("destination.ip"), out[0] + back[0])
        if service and not is_turned:
            source.use(service)
            source.show(f"uses:{service.partition(' ')[0]}")
            _sizes(source, service, fields)
        _attempt(source, fields, event.time)
    if (destination := ends.destination) is not None:
        destination.move(event.time, out, back)
        _peer(destination, fields.get("source.ip"), out[0] + back[0])
        if service and not is_turned and _is_answered(fields) and destination.offer(service):
            destination.show(f"offers:{service.partition(' ')[0]}")
    return ends.source, ends.destination


def read_arp(hood: Neighbourhood, event: Event) -> Iterable[Device | None]:
    """Take who has an address (RFC 826); a probe asks for one before it has it (RFC 5227)."""
    fields = event.fields
    device = hood.find(fields.get("arp.sender_mac") or fields.get("source.mac"), event.time)
    if device is None:
        return ()
    operation = str(fields.get("arp.operation", ""))
    device.count(f"arp.{operation}" if operation in {"request", "reply"} else "arp.other")
    if fields.get("arp.is_probe"):
        device.show("arp:probe")
    else:
        hood.claim(device, fields.get("arp.sender_ip"), event.time)
        if fields.get("arp.is_gratuitous"):
            device.show("arp:announcement")
    return (device,)


def read_neighbour(hood: Neighbourhood, event: Event) -> Iterable[Device | None]:
    """Take neighbour discovery (RFC 4861): an advertisement claims, a router says that it is one."""
    fields = event.fields
    device = hood.find(fields.get("source.mac") or fields.get("ndp.source_mac"), event.time)
    if device is None:
        return ()
    kind = str(fields.get("ndp.type", ""))
    device.show(plain("ndp", kind))
    if kind == "router_advertisement":
        device.show("role:router")
    if kind in {"neighbor_advertisement", "neighbour_advertisement"}:
        hood.claim(device, fields.get("ndp.target_ip"), event.time)
        if fields.get("ndp.is_router"):
            device.show("role:router")
    elif kind in {"neighbor_solicitation", "neighbour_solicitation", "router_advertisement"}:
        hood.claim(device, fields.get("source.ip"), event.time)
    return (device,)


def read_dhcp(hood: Neighbourhood, event: Event) -> Iterable[Device | None]:
    """Take what a client says of itself and the address that a server gives it."""
    fields = event.fields
    is_server = bool(fields.get("dhcp.is_from_server"))
    client = hood.find(fields.get("dhcp.client_mac") or (None if is_server else fields.get("source.mac")), event.time)
    kind = str(fields.get("dhcp.message_type", ""))
    if is_server:
        server = hood.find(fields.get("source.mac"), event.time)
        if server is not None and server is not client:
            server.show("role:dhcp_server")
            server.offer("udp/67 dhcp")
        if client is not None and kind == "ack":
            hood.claim(client, fields.get("dhcp.assigned_ip") or fields.get("dhcp.client_ip"), event.time)
        return server, client
    if client is not None:
        _describe_dhcp(client, fields)
        if kind in {"request", "inform"}:
            asked = fields.get("dhcp.client_ip") or fields.get("dhcp.requested_ip")
            hood.belongs(client, asked, event.time)
    return (client,)


def _describe_dhcp(client: Device, fields: Fields) -> None:
    client.count("dhcp")
    for name in ("dhcp.hostname", "dhcp.fqdn"):
        if text := _text(fields, name):
            client.names["dhcp"] = text[:255]
            client.show(named("dhcp.hostname", text))
    for kind in ("dhcp.vendor_class", "dhcp.user_class"):
        client.show(named(kind, _text(fields, kind)))
    for kind in ("dhcp.fingerprint", "dhcp.options"):
        client.show(plain(kind, _text(fields, kind)))
    client.show(numbered("dhcp.mud", _text(fields, "dhcp.mud_url")))


def read_dhcpv6(hood: Neighbourhood, event: Event) -> Iterable[Device | None]:
    """Take the client of DHCPv6."""
    fields = event.fields
    ends = Ends(hood, event)
    device = ends.source
    if device is not None and fields.get("dhcpv6.message_type") not in {
        "advertise",
        "reply",
        "reconfigure",
        "relay-reply",
    }:
        if name := _text(fields, "dhcpv6.fqdn"):
            device.names.setdefault("dhcp", name[:255])
            device.show(named("dhcp.hostname", name))
        device.show(named("dhcpv6.vendor_class", _text(fields, "dhcpv6.vendor_class")))
        device.show(plain("dhcpv6.enterprise", _text(fields, "dhcpv6.enterprise_number")))
        device.show(plain("dhcpv6.fingerprint", _text(fields, "dhcpv6.fingerprint")))
    return (device,)


def read_dns(hood: Neighbourhood, event: Event) -> Iterable[Device | None]:
    """Take the names a device asks for, and what it announces of itself by multicast (RFC 6762, 6763)."""
    fields, ends = event.fields, Ends(hood, event)
    device = ends.source
    protocol = fields.get("network.protocol")
    if device is None:
        return (ends.destination,)
    if protocol == "mdns":
        _multicast(hood, device, event)
    elif protocol != "llmnr" and fields.get("dns.type") == "query":
        name = _text(fields, "dns.question.name")
        if name and not name.endswith(".arpa"):
            device.show(numbered("dns", name))
            device.show(plain("domain", _text(fields, "dns.question.registered_domain")))
    elif fields.get("dns.type") == "answer" and ends.destination is not None:
        ends.destination.show("role:resolver")
    return device, ends.destination


def _multicast(hood: Neighbourhood, device: Device, event: Event) -> None:
    fields = event.fields
    if fields.get("dns.type") == "query":
        device.show(_asked(_text(fields, "dns.question.name")))
        return
    _announced(device, fields)
    for ip in _texts(fields.get("mdns.addresses")):
        if ip == fields.get("source.ip"):
            hood.claim(device, ip, event.time)


def _asked(name: str) -> str:
    """Make a sign of what is asked for: a kind of service, or the name that a device wants to have."""
    return "" if name.endswith(".arpa") else named("mdns.asks", name)


def _announced(device: Device, fields: Fields) -> None:
    for service in _texts(fields.get("mdns.services")):
        device.show(plain("mdns.service", service))
        device.offer(f"mdns {service}"[:80])
    for name in _texts(fields.get("mdns.instances")):
        device.show(named("mdns.instance", name))
    for host in _texts(fields.get("mdns.hosts")):
        device.names["mdns"] = host.removesuffix(".local")[:255]
        device.show(named("mdns.host", host.removesuffix(".local")))
    for text in _texts(fields.get("mdns.txt")):
        key, _, value = text.partition("=")
        if key.casefold() in _MODEL_KEYS and value:
            device.show(named(f"mdns.{key.casefold()}", value))


def read_ssdp(hood: Neighbourhood, event: Event) -> Iterable[Device | None]:
    """Take what a device announces by UPnP, or looks for."""
    fields, ends = event.fields, Ends(hood, event)
    method = _text(fields, "ssdp.method").casefold()
    said = ends.destination if method == "response" and ends.destination is not None else ends.source
    if said is None:
        return ends.source, ends.destination
    role = "ssdp.asks" if method == "m-search" else "ssdp.target"
    said.show(numbered(role, _text(fields, "ssdp.target")))
    said.show(numbered("ssdp.server", _text(fields, "ssdp.server")))
    said.show(numbered("http.agent", _text(fields, "user_agent.original")))
    if role == "ssdp.target" and (target := _text(fields, "ssdp.target")).startswith("urn:"):
        said.offer(f"upnp {target}"[:80])
    return ends.source, ends.destination


def read_http(hood: Neighbourhood, event: Event) -> Iterable[Device | None]:
    """Take the client's agent and where it goes, and the server's name for itself."""
    fields, ends = event.fields, Ends(hood, event)
    if (client := ends.source) is not None:
        client.show(numbered("http.agent", _text(fields, "user_agent.original")))
        client.show(numbered("http.host", _text(fields, "url.domain").partition(":")[0]))
        path = _text(fields, "url.path") or _text(fields, "url.original").partition("?")[0]
        client.show(numbered("http.path", "/".join(path.split("/")[:3])) if path.strip("/*") else "")
        if _text(fields, "http.request.authentication.scheme").casefold() == "basic":
            client.trouble("plain_credentials", event.time)
    if (server := ends.destination) is not None:
        server.show(numbered("http.server", _text(fields, "http.response.headers.server")))
    return ends.source, ends.destination


def read_tls(hood: Neighbourhood, event: Event) -> Iterable[Device | None]:
    """Take the client's hello and the server's certificate."""
    fields, ends = event.fields, Ends(hood, event)
    if (client := ends.source) is not None:
        client.show(numbered("tls.name", _text(fields, "tls.client.server_name")))
        client.show(plain("tls.ja4", _text(fields, "tls.client.ja4")))
    if (server := ends.destination) is not None:
        server.show(named("tls.subject", _text(fields, "tls.server.x509.subject.common_name")))
    return ends.source, ends.destination


def read_mqtt(hood: Neighbourhood, event: Event) -> Iterable[Device | None]:
    """Take the client's name and topics."""
    fields, ends = event.fields, Ends(hood, event)
    if (client := ends.source) is not None:
        client.show("speaks:mqtt")
        for name in ("mqtt.connect.client_id", "mqtt.publish.topic"):
            client.show(named(name, _text(fields, name)))
    return ends.source, ends.destination


_PLAIN_PROTOCOLS: Final = frozenset({"network.telnet", "network.ftp", "network.tftp"})
_INDUSTRIAL: Final = frozenset({"network.modbus", "network.dnp3", "network.bacnet", "network.s7", "network.enip"})


def read_other(hood: Neighbourhood, event: Event) -> Iterable[Device | None]:
    """Take that a protocol is spoken, and the names that some carry."""
    fields, ends = event.fields, Ends(hood, event)
    protocol = event.dataset.removeprefix("network.")
    client, server = ends.source, ends.destination
    if client is not None:
        client.show(plain("speaks", protocol))
        client.show(numbered("http.agent", _text(fields, "user_agent.original")))
        client.show(named("tftp.file", _text(fields, "tftp.file")))
        if event.dataset in _PLAIN_PROTOCOLS and fields.get("user.name"):
            client.trouble("plain_credentials", event.time)
        if name := _text(fields, "nbns.name"):
            client.show(named("nbns.name", name))
        if model := _text(fields, "edimax.model"):
            client.show(named("edimax.model", model))
    if server is not None:
        server.show(plain("serves", protocol))
        server.show(named("snmp.system", _text(fields, "snmp.system_description")))
        server.show(named("ssh.software", _text(fields, "ssh.server.software")))
        server.show(numbered("sip.server", _text(fields, "sip.server")))
        if fields.get("snmp.community_is_default"):
            server.trouble("default_community", event.time)
    _malformed(event, client)
    return client, server


def _malformed(event: Event, client: Device | None) -> None:
    if client is not None and event.fields.get("error.code") == "malformed":
        client.trouble("malformed", event.time)


def read_anomaly(hood: Neighbourhood, event: Event) -> Iterable[Device | None]:
    """Take packets whose headers are wrong."""
    ends = Ends(hood, event)
    if ends.source is not None:
        ends.source.trouble("anomalies", event.time)
    return (ends.source,)


READERS: Final[Mapping[str, Reader]] = {
    "network.device": read_sighting,
    "network.flow": read_flow,
    "network.arp": read_arp,
    "network.ndp": read_neighbour,
    "network.dhcp": read_dhcp,
    "network.dhcpv6": read_dhcpv6,
    "network.dns": read_dns,
    "network.ssdp": read_ssdp,
    "network.http": read_http,
    "network.tls": read_tls,
    "network.quic": read_tls,
    "network.mqtt": read_mqtt,
    "network.anomaly": read_anomaly,
}
"""By dataset; `read_other` for the rest of `network.*`."""


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return str(value[0]) if value else ""
    return "" if value is None else str(value)


def _texts(value: FieldValue) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value[:_LIST_ITEMS]] if isinstance(value, list) else []


def _number(fields: Fields, name: str) -> int:
    value = fields.get(name)
    return value if isinstance(value, int) else 0


def _service(fields: Fields) -> str:
    """Name what a flow is about: `tcp/443 tls`, `igmp`."""
    transport = fields.get("network.transport") or fields.get("network.iana_number")
    port, protocol = fields.get("destination.port"), fields.get("network.protocol")
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
    return source < _SYSTEM_PORTS and destination >= _EPHEMERAL


def _is_answered(fields: Fields) -> bool:
    if fields.get("network.transport") == "tcp":
        return (
            fields.get("sakimori.flow.state") not in {"attempted", "rejected"}
            and _number(fields, "destination.packets") > 1
        )
    return _number(fields, "destination.packets") > 0 and isinstance(fields.get("destination.port"), int)


def _peer(device: Device, ip: FieldValue, traffic_bytes: int) -> None:
    if isinstance(ip, str):
        device.meet(ip, traffic_bytes)


def _sizes(device: Device, service: str, fields: Fields) -> None:
    """Note the size of a flow's first packet: much of set-up traffic is the same to the byte each time."""
    sizes = fields.get("sakimori.flow.sizes")
    if isinstance(sizes, list) and sizes and isinstance(sizes[0], int) and sizes[0] > 0:
        device.show(f"first:{service.partition(' ')[0]}/{sizes[0]}")


def _attempt(device: Device, fields: Fields, time: int) -> None:
    if fields.get("sakimori.flow.state") in {"attempted", "rejected"}:
        device.attempt(f"{fields.get('destination.ip')} {fields.get('destination.port')}", time)

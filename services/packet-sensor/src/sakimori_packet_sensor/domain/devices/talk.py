"""What devices say of themselves in the protocols they speak."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from sakimori_common.contracts import Event
from sakimori_packet_sensor.domain.devices.device import Device
from sakimori_packet_sensor.domain.devices.ends import Fields, ends_of, text, texts
from sakimori_packet_sensor.domain.devices.neighbourhood import Neighbourhood
from sakimori_packet_sensor.domain.devices.signs import named, numbered, plain

_MODEL_KEYS: Final = frozenset(
    {"md", "model", "ty", "am", "product", "usb_mdl", "usb_mfg", "mfg", "manufacturer", "deviceid", "rmodel", "fv"}
)
"""Keys of DNS-SD's TXT records in which makers say what it is (cast, AirPlay, HomeKit, printing)."""


def read_dns(hood: Neighbourhood, event: Event) -> None:
    """Take the names a device asks for, and what it announces of itself by multicast (RFC 6762, 6763)."""
    fields = event.fields
    device, other = ends_of(hood, event)
    protocol = fields.get("network.protocol")
    if device is None:
        return
    if protocol == "mdns":
        _multicast(hood, device, event)
    elif protocol != "llmnr" and fields.get("dns.type") == "query":
        name = text(fields, "dns.question.name")
        if name and not name.endswith(".arpa"):
            device.show(numbered("dns", name))
            device.show(plain("domain", text(fields, "dns.question.registered_domain")))
    elif fields.get("dns.type") == "answer" and other is not None:
        other.show("role:resolver")


def _multicast(hood: Neighbourhood, device: Device, event: Event) -> None:
    fields = event.fields
    if fields.get("dns.type") == "query":
        device.show(_asked(text(fields, "dns.question.name")))
        return
    _announced(device, fields)
    for ip in texts(fields.get("mdns.addresses")):
        if ip == fields.get("source.ip"):
            hood.claim(device, ip, event.time)


def _asked(name: str) -> str:
    """Make a sign of what is asked for: a kind of service, or the name that a device wants to have."""
    return "" if name.endswith(".arpa") else named("mdns.asks", name)


def _announced(device: Device, fields: Fields) -> None:
    for service in texts(fields.get("mdns.services")):
        device.show(plain("mdns.service", service))
        device.offer(f"mdns {service}"[:80])
    for name in texts(fields.get("mdns.instances")):
        device.show(named("mdns.instance", name))
    for host in texts(fields.get("mdns.hosts")):
        device.call("mdns", host.removesuffix(".local"))
        device.show(named("mdns.host", host.removesuffix(".local")))
    for entry in texts(fields.get("mdns.txt")):
        key, _, value = entry.partition("=")
        if key.casefold() in _MODEL_KEYS and value:
            device.show(named(f"mdns.{key.casefold()}", value))


def read_ssdp(hood: Neighbourhood, event: Event) -> None:
    """Take what a device announces by UPnP, or looks for."""
    fields = event.fields
    source, destination = ends_of(hood, event)
    method = text(fields, "ssdp.method").casefold()
    said = destination if method == "response" and destination is not None else source
    if said is None:
        return
    role = "ssdp.asks" if method == "m-search" else "ssdp.target"
    target = text(fields, "ssdp.target")
    said.show("" if target.startswith("uuid:") else numbered(role, target))
    said.show(numbered("ssdp.server", text(fields, "ssdp.server")))
    said.show(numbered("http.agent", text(fields, "user_agent.original")))
    if role == "ssdp.target" and target.startswith("urn:"):
        said.offer(f"upnp {target}"[:80])


def read_http(hood: Neighbourhood, event: Event) -> None:
    """Take the client's agent and where it goes, and the server's name for itself."""
    fields = event.fields
    client, server = ends_of(hood, event)
    if client is not None:
        client.show(numbered("http.agent", text(fields, "user_agent.original")))
        client.show(numbered("http.host", text(fields, "url.domain").partition(":")[0]))
        path = text(fields, "url.path") or text(fields, "url.original").partition("?")[0]
        client.show(numbered("http.path", "/".join(path.split("/")[:3])) if path.strip("/*") else "")
        if text(fields, "http.request.authentication.scheme").casefold() == "basic":
            client.trouble("plain_credentials", event.time)
    if server is not None:
        server.show(numbered("http.server", text(fields, "http.response.headers.server")))


def read_tls(hood: Neighbourhood, event: Event) -> None:
    """Take the client's hello and the server's certificate."""
    fields = event.fields
    client, server = ends_of(hood, event)
    if client is not None:
        client.show(numbered("tls.name", text(fields, "tls.client.server_name")))
        client.show(plain("tls.ja4", text(fields, "tls.client.ja4")))
    if server is not None:
        server.show(named("tls.subject", text(fields, "tls.server.x509.subject.common_name")))


def read_mqtt(hood: Neighbourhood, event: Event) -> None:
    """Take the client's name and topics."""
    fields = event.fields
    client, _ = ends_of(hood, event)
    if client is not None:
        client.show("speaks:mqtt")
        for name in ("mqtt.connect.client_id", "mqtt.publish.topic"):
            client.show(named(name, text(fields, name)))


_PLAIN_PROTOCOLS: Final = frozenset({"telnet", "ftp", "pop3", "imap", "ldap", "redis", "irc"})
"""In which a password goes as it is."""


def read_other(hood: Neighbourhood, event: Event) -> None:
    """Take that a protocol is spoken, and the names that some carry."""
    fields = event.fields
    client, server = ends_of(hood, event)
    speaks, serves, protocol = _signs_of(event.dataset)
    if client is not None:
        client.show(speaks)
        _show(client, fields, _BY_CLIENTS)
        if protocol in _PLAIN_PROTOCOLS and fields.get(f"{protocol}.has_password"):
            client.trouble("plain_credentials", event.time)
    if server is not None:
        server.show(serves)
        _show(server, fields, _BY_SERVERS)
        if fields.get("snmp.community_is_default"):
            server.trouble("default_community", event.time)
    _malformed(event, client)


_BY_CLIENTS: Final = (
    ("user_agent.original", "http.agent", numbered),
    ("tftp.file", "tftp.file", named),
    ("nbns.name", "nbns.name", named),
    ("edimax.model", "edimax.model", plain),
)
_BY_SERVERS: Final = (
    ("snmp.system_description", "snmp.system", named),
    ("ssh.server.software_version", "ssh.software", named),
    ("sip.server", "sip.server", numbered),
)
"""Fields, and what kind of sign each is."""


def _show(device: Device, fields: Fields, table: Sequence[tuple[str, str, Callable[[str, str], str]]]) -> None:
    """Take the signs of those fields that are there: few are."""
    for name, kind, made in table:
        if name in fields:
            device.show(made(kind, text(fields, name)))


@lru_cache(256)
def _signs_of(dataset: str) -> tuple[str, str, str]:
    """Make the signs of who speaks and who serves a protocol, and its name."""
    protocol = dataset.removeprefix("network.")
    return plain("speaks", protocol), plain("serves", protocol), protocol


def _malformed(event: Event, client: Device | None) -> None:
    if client is not None and event.fields.get("error.code") == "malformed":
        client.trouble("malformed", event.time)

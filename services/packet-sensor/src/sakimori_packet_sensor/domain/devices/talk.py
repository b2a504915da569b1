"""What devices say of themselves in the protocols they speak."""

from typing import Final

from sakimori_common.contracts import Event
from sakimori_packet_sensor.domain.devices.device import Device
from sakimori_packet_sensor.domain.devices.ends import Ends, Fields, text, texts
from sakimori_packet_sensor.domain.devices.neighbourhood import Neighbourhood
from sakimori_packet_sensor.domain.devices.signs import named, numbered, plain

_MODEL_KEYS: Final = frozenset(
    {"md", "model", "ty", "am", "product", "usb_mdl", "usb_mfg", "mfg", "manufacturer", "deviceid", "rmodel", "fv"}
)
"""Keys of DNS-SD's TXT records in which makers say what it is (cast, AirPlay, HomeKit, printing)."""


def read_dns(hood: Neighbourhood, event: Event) -> None:
    """Take the names a device asks for, and what it announces of itself by multicast (RFC 6762, 6763)."""
    fields, ends = event.fields, Ends(hood, event)
    device = ends.source
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
    elif fields.get("dns.type") == "answer" and ends.destination is not None:
        ends.destination.show("role:resolver")


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
    fields, ends = event.fields, Ends(hood, event)
    method = text(fields, "ssdp.method").casefold()
    said = ends.destination if method == "response" and ends.destination is not None else ends.source
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
    fields, ends = event.fields, Ends(hood, event)
    if (client := ends.source) is not None:
        client.show(numbered("http.agent", text(fields, "user_agent.original")))
        client.show(numbered("http.host", text(fields, "url.domain").partition(":")[0]))
        path = text(fields, "url.path") or text(fields, "url.original").partition("?")[0]
        client.show(numbered("http.path", "/".join(path.split("/")[:3])) if path.strip("/*") else "")
        if text(fields, "http.request.authentication.scheme").casefold() == "basic":
            client.trouble("plain_credentials", event.time)
    if (server := ends.destination) is not None:
        server.show(numbered("http.server", text(fields, "http.response.headers.server")))


def read_tls(hood: Neighbourhood, event: Event) -> None:
    """Take the client's hello and the server's certificate."""
    fields, ends = event.fields, Ends(hood, event)
    if (client := ends.source) is not None:
        client.show(numbered("tls.name", text(fields, "tls.client.server_name")))
        client.show(plain("tls.ja4", text(fields, "tls.client.ja4")))
    if (server := ends.destination) is not None:
        server.show(named("tls.subject", text(fields, "tls.server.x509.subject.common_name")))


def read_mqtt(hood: Neighbourhood, event: Event) -> None:
    """Take the client's name and topics."""
    fields, ends = event.fields, Ends(hood, event)
    if (client := ends.source) is not None:
        client.show("speaks:mqtt")
        for name in ("mqtt.connect.client_id", "mqtt.publish.topic"):
            client.show(named(name, text(fields, name)))


_PLAIN_PROTOCOLS: Final = frozenset({"telnet", "ftp", "pop3", "imap", "ldap", "redis", "irc"})
"""In which a password goes as it is."""


def read_other(hood: Neighbourhood, event: Event) -> None:
    """Take that a protocol is spoken, and the names that some carry."""
    fields, ends = event.fields, Ends(hood, event)
    protocol = event.dataset.removeprefix("network.")
    client, server = ends.source, ends.destination
    if client is not None:
        client.show(plain("speaks", protocol))
        client.show(numbered("http.agent", text(fields, "user_agent.original")))
        client.show(named("tftp.file", text(fields, "tftp.file")))
        if protocol in _PLAIN_PROTOCOLS and fields.get(f"{protocol}.has_password"):
            client.trouble("plain_credentials", event.time)
        if name := text(fields, "nbns.name"):
            client.show(named("nbns.name", name))
        if model := text(fields, "edimax.model"):
            client.show(plain("edimax.model", model))
    if server is not None:
        server.show(plain("serves", protocol))
        server.show(named("snmp.system", text(fields, "snmp.system_description")))
        server.show(named("ssh.software", text(fields, "ssh.server.software_version")))
        server.show(numbered("sip.server", text(fields, "sip.server")))
        if fields.get("snmp.community_is_default"):
            server.trouble("default_community", event.time)
    _malformed(event, client)


def _malformed(event: Event, client: Device | None) -> None:
    if client is not None and event.fields.get("error.code") == "malformed":
        client.trouble("malformed", event.time)

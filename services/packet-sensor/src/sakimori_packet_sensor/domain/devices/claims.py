"""Who says to have which address: ARP, neighbour discovery, DHCP; and what clients of DHCP say of themselves."""

from typing import Final

from sakimori_common.contracts import Event
from sakimori_packet_sensor.domain.devices.device import Device
from sakimori_packet_sensor.domain.devices.ends import Fields, ends_of, text
from sakimori_packet_sensor.domain.devices.neighbourhood import Neighbourhood
from sakimori_packet_sensor.domain.devices.signs import named, numbered, plain

PROBE_DELAY: Final = 50_000
"""Microseconds: delays that differ by less are one sign."""


def read_arp(hood: Neighbourhood, event: Event) -> None:
    """Take who has an address (RFC 826); a probe asks for one before it has it (RFC 5227)."""
    fields = event.fields
    device = hood.find(fields.get("arp.sender_mac") or fields.get("source.mac"), event.time)
    if device is None:
        return
    operation = str(fields.get("arp.operation", ""))
    device.count(f"arp.{operation}" if operation in {"request", "reply"} else "arp.other")
    if fields.get("arp.is_probe"):
        device.show("arp:probe")
        device.show(_probe_delay(device, event.time))
    else:
        hood.claim(device, fields.get("arp.sender_ip"), event.time)
        if fields.get("arp.is_gratuitous"):
            device.show("arp:announcement")


def _probe_delay(device: Device, time: int) -> str:
    """Time the second probe after a lease was asked for: the delay is that of the device's network stack."""
    device.probes += 1
    delay = time - device.asked_at
    return f"probe.delay:{delay // PROBE_DELAY}" if device.probes == 2 and 0 <= delay < 40 * PROBE_DELAY else ""


def read_neighbour(hood: Neighbourhood, event: Event) -> None:
    """Take neighbour discovery (RFC 4861): an advertisement claims, a router says that it is one."""
    fields = event.fields
    device = hood.find(fields.get("source.mac") or fields.get("ndp.source_mac"), event.time)
    if device is None:
        return
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


def read_dhcp(hood: Neighbourhood, event: Event) -> None:
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
        return
    if client is not None:
        if kind == "discover":
            client.asked_at, client.probes = event.time, 0
        _describe_dhcp(client, fields)
        if kind in {"request", "inform"}:
            asked = fields.get("dhcp.client_ip") or fields.get("dhcp.requested_ip")
            hood.belongs(client, asked, event.time)


def _describe_dhcp(client: Device, fields: Fields) -> None:
    client.count("dhcp")
    for name in ("dhcp.hostname", "dhcp.fqdn"):
        if hostname := text(fields, name):
            client.call("dhcp", hostname)
            client.show(named("dhcp.hostname", hostname))
    for kind in ("dhcp.vendor_class", "dhcp.user_class"):
        client.show(named(kind, text(fields, kind)))
    for kind in ("dhcp.fingerprint", "dhcp.options"):
        client.show(plain(kind, text(fields, kind)))
    client.show(numbered("dhcp.mud", text(fields, "dhcp.mud_url")))


def read_dhcpv6(hood: Neighbourhood, event: Event) -> None:
    """Take the client of DHCPv6."""
    fields = event.fields
    device, _ = ends_of(hood, event)
    if device is not None and fields.get("dhcpv6.message_type") not in {
        "advertise",
        "reply",
        "reconfigure",
        "relay-reply",
    }:
        if name := text(fields, "dhcpv6.fqdn"):
            device.call("dhcp", name)
            device.show(named("dhcp.hostname", name))
        device.show(named("dhcpv6.vendor_class", text(fields, "dhcpv6.vendor_class")))
        device.show(plain("dhcpv6.enterprise", text(fields, "dhcpv6.enterprise_number")))
        device.show(plain("dhcpv6.fingerprint", text(fields, "dhcpv6.fingerprint")))

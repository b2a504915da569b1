"""Which protocols are asked about a payload, and what a port says where content does not (S3-12)."""

import pytest

from packets.tiny import tiny
from sakimori_packet_sensor.domain.protocols.contract import TCP, UDP, Ends, ProtocolKind
from sakimori_packet_sensor.domain.protocols.registry import PROTOCOLS, Registry


def at(port: int, client_port: int = 50_000) -> Ends:
    return Ends(bytes(4), bytes(4), client_port, port)


def kind(name: str, *ports: int, first: bytes | None = None, transport: int = TCP) -> ProtocolKind:
    plain = tiny(transport, name)
    first_bytes = None if first is None else frozenset(first)
    return ProtocolKind(name, transport, plain.recognise, plain.decoder, frozenset(ports), first_bytes)


def names(registry: Registry, transport: int, first: bytes, ends: Ends) -> list[str]:
    return [kind.name for kind in registry.candidates(transport, first[0], ends)]


def test_those_who_expect_the_port_are_asked_first() -> None:
    registry = Registry([kind("a"), kind("b", 80), kind("c", 443)])
    assert names(registry, TCP, b"x", at(443)) == ["c", "a", "b"]
    assert names(registry, TCP, b"x", at(50_000, client_port=80)) == ["b", "a", "c"]
    assert names(registry, TCP, b"x", at(1)) == ["a", "b", "c"]


def test_only_those_are_asked_that_can_begin_so_and_speak_over_it() -> None:
    registry = Registry([kind("a", first=b"GP"), kind("b", first=b"\x16"), kind("c", transport=UDP)])
    assert names(registry, TCP, b"G", at(80)) == ["a"]
    assert names(registry, TCP, b"\x16", at(80)) == ["b"]
    assert names(registry, UDP, b"G", at(80)) == ["c"]


@pytest.mark.parametrize(
    ("transport", "port", "name"),
    [
        (TCP, 20_000, "dnp3"), (UDP, 47_808, "bacnet"), (UDP, 161, "snmp"), (UDP, 162, "snmp"), (UDP, 69, "tftp"),
        (UDP, 67, "dhcp"), (UDP, 68, "dhcp"), (UDP, 123, "ntp"), (UDP, 1900, "ssdp"), (TCP, 47_808, ""),
        (UDP, 4711, ""),
    ],
)  # fmt: skip
def test_a_port_names_what_content_cannot(transport: int, port: int, name: str) -> None:
    nothing = Registry([])
    assert nothing.name_by_port(transport, at(port), is_content_known=True) == name
    assert nothing.name_by_port(transport, at(1, client_port=port), is_content_known=True) == name


def test_a_port_names_no_protocol_that_content_rules_out_unless_its_beginning_was_missed() -> None:
    registry = Registry([kind("ssh")])
    assert registry.name_by_port(TCP, at(22), is_content_known=True) == ""
    assert registry.name_by_port(TCP, at(22), is_content_known=False) == "ssh"


def test_names_are_words_and_every_protocol_is_one_that_content_shows() -> None:
    assert len(PROTOCOLS.kinds) >= 20
    for each in PROTOCOLS.kinds:
        assert each.name.isascii()
        assert each.name == each.name.lower()
        assert each.transport in {TCP, UDP}
        assert each.buffer_bytes <= 1 << 20

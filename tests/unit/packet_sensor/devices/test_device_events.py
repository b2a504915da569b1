"""Devices: events in, events out."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from packets.devices import (
    CAMERA,
    CAMERA_IP,
    PHONE,
    PHONE_IP,
    ROUTER,
    ROUTER_IP,
    SECOND,
    START,
    arp,
    devices,
    event,
    flow,
    record,
    sighting,
    told,
)
from sakimori_packet_sensor.domain.devices.record import DeviceRecord

MINUTE = 60


def test_a_new_mac_address_is_discovered_with_the_first_packets_and_its_sighting_stays_inside() -> None:
    out = devices().observe([sighting(CAMERA), arp(CAMERA, CAMERA_IP, 0.1)])
    assert [each.dataset for each in out] == ["network.arp", "network.device"]
    fields = out[1].fields
    assert (fields["event.action"], fields["device.mac"], fields["device.ip"]) == (
        "device.discovered",
        CAMERA,
        [CAMERA_IP],
    )
    assert (fields["event.category"], fields["observer.name"], out[1].time) == ("network", "test", START)


def test_groups_and_nobody_are_no_devices() -> None:
    for mac in ("01-00-5E-00-00-FB", "FF-FF-FF-FF-FF-FF", "00-00-00-00-00-00", "nonsense"):
        assert told(devices().observe([sighting(mac)])) == []


def test_there_is_one_record_a_mac_address_whatever_addresses_it_has() -> None:
    registry = devices()
    out = registry.observe([arp(CAMERA, CAMERA_IP), arp(CAMERA, "192.0.2.11", 1), arp(CAMERA, CAMERA_IP, 2)])
    assert told(out) == [("device.discovered", CAMERA)]
    assert [held.ip for held in record(registry, CAMERA).addresses] == [CAMERA_IP, "192.0.2.11"]


def test_changes_are_gathered_and_say_which_fields_are_new() -> None:
    registry = devices()
    registry.observe([arp(CAMERA, CAMERA_IP)])
    named = event("network.dhcp", 1, dhcp__client_mac=CAMERA, dhcp__message_type="request", dhcp__hostname="porch-cam")
    assert told(registry.observe([named, arp(CAMERA, "192.0.2.11", 2)])) == []
    [change] = [
        each for each in registry.observe([arp(PHONE, PHONE_IP, 12)]) if each.fields.get("device.mac") == CAMERA
    ]
    assert change.fields["event.action"] == "device.changed"
    assert change.fields["sakimori.device.changed"] == [
        "device.hostname",
        "device.ip",
        "device.type",
        "sakimori.device.evidence",
        "sakimori.device.last_seen",
        "sakimori.device.trust",
        "sakimori.device.trust_reasons",
        "sakimori.device.type_probability",
    ]
    assert (change.fields["device.hostname"], change.fields["device.type"]) == ("porch-cam", "camera")


def test_a_device_that_changes_all_the_time_is_reported_ever_more_seldom() -> None:
    registry = devices()
    out = [
        each
        for second in range(3600)
        for each in told(registry.observe([arp(CAMERA, f"192.0.2.{second % 250 + 1}", second)]))
    ]
    assert 5 < out.count(("device.changed", CAMERA)) < 20


def test_traffic_alone_is_no_change_until_the_end() -> None:
    registry = devices()
    registry.observe([arp(CAMERA, CAMERA_IP), arp(PHONE, PHONE_IP)])
    talk = [flow((PHONE, PHONE_IP, 40_000), (CAMERA, CAMERA_IP, 80), at) for at in range(3)]
    registry.observe(talk)
    registry.observe([arp(PHONE, PHONE_IP, 20)])
    more = [flow((PHONE, PHONE_IP, 40_001), (CAMERA, CAMERA_IP, 80), at) for at in range(30, 60)]
    assert told(registry.observe(more)) == []
    last = {each.fields["device.mac"]: each.fields for each in registry.finish()}
    assert last[CAMERA]["sakimori.device.bytes_in"] == 33 * 400
    assert last[PHONE]["sakimori.device.bytes_in"] == 33 * 3000
    assert registry.finish() == [], "nothing is said twice"


def test_a_silent_device_goes_offline_once_and_comes_back() -> None:
    registry = devices()
    registry.observe([arp(CAMERA, CAMERA_IP)])
    assert told(registry.tick(START + 39 * MINUTE * SECOND)) == []
    assert told(registry.tick(START + 41 * MINUTE * SECOND)) == [("device.offline", CAMERA)]
    assert told(registry.tick(START + 42 * MINUTE * SECOND)) == []
    assert told(registry.observe([arp(CAMERA, CAMERA_IP, 43 * MINUTE)])) == [("device.online", CAMERA)]


def test_a_flood_of_made_up_addresses_is_bounded_and_told_by_and_by() -> None:
    registry = devices(max_devices=100)
    flood = [sighting(f"02-00-5E-{n >> 16:02X}-{n >> 8 & 255:02X}-{n & 255:02X}", n / 1000) for n in range(5000)]
    out = registry.observe(flood)
    assert len(registry) == 100
    assert registry.forgotten == 4900
    assert len(told(out)) == 100
    many = devices(max_devices=5000)
    assert len(told(many.observe(flood))) == 1000, "a minute tells a thousand"
    assert len(told(many.tick(START + 61 * SECOND))) == 1000
    assert len(told(many.finish())) == 3000


def test_what_was_kept_is_known_again() -> None:
    first = devices()
    first.observe(
        [arp(CAMERA, CAMERA_IP), arp(ROUTER, ROUTER_IP), flow((CAMERA, CAMERA_IP, 9), (ROUTER, ROUTER_IP, 53))]
    )
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(first.take_changed()), type=list[DeviceRecord])
    assert [each.mac for each in kept] == [CAMERA, ROUTER]
    assert first.take_changed() == []
    second = devices()
    second.restore(kept)
    assert told(second.observe([arp(CAMERA, CAMERA_IP, 60)])) == []
    assert record(second, ROUTER) == record(first, ROUTER)


macs = st.sampled_from([CAMERA, PHONE, ROUTER, "FF-FF-FF-FF-FF-FF", "00-00-5E-00-53-77"])
ips = st.sampled_from([CAMERA_IP, PHONE_IP, "203.0.113.5", "fe80::1", "255.255.255.255", "junk", ""])
times = st.floats(0, 4000, allow_nan=False)
anything = st.one_of(
    st.builds(arp, macs, ips, times),
    st.builds(sighting, macs, times, ips),
    st.builds(flow, st.tuples(macs, ips, st.integers(0, 65535)), st.tuples(macs, ips, st.integers(0, 65535)), times),
    st.builds(
        lambda dataset, mac, ip, at, name, value: event(
            dataset, at, source__mac=mac, source__ip=ip, destination__mac=CAMERA, **{name: value}
        ),
        st.sampled_from(["network.dns", "network.dhcp", "network.ssdp", "network.http", "network.ndp", "network.tls",
                         "network.telnet", "network.mqtt", "network.dhcpv6", "network.anomaly", "nginx.access"]),
        macs, ips, times,
        st.sampled_from(["dhcp__client_mac", "dns__question__name", "mdns__services", "ssdp__target", "url__path",
                         "ndp__type", "error__code", "network__protocol", "user_agent__original", "dns__type"]),
        st.one_of(st.text(max_size=300), st.integers(), st.lists(st.text(max_size=20), max_size=4), st.none()),
    ),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(anything, max_size=60))
def test_whatever_comes_events_pass_and_the_last_event_of_a_device_is_its_record(events: list) -> None:  # type: ignore[type-arg]
    registry = devices()
    out = [*registry.observe(events[:30]), *registry.observe(events[30:]), *registry.finish()]
    assert [each for each in out if each.dataset != "network.device"] == [
        each for each in events if each.dataset != "network.device"
    ]
    last = {str(each.fields["device.mac"]): each.fields for each in out if each.dataset == "network.device"}
    known = {each.mac: each for each in registry.records()}
    assert last.keys() == known.keys()
    for mac, fields in last.items():
        assert fields.get("device.ip", []) == [held.ip for held in known[mac].addresses]
        assert fields["device.type"] == known[mac].type
        assert 0 <= known[mac].trust <= 1


NEAR, FAR, GATE = "10.1.2.10", "10.1.2.20", "10.1.2.1"  # private ones are local before anybody claims them
EVENTS = [
    arp(CAMERA, NEAR, 1),
    arp(PHONE, FAR, 2),
    arp(ROUTER, GATE, 3),
    flow((CAMERA, NEAR, 40_000), (PHONE, FAR, 80), 4),
    flow((PHONE, FAR, 40_000), (ROUTER, GATE, 53), 5),
]


@settings(deadline=None)
@given(st.permutations(EVENTS))
def test_what_claims_addresses_and_what_moves_may_come_in_any_order(events: list) -> None:  # type: ignore[type-arg]
    registry, ordered = devices(), devices()
    registry.observe(events)
    ordered.observe(sorted(events, key=lambda each: each.time))
    for mac in (CAMERA, PHONE, ROUTER):
        one, other = record(registry, mac), record(ordered, mac)
        assert {held.ip for held in one.addresses} == {held.ip for held in other.addresses}
        assert (one.hours, one.first_seen, one.last_seen) == (other.hours, other.first_seen, other.last_seen)

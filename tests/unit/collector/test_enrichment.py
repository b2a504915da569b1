"""What is known of addresses, agents and hosts."""

from ipaddress import ip_address

import pytest

from sakimori_collector.domain.enrichment.assets import parse_assets
from sakimori_collector.domain.enrichment.enrichment import Enrichment
from sakimori_collector.domain.enrichment.networks import Networks, direction, parse_networks
from sakimori_collector.domain.enrichment.sightings import Device, Devices, DnsNames, sightings_in
from sakimori_collector.domain.enrichment.user_agents import UserAgents
from sakimori_common.contracts import Event, FieldValue
from sakimori_common.instants import parse_instant

AGENTS = UserAgents()
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)
NETWORKS = Networks(parse_networks("198.51.100.0/24, 2001:db8:1::/48, 192.168.7.7"))
CSV = """match,name,owner,criticality,tags
203.0.113.0/24,office,,low,
203.0.113.128/25,lab,science,High,iot test;wifi
203.0.113.7,web-1,web team,critical,dmz
00:00:5e:00:53:01,camera,,,
db-1.shop.example,database,,,
2001:db8::/32,v6,,,
"""


def enriched(enrichment: Enrichment, fields: dict[str, FieldValue]) -> dict[str, FieldValue]:
    made = Event("x", 0, "test", dict(fields))
    enrichment.change([made])
    return {name: value for name, value in made.fields.items() if name not in fields or fields[name] != value}


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("198.51.100.9", "trusted"),
        ("2001:db8:1::5", "trusted"),
        ("192.168.7.7", "trusted"),
        ("192.168.7.8", "private"),
        ("10.255.0.1", "private"),
        ("172.32.0.1", "public"),
        ("100.64.0.1", "private"),
        ("fd00::1", "private"),
        ("127.0.0.2", "loopback"),
        ("::1", "loopback"),
        ("169.254.1.1", "link_local"),
        ("fe80::1", "link_local"),
        ("224.0.0.251", "multicast"),
        ("ff02::fb", "multicast"),
        ("0.0.0.9", "unspecified"),
        ("255.255.255.255", "broadcast"),
        ("203.0.113.7", "public"),
        ("2001:db8:2::5", "public"),
    ],
)
def test_an_address_is_in_one_kind_of_network(address: str, kind: str) -> None:
    assert NETWORKS.class_of(ip_address(address)) == kind


@pytest.mark.parametrize(
    ("source", "destination", "way"),
    [
        ("trusted", "private", "internal"),
        ("private", "public", "outbound"),
        ("public", "loopback", "inbound"),
        ("public", "public", "external"),
    ],
)
def test_the_direction_is_that_of_inside_and_outside(source: str, destination: str, way: str) -> None:
    assert direction(source, destination) == way


def test_networks_and_direction_are_added_and_what_the_line_said_stays() -> None:
    enrichment = Enrichment([NETWORKS.facts])
    both: dict[str, FieldValue] = {"source.ip": "203.0.113.7", "destination.ip": "::ffff:10.0.0.1"}
    assert enriched(enrichment, both) == {
        "sakimori.known.source.network": "public",
        "sakimori.known.destination.network": "private",
        "network.direction": "inbound",
    }
    assert "network.direction" not in enriched(enrichment, {**both, "network.direction": "egress"})
    assert enriched(enrichment, {"source.ip": "10.0.0.1", "sakimori.known.source.network": "claimed"}) == {
        "sakimori.known.source.network": "private"
    }
    for no_address in ("", "web-1", "1.2.3", "x" * 10_000, 5, ["10.0.0.1"], None):
        assert enriched(enrichment, {"source.ip": no_address, "destination.ip": no_address}) == {}  # type: ignore[dict-item]


def test_a_wrong_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"'10\.0\.0\.0/33' is no network"):
        parse_networks("10.0.0.0/8,10.0.0.0/33")


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        (FIREFOX, "browser"),
        (IPHONE, "browser"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot"),
        ("kube-probe/1.29", "bot"),
        ("Prometheus/2.53.0", "bot"),
        ("curl/8.5.0", "tool"),
        ("python-requests/2.32.3", "tool"),
        ("Go-http-client/2.0", "tool"),
        ("sqlmap/1.8#stable (https://sqlmap.org)", "scanner"),
        ("Mozilla/5.00 (Nikto/2.1.6) (Evasions:None) (Test:000001)", "scanner"),
        ("Mozilla/5.0 zgrab/0.x", "scanner"),
        ("Mozilla/5.0", "unknown"),
        ("x' or 1=1 --", "unknown"),
        ("", "empty"),
        ("-", "empty"),
        ("x" * 60_000, "unknown"),
    ],
)
def test_an_agent_is_of_one_class(agent: str, kind: str) -> None:
    assert AGENTS.facts(agent)["sakimori.user_agent.class"] == kind


def test_a_browser_is_described_as_ecs_does() -> None:
    assert AGENTS.facts(FIREFOX) == {
        "sakimori.user_agent.class": "browser",
        "user_agent.name": "Firefox",
        "user_agent.version": "128.0",
        "user_agent.os.name": "Linux",
    }


def test_a_request_without_an_agent_has_an_empty_one_and_what_is_no_request_none() -> None:
    enrichment = Enrichment((), AGENTS.facts)
    assert enriched(enrichment, {"http.request.method": "GET"}) == {"sakimori.user_agent.class": "empty"}
    assert enriched(enrichment, {"process.name": "sshd"}) == {}


def test_assets_are_found_by_the_smallest_network_by_mac_and_by_name() -> None:
    assets = parse_assets(CSV, is_toml=False)
    assert (assets.problems, assets.count) == ([], 6)
    enrichment = Enrichment([assets.facts], None, assets.of_host, assets.of_mac)
    assert enriched(enrichment, {"source.ip": "203.0.113.7", "destination.ip": "203.0.113.129"}) == {
        "sakimori.known.source.asset.name": "web-1",
        "sakimori.known.source.asset.owner": "web team",
        "sakimori.known.source.asset.criticality": "critical",
        "sakimori.known.source.asset.tags": ["dmz"],
        "sakimori.known.destination.asset.name": "lab",
        "sakimori.known.destination.asset.owner": "science",
        "sakimori.known.destination.asset.criticality": "high",
        "sakimori.known.destination.asset.tags": ["iot", "test", "wifi"],
    }
    assert enriched(enrichment, {"source.ip": "203.0.114.1"}) == {}
    assert enriched(enrichment, {"source.mac": "00-00-5E-00-53-01", "host.hostname": "DB-1.shop.example."}) == {
        "sakimori.known.source.asset.name": "camera",
        "sakimori.known.host.asset.name": "database",
    }
    assert enriched(enrichment, {"source.ip": "2001:db8::5"}) == {"sakimori.known.source.asset.name": "v6"}


def test_bad_rows_of_csv_are_left_out_with_their_line() -> None:
    rows = "match,name,criticality\n192.0.2.1,a,\n192.0.2.300,b,\n\n# note\n192.0.2.2,,\n"
    rows += "192.0.2.3,c,urgent\n192.0.2.1,d,\n192.0.2.4,e,,,\n"
    assets = parse_assets(rows, is_toml=False)
    assert assets.problems == [
        "line 3: '192.0.2.300' is no address, network, MAC address or host name",
        "line 6: name is missing",
        "line 7: criticality 'urgent' is none of low, medium, high, critical",
        "line 8: '192.0.2.1' is there twice",
        "line 9: 5 cells are more than the header has",
    ]
    assert assets.count == 1


def test_toml_has_the_same_and_several_matches() -> None:
    text = """
[[asset]]
match = ["192.0.2.1", "web-1"]
name = "web"
tags = ["a", "b"]

[[asset]]
match = "192.0.2.2"
colour = "red"
"""
    assets = parse_assets(text, is_toml=True)
    assert assets.facts(ip_address("192.0.2.1")) == assets.of_host("web-1.shop.example")
    assert assets.problems == ["line 7: 'colour' is none of match, name, owner, criticality, tags"]


@pytest.mark.parametrize(
    ("text", "is_toml"),
    [("", False), ("a,b\n", False), ("asset = 5", True), ("[[asset", True), ('match,name\n"x\0', False)],
)
def test_a_file_that_is_none_is_refused(text: str, is_toml: bool) -> None:
    try:
        assert parse_assets(text, is_toml).count == 0
    except ValueError as error:
        assert str(error)


def dns(
    answers: list[tuple[str, str]],
    seconds: int = 0,
    name: str = "www.shop.example",
    more: dict[str, FieldValue] | None = None,
) -> Event:
    fields: dict[str, FieldValue] = {
        "dns.type": "answer",
        "dns.question.name": name,
        "dns.answers.type": [kind for kind, _ in answers],
        "dns.answers.data": [data for _, data in answers],
        **(more or {}),
    }
    return Event("x", parse_instant("2026-01-16T02:00:00Z") + seconds * 1_000_000, "network.dns", fields)


def test_an_address_gets_the_name_that_was_asked_for_last() -> None:
    chain = [("CNAME", "edge.cdn.example"), ("A", "203.0.113.7"), ("AAAA", "2001:DB8:0::7")]
    events = [dns(chain, 5), dns([("A", "203.0.113.7")], 4, "older.example"), dns([("A", "127.0.0.1")])]
    found = {address: name for address, (name, _) in sightings_in(events).items()}
    assert found == {"203.0.113.7": "www.shop.example", "2001:db8::7": "www.shop.example"}
    assert enriched(Enrichment([DnsNames(found).facts]), {"source.ip": "203.0.113.7", "source.domain": "claimed"}) == {
        "sakimori.known.source.dns.name": "www.shop.example"
    }


@pytest.mark.parametrize(
    "wrong",
    [
        dns([("A", "203.0.113.7")], more={"dns.type": "query"}),
        dns([("A", "203.0.113.7")], name="x" * 300),
        dns([("A", "no address"), ("TXT", "203.0.113.7")]),
        dns([], more={"dns.answers.data": "203.0.113.7"}),
        Event("x", 0, "network.dns", {}),
        Event("x", 0, "other", dict(dns([("A", "203.0.113.7")]).fields)),
    ],
)
def test_nothing_is_learnt_from_what_is_no_answer(wrong: Event) -> None:
    assert sightings_in([wrong]) == {}


def test_an_address_gets_the_device_that_has_it() -> None:
    camera, other = Device("00-00-5E-00-53-01", "cam-1", "camera"), Device("00-00-5E-00-53-02", None, "unknown")
    devices = Devices({"192.168.1.5": camera, "192.168.1.6": other})
    enrichment = Enrichment([devices.facts])
    assert enriched(enrichment, {"source.ip": "192.168.1.5", "destination.ip": "192.168.1.6"}) == {
        "sakimori.known.source.device.mac": "00-00-5E-00-53-01",
        "sakimori.known.source.device.name": "cam-1",
        "sakimori.known.source.device.type": "camera",
        "sakimori.known.destination.device.mac": "00-00-5E-00-53-02",
    }


def test_what_is_remembered_is_forgotten_when_it_changed() -> None:
    known = {"203.0.113.7": "old.example"}
    enrichment = Enrichment([lambda address: DnsNames(known).facts(address)])
    assert enriched(enrichment, {"source.ip": "203.0.113.7"}) == {"sakimori.known.source.dns.name": "old.example"}
    known["203.0.113.7"] = "new.example"
    enrichment.forget()
    assert enriched(enrichment, {"source.ip": "203.0.113.7"}) == {"sakimori.known.source.dns.name": "new.example"}


def test_an_event_with_as_many_fields_as_it_may_have_gets_no_more() -> None:
    many: dict[str, FieldValue] = {f"f{n}": n for n in range(250)}
    assert enriched(Enrichment([NETWORKS.facts], AGENTS.facts), {**many, "source.ip": "10.0.0.1"}) == {}

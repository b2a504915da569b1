"""Datagrams and local networks in captures that nobody of us made, judged by Zeek, Suricata's tests and nDPI."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sakimori_packet_sensor.adapters.files import open_capture
from sakimori_packet_sensor.domain.sensor import Sensor

pytestmark = [pytest.mark.data, pytest.mark.timeout(300)]


def events(path: Path) -> list[dict[str, Any]]:
    with open_capture(path) as capture:
        return [event.to_flat() for batch in Sensor({}).events(capture) for event in batch]


def of(dataset: str, path: Path) -> list[dict[str, Any]]:
    return [event for event in events(path) if event["event.dataset"] == dataset]


def zeek(data: Path, log: str) -> Iterator[tuple[Path, list[dict[str, str]]]]:
    """Captures with the rows of a log that Zeek's own tests expect of them."""
    for entry in json.loads((data / "pcaps/zeek/index.json").read_text()):
        for name in entry["baseline_logs"]:
            lines = (data / name).read_text().splitlines()
            header: list[str] = next((line.split("\t")[1:] for line in lines if line.startswith("#fields")), [])
            if name.endswith(f"/{log}") and header:
                rows = [line for line in lines if not line.startswith("#")]
                yield data / entry["trace"], [dict(zip(header, row.split("\t"), strict=True)) for row in rows]


def test_dns_transactions_are_those_that_zeek_logs(development_data: Path) -> None:
    compared = 0
    for path, rows in zeek(development_data, "dns.log"):
        answers = [event for event in of("network.dns", path) if event["dns.type"] == "answer"]
        for row in rows:
            if row["rcode_name"] == "-":
                continue
            [answer] = [
                event
                for event in answers
                if (event["dns.id"], str(event["source.port"])) == (row["trans_id"], row["id.orig_p"])
                and event["dns.question.name"] == row["query"].lower()
            ]
            assert (answer["source.ip"], answer["destination.ip"]) == (row["id.orig_h"], row["id.resp_h"]), path
            assert answer["dns.response_code"] == row["rcode_name"], path
            if row["answers"] != "-":  # Zeek takes the flag from the answers, not from the header
                assert ("AA" in answer.get("dns.header_flags", [])) == (row["AA"] == "T"), path
            told = [value for value in row["answers"].split(",") if value not in {"-", ""} and " " not in value]
            assert set(told) <= set(answer.get("dns.answers.data", []) + answer.get("dns.answers.name", [])), path
            compared += 1
    assert compared >= 4


def test_ntp_messages_are_those_that_zeek_logs(development_data: Path) -> None:
    compared = 0
    for path, rows in zeek(development_data, "ntp.log"):
        ours = Counter(
            (event["source.ip"], event["destination.ip"], str(event["ntp.version"]), str(event["ntp.mode"]),
             str(event["ntp.stratum"]), f"{event['ntp.root_delay_seconds']:.6f}", f"{1 << event['ntp.poll']}.000000")
            for event in of("network.ntp", path)
            if event["ntp.mode"] < 6  # Zeek does not log the private mode
        )  # fmt: skip
        names = ("id.orig_h", "id.resp_h", "version", "mode", "stratum", "root_delay", "poll")
        assert ours == Counter(tuple(row[name] for name in names) for row in rows), path
        compared += len(rows)
    assert compared > 60


def test_dhcp_clients_are_those_that_zeek_logs(development_data: Path) -> None:
    [(path, rows)] = [(path, rows) for path, rows in zeek(development_data, "dhcp.log") if path.name == "dhcp.pcap"]
    ours = of("network.dhcp", path)
    kinds = [kind for row in rows for kind in row["msg_types"].split(",")]
    assert Counter(event["dhcp.message_type"].upper() for event in ours) == Counter(kinds)
    assert {event["dhcp.client_mac"] for event in ours} == {row["mac"].upper().replace(":", "-") for row in rows}
    for name, column in (("hostname", "host_name"), ("domain", "domain"), ("assigned_ip", "assigned_addr")):
        told = {row[column] for row in rows} - {"-"}
        assert told <= {event.get(f"dhcp.{name}") for event in ours}
    assert "requested address not available" in {event.get("dhcp.message") for event in ours}
    assert {event.get("dhcp.lease_seconds") for event in ours} >= {900}


def test_a_question_of_snmp_version_3(development_data: Path) -> None:
    [(path, _)] = zeek(development_data, "snmp.log")
    assert [(event["snmp.version"], event["snmp.pdu_type"]) for event in of("network.snmp", path)] == [
        ("3", "get_request"), ("3", "report"), ("3", "get_next_request"), ("3", "response"),
    ]  # fmt: skip


def test_impossible_lengths_of_sip_are_reported(development_data: Path) -> None:
    ours = of("network.sip", development_data / "pcaps/zeek/traces/sip/invalid-content-length.pcap")
    assert [(event.get("sip.method"), event.get("sip.status_code")) for event in ours] == [
        ("INVITE", None),
        (None, 200),
    ]
    assert [event["error.code"] for event in ours] == ["malformed", "malformed"]


def test_options_of_dhcp_are_those_that_suricata_tells(development_data: Path) -> None:
    suricata = development_data / "pcaps/suricata-verify"
    [request] = of("network.dhcp", suricata / "dhcp-eve-extended-option-60/input.pcap")[:1]
    assert (request["dhcp.transaction_id"], request["dhcp.vendor_class"]) == (3759982360, "MSFT 5.0")
    assert request["dhcp.fingerprint"].startswith("1,15,3,6")
    overloaded = of("network.dhcp", suricata / "dhcp-option-52-overload/input.pcap")
    for kind in ("offer", "ack"):
        given = [event for event in overloaded if event["dhcp.message_type"] == kind]
        assert {event["dhcp.routers"][0] for event in given} == {"10.100.0.1", "10.100.0.2"}
        assert all(event["dhcp.dns_servers"] == event["dhcp.routers"] for event in given)
    [discover] = of("network.dhcp", suricata / "dhcp-option-52-overload-both/input.pcap")[:1]
    assert (discover["dhcp.message_type"], discover["dhcp.client_mac"]) == ("discover", "00-00-6C-82-DC-4E")
    assert (discover["dhcp.transaction_id"], discover["dhcp.lease_seconds"]) == (2888761343, 3600)


def test_the_authority_of_a_name_that_does_not_exist_is_what_suricata_tells(development_data: Path) -> None:
    folder = development_data / "pcaps/suricata-verify/dns-eve-v2-udp-nxdomain-soa"
    [answer] = [
        event
        for event in of("network.dns", folder / "dns-udp-nxdomain-soa.pcap")
        if event.get("dns.response_code") == "NXDOMAIN"
    ]
    assert (answer["dns.authorities.name"], answer["dns.authorities.type"]) == (["oisf.net"], ["SOA"])
    assert answer["dns.authorities.data"] == [
        "ns-110.awsdns-13.com awsdns-hostmaster.amazon.com 1 7200 900 1209600 86400"
    ]


def test_counts_are_those_of_suricatas_tests(development_data: Path) -> None:
    suricata = development_data / "pcaps/suricata-verify"
    entries = {entry["test"]: entry for entry in json.loads((suricata / "expected_events.json").read_text())}
    for test, dataset, count in (
        ("sip-body-frames", "network.sip", 10),  # tshark counts 10 messages, Suricata's test 8
        ("sip-options-method", "network.sip", 2),
        ("ntp-keywords", "network.ntp", 4),
        ("tftp-tx-handling-wrq", "network.tftp", 1),
    ):
        assert len(of(dataset, development_data / entries[test]["pcap"])) == count, test
    [write] = of("network.tftp", development_data / entries["tftp-tx-handling-wrq"]["pcap"])
    assert (write["tftp.operation"], write["tftp.file"], write["tftp.mode"]) == ("write", "rfc1350.txt", "octet")


def test_dns_is_told_from_quic_on_its_port(development_data: Path) -> None:
    flows = of("network.flow", development_data / "pcaps/ndpi/avast_securedns.pcapng")
    assert Counter(flow["network.protocol"] for flow in flows) == {"dns": 39}


_NAMES = {
    "DNS": "dns",
    "DHCP": "dhcp",
    "NTP": "ntp",
    "SIP": "sip",
    "MDNS": "mdns",
    "SNMP": "snmp",
    "SSDP": "ssdp",
    "CoAP": "coap",
}
_TUNNELLED = {"gre.pcapng": "SIP"}
"""nDPI names the flow inside the tunnel."""


def test_flows_have_the_names_that_ndpi_gives_them(development_data: Path) -> None:
    compared = 0
    for entry in json.loads((development_data / "pcaps/ndpi/expected.json").read_text()):
        path = development_data / entry["pcap"]
        expected = {name: seen["flows"] for name, seen in entry["protocols"].items() if name in _NAMES}
        if not expected or path.name in _TUNNELLED:
            continue
        flows = Counter(flow.get("network.protocol") for flow in of("network.flow", path))
        for name, count in expected.items():
            assert flows[_NAMES[name]] >= count, path
            compared += count
    assert compared >= 12

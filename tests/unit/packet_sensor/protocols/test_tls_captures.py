"""TLS, DTLS and QUIC in captures that nobody of this project made: what Suricata, Zeek and nDPI say of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packets.captures import Flat, events, ndpi, of, suricata, zeek, zeek_trace

pytestmark = [pytest.mark.data, pytest.mark.timeout(300)]

SURICATA: dict[str, Callable[[Any], Flat]] = {
    "tls.sni": lambda value: {"tls.client.server_name": value},
    "tls.version": lambda value: {"tls.version": value.removeprefix("TLS ")},
    "tls.fingerprint": lambda value: {"tls.server.hash.sha1": value.replace(":", "").upper()},
    "tls.serial": lambda value: {"tls.server.x509.serial_number": value.replace(":", "")},
    "tls.notbefore": lambda value: {"tls.server.not_before": f"{value}.000Z"},
    "tls.notafter": lambda value: {"tls.server.not_after": f"{value}.000Z"},
    "tls.server_alpns[0]": lambda value: {"tls.next_protocol": value},
    "src_ip": lambda value: {"source.ip": value},
    "src_port": lambda value: {"source.port": value},
    "dest_port": lambda value: {"destination.port": value},
}
ZEEK_VERSIONS = {"TLSv10": "1.0", "TLSv11": "1.1", "TLSv12": "1.2", "TLSv13": "1.3"}


@pytest.mark.parametrize(
    "test",
    ["bug-2646-01", "bug-2646-02", "bug-7264-tcp-3whs-ack-data-tls-01", "community-id-ipv4", "tls-alpn-log-detect-02"],
)
def test_handshakes_are_those_that_suricata_expects(development_data: Path, test: str) -> None:
    folder = development_data / "pcaps" / "suricata-verify" / test
    [capture] = folder.glob("*.pcap*")
    for count, match in suricata(development_data, test, "tls"):
        wanted: Flat = {}
        for name, value in match.items():
            wanted |= SURICATA[name](value) if name in SURICATA else {}
        assert wanted
        found = [event for event in of(capture, "tls") if wanted.items() <= event.items()]
        assert len(found) == count, wanted


@pytest.mark.parametrize(
    "name",
    [
        "ssl/ecdhe",
        "ssl/fragment",
        "ssl/tls13-encrypted-client-hello",
        "quic/chromium",
        "quic/interop/quic-go_quic-go/handshake",
    ],
)
def test_handshakes_are_those_that_zeek_logs(development_data: Path, name: str) -> None:
    """`established` is not compared: Zeek waits for application data in TLS 1.3; of QUIC nobody can tell."""
    logged = zeek(development_data, name.replace("/", "."), "ssl")
    protocol = "quic" if name.startswith("quic") else "tls"
    found = of(zeek_trace(development_data, name), protocol)
    assert len(found) == len(logged)
    for row in logged:
        assert any(
            ZEEK_VERSIONS[row["version"]] == event["tls.version"]
            and row["cipher"] == event["tls.cipher"]
            and row["curve"] == event.get("tls.curve", "-")
            and row["server_name"] == event.get("tls.client.server_name", "-")
            and row["resumed"] == str(event["tls.resumed"])[0]
            for event in found
        ), row


@pytest.mark.parametrize("name", ["ssl/ecdhe"])
def test_certificates_are_those_that_zeek_logs(development_data: Path, name: str) -> None:
    """Of each chain Zeek logs all, the sensor the first."""
    logged = {row["fingerprint"].upper(): row for row in zeek(development_data, name.replace("/", "."), "x509")}
    found = [event for event in of(zeek_trace(development_data, name), "tls") if "tls.server.hash.sha256" in event]
    assert found
    for event in found:
        row = logged[event["tls.server.hash.sha256"]]
        assert event["tls.server.x509.serial_number"] == row["certificate.serial"]
        assert event["tls.server.subject"] == row["certificate.subject"]
        assert event["tls.server.issuer"] == row["certificate.issuer"]
        names = row["san.dns"].split(",")
        assert event["tls.server.x509.alternative_names"] == names[:64]


def test_fingerprints_are_those_of_ndpi(development_data: Path) -> None:
    """But for two characters, where the specification (FoxIO's JA4.md) is followed and nDPI does not.

    Without a server name the fourth is `i`; the ninth and tenth are the first and last of the first protocol, of which
    nDPI takes the first two, or none behind one that has two.
    """
    compared = 0
    for path, flow in ndpi(development_data):
        if "ja4" not in flow or flow["l4"] not in {"TCP", "UDP"}:
            continue
        ends = {flow["a"], flow["b"]}
        prints = {
            event["tls.client.ja4"]
            for event in events(path)
            if "tls.client.ja4" in event and ends == {_end(event, "source"), _end(event, "destination")}
        }
        if not prints:
            continue
        compared += 1
        assert _unquestioned(flow["ja4"]) in {_unquestioned(each) for each in prints}, (path.name, flow["ja4"], prints)
    assert compared == 35


def _end(event: Flat, whose: str) -> str:
    address = event[f"{whose}.ip"]
    return f"[{address}]:{event[f'{whose}.port']}" if ":" in address else f"{address}:{event[f'{whose}.port']}"


def _unquestioned(ja4: str) -> str:
    return ja4[:3] + ja4[4:8] + ja4[10:]


def test_server_names_are_those_of_ndpi(development_data: Path) -> None:
    compared = 0
    for path, flow in ndpi(development_data):
        if "host" not in flow or not flow["proto"].startswith(("TLS", "QUIC")):
            continue
        ends = {flow["a"], flow["b"]}
        names = {
            event.get("tls.client.server_name")
            for event in events(path)
            if event["event.dataset"] in {"network.tls", "network.quic"}
            and ends == {_end(event, "source"), _end(event, "destination")}
        }
        if names:
            compared += 1
            assert flow["host"] in names, path.name
    assert compared == 24

"""HTTP in captures that nobody of this project made: what Suricata and Zeek say of them."""

from pathlib import Path

import pytest

from packets.captures import Flat, of, suricata, zeek, zeek_trace

pytestmark = [pytest.mark.data, pytest.mark.timeout(300)]

SURICATA = {
    "http.hostname": "url.domain",
    "http.http_method": "http.request.method",
    "http.http_user_agent": "user_agent.original",
    "http.http_refer": "http.request.referrer",
    "http.http_content_type": "http.response.headers.content-type",
    "http.length": "http.response.body.bytes",
    "http.status": "http.response.status_code",
    "http.url": "url.original",
    "src_ip": "source.ip",
    "src_port": "source.port",
    "dest_ip": "destination.ip",
    "dest_port": "destination.port",
}


@pytest.mark.parametrize(
    "test", ["alert-testmyids-midstream5", "bug-2512", "bug-28", "decode-teredo-01", "http-ipv6", "http-not09"]
)
def test_transactions_are_those_that_suricata_expects(development_data: Path, test: str) -> None:
    folder = development_data / "pcaps" / "suricata-verify" / test
    [capture] = folder.glob("*.pcap*")
    for count, match in suricata(development_data, test, "http"):
        flat = {name: value for name, value in match.items() if name != "http"}
        flat |= {f"http.{name}": value for name, value in match.get("http", {}).items()}
        wanted: Flat = {SURICATA[name]: value for name, value in flat.items() if name in SURICATA}
        found = [event for event in of(capture, "http") if wanted.items() <= event.items()]
        assert len(found) == count, wanted


@pytest.mark.parametrize(
    "name",
    [
        "http/261/cl-negative", "http/261/te-cl-desync", "http/fake-content-length", "http/http-connect",
        "http/multipart-body-length", "http/query-method",
    ],
)  # fmt: skip
def test_transactions_are_those_that_zeek_logs(development_data: Path, name: str) -> None:
    """Versions are not compared: Zeek has the answer's, the sensor the request's, as logs of web servers have it."""
    found = of(zeek_trace(development_data, name), "http")
    logged = zeek(development_data, name.replace("/", "."), "http")
    for row in logged:
        assert any(
            row["method"] == event.get("http.request.method", "-")
            and row["uri"] == event.get("url.original", "-")
            and row["host"].split(":")[0] in {event.get("url.domain", "-"), "-"}
            and row.get("status_code", "-") in {str(event.get("http.response.status_code")), "-"}
            for event in found
        ), row


def test_what_zeek_finds_weird_is_an_anomaly(development_data: Path) -> None:
    """Negative lengths, and a length beside chunks."""
    for name, anomaly in (
        ("http/261/cl-negative", "bad_content_length"),
        ("http/261/te-cl-desync", "content_length_and_chunked"),
    ):
        found = of(zeek_trace(development_data, name), "http")
        assert any(anomaly in event.get("http.request.anomalies", ()) for event in found), name


def test_frames_of_a_websocket_are_those_that_suricata_expects(development_data: Path) -> None:
    [capture] = (development_data / "pcaps" / "suricata-verify" / "websocket-ping").glob("*.pcap")
    for count, match in suricata(development_data, "websocket-ping", "websocket"):
        found = [
            event for event in of(capture, "websocket") if event.get("websocket.opcode") == match["websocket.opcode"]
        ]
        assert len(found) == count

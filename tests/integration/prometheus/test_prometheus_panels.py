"""What every Prometheus panel of the dashboards shows of known samples."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from dashboards import PROMETHEUS, queries
from servers.prometheus import Prometheus

AT = 1_768_528_800
"""2026-01-16T02:00:00Z; samples can be written for the past, and the numbers are then exact."""

SAMPLES = f"""\
# HELP rabbitmq_detailed_queue_messages Sum of ready and unacknowledged messages - total queue depth
# TYPE rabbitmq_detailed_queue_messages gauge
rabbitmq_detailed_queue_messages{{vhost="/",queue="collector.events"}} 7 {AT}
rabbitmq_detailed_queue_messages{{vhost="/",queue="detector.events"}} 12 {AT}
rabbitmq_detailed_queue_messages{{vhost="/",queue="chat.decisions"}} 0 {AT}
rabbitmq_detailed_queue_messages{{vhost="/",queue="detector.events.dead"}} 2 {AT}
rabbitmq_detailed_queue_messages{{vhost="/",queue="notifier.findings.dead"}} 1 {AT}
# TYPE up gauge
up{{job="chat",instance="10.0.0.1:9201"}} 1 {AT}
up{{job="detector",instance="10.0.0.2:9204"}} 1 {AT}
up{{job="detector",instance="10.0.0.3:9204"}} 1 {AT}
up{{job="detector",instance="10.0.0.4:9204"}} 0 {AT}
up{{job="notifier",instance="10.0.0.5:9205"}} 0 {AT}
up{{job="rabbitmq",instance="10.0.0.6:15692"}} 1 {AT}
# TYPE sakimori_sensor_shedding gauge
sakimori_sensor_shedding{{instance="10.0.0.1:9203"}} 0 {AT}
sakimori_sensor_shedding{{instance="10.0.0.2:9203"}} 1 {AT}
# TYPE sakimori_sensor_packets counter
sakimori_sensor_packets_total{{instance="10.0.0.1:9203"}} 90000 {AT - 40}
sakimori_sensor_packets_total{{instance="10.0.0.1:9203"}} 92000 {AT - 20}
sakimori_sensor_packets_total{{instance="10.0.0.1:9203"}} 94000 {AT}
# TYPE sakimori_sensor_bytes counter
sakimori_sensor_bytes_total{{instance="10.0.0.1:9203"}} 1000000 {AT - 40}
sakimori_sensor_bytes_total{{instance="10.0.0.1:9203"}} 1002000 {AT - 20}
sakimori_sensor_bytes_total{{instance="10.0.0.1:9203"}} 1004000 {AT}
# TYPE sakimori_sensor_ring_drops counter
sakimori_sensor_ring_drops_total{{interface="eth0"}} 500 {AT - 40}
sakimori_sensor_ring_drops_total{{interface="eth0"}} 520 {AT - 20}
sakimori_sensor_ring_drops_total{{interface="eth0"}} 580 {AT}
# TYPE sakimori_sensor_events_dropped counter
sakimori_sensor_events_dropped_total{{reason="spool_full"}} 1000 {AT - 40}
sakimori_sensor_events_dropped_total{{reason="spool_full"}} 1002 {AT - 20}
sakimori_sensor_events_dropped_total{{reason="spool_full"}} 1004 {AT}
# TYPE sakimori_collector_lines_spooled gauge
sakimori_collector_lines_spooled{{source="syslog_udp"}} 40 {AT}
sakimori_collector_lines_spooled{{source="http"}} 2 {AT}
# TYPE sakimori_collector_lines_received counter
sakimori_collector_lines_received_total{{source="http"}} 91000 {AT - 40}
sakimori_collector_lines_received_total{{source="http"}} 91600 {AT - 20}
sakimori_collector_lines_received_total{{source="http"}} 92200 {AT}
sakimori_collector_lines_received_total{{source="web-1"}} 10000 {AT - 40}
sakimori_collector_lines_received_total{{source="web-1"}} 10200 {AT - 20}
sakimori_collector_lines_received_total{{source="web-1"}} 10400 {AT}
# TYPE sakimori_collector_lines_rejected counter
sakimori_collector_lines_rejected_total{{source="web-1"}} 1000 {AT - 40}
sakimori_collector_lines_rejected_total{{source="web-1"}} 1020 {AT - 20}
sakimori_collector_lines_rejected_total{{source="web-1"}} 1040 {AT}
# TYPE sakimori_collector_lines_dropped counter
sakimori_collector_lines_dropped_total{{source="syslog_udp"}} 500 {AT - 40}
sakimori_collector_lines_dropped_total{{source="syslog_udp"}} 502 {AT - 20}
sakimori_collector_lines_dropped_total{{source="syslog_udp"}} 504 {AT}
# TYPE sakimori_collector_events_stored counter
sakimori_collector_events_stored_total{{instance="10.0.0.1:9202"}} 50000 {AT - 40}
sakimori_collector_events_stored_total{{instance="10.0.0.1:9202"}} 50500 {AT - 20}
sakimori_collector_events_stored_total{{instance="10.0.0.1:9202"}} 51000 {AT}
# TYPE sakimori_chat_live_connections gauge
sakimori_chat_live_connections{{instance="10.0.0.1:9201"}} 30 {AT}
sakimori_chat_live_connections{{instance="10.0.0.2:9201"}} 12 {AT}
# TYPE sakimori_chat_events_dropped counter
sakimori_chat_events_dropped_total{{reason="spool_full"}} 1000 {AT - 40}
sakimori_chat_events_dropped_total{{reason="spool_full"}} 1002 {AT - 20}
sakimori_chat_events_dropped_total{{reason="spool_full"}} 1004 {AT}
# TYPE sakimori_chat_posts counter
sakimori_chat_posts_total{{outcome="posted"}} 1000 {AT - 40}
sakimori_chat_posts_total{{outcome="posted"}} 1100 {AT - 20}
sakimori_chat_posts_total{{outcome="posted"}} 1200 {AT}
sakimori_chat_posts_total{{outcome="held"}} 100 {AT - 40}
sakimori_chat_posts_total{{outcome="held"}} 120 {AT - 20}
sakimori_chat_posts_total{{outcome="held"}} 140 {AT}
sakimori_chat_posts_total{{outcome="rate_limited"}} 1000 {AT - 40}
sakimori_chat_posts_total{{outcome="rate_limited"}} 1040 {AT - 20}
sakimori_chat_posts_total{{outcome="rate_limited"}} 1080 {AT}
# TYPE sakimori_chat_requests_shed counter
sakimori_chat_requests_shed_total{{instance="10.0.0.1:9201"}} 9000 {AT - 40}
sakimori_chat_requests_shed_total{{instance="10.0.0.1:9201"}} 9400 {AT - 20}
sakimori_chat_requests_shed_total{{instance="10.0.0.1:9201"}} 9800 {AT}
# TYPE sakimori_chat_live_refusals counter
sakimori_chat_live_refusals_total{{reason="origin_refused"}} 1000 {AT - 40}
sakimori_chat_live_refusals_total{{reason="origin_refused"}} 1020 {AT - 20}
sakimori_chat_live_refusals_total{{reason="origin_refused"}} 1040 {AT}
# TYPE sakimori_bot_active_connections gauge
sakimori_bot_active_connections{{transport="tcp",instance="10.0.0.1:9201"}} 3 {AT}
sakimori_bot_active_connections{{transport="tcp",instance="10.0.0.2:9201"}} 2 {AT}
sakimori_bot_active_connections{{transport="websocket",instance="10.0.0.2:9201"}} 1 {AT}
# TYPE sakimori_bot_refusals counter
sakimori_bot_refusals_total{{code="signature_wrong"}} 1000 {AT - 40}
sakimori_bot_refusals_total{{code="signature_wrong"}} 1010 {AT - 20}
sakimori_bot_refusals_total{{code="signature_wrong"}} 1020 {AT}
# EOF
"""

EXPECTED: dict[str, dict[str, float]] = {
    "Dead letters": {"": 3},
    "Queue depth": {"collector.events": 7, "detector.events": 12, "chat.decisions": 0},
    "Dead letters by queue": {"detector.events.dead": 2, "notifier.findings.dead": 1},
    "Shedding": {"": 1},
    "Lost events": {"": 6},  # 4 in 40 s; Prometheus reckons with the 60 s around them
    "Packets per second": {"": 100},
    "Bits per second": {"": 800},
    "Packets lost per second": {"eth0": 2},
    "Lines per second": {"": 40},
    "Lines on disk": {"": 42},
    "Lines rejected": {"": 60},
    "Lines lost": {"": 6},
    "Lines by source": {"http": 30, "web-1": 10},
    "Lines rejected by source": {"web-1": 1},
    "Rows stored per second": {"": 25},
    "Live connections": {"": 42},
    "Chat events lost": {"": 6},
    "Posts per second": {"posted": 5, "held": 1},
    "Post refusals by code": {"rate_limited": 2},
    "Chat requests shed": {"": 20},
    "WebSockets refused": {"origin_refused": 1},
    "Bot connections": {"tcp": 5, "websocket": 1},
    "Bot refusals by code": {"signature_wrong": 0.5},
    "Replicas that answer": {"chat": 1, "detector": 2, "notifier": 0},
}


@pytest.fixture(scope="module")
def url(prometheus: Prometheus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that holds SAMPLES and scrapes nothing."""
    folder: Path = tmp_path_factory.mktemp("prometheus")
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    (folder / "samples").write_text(SAMPLES)
    prometheus.promtool(folder, "tsdb", "create-blocks-from", "openmetrics", "samples", "data")
    with prometheus.serve(folder) as url:
        yield url


def test_every_prometheus_panel_has_its_expected_series_here() -> None:
    assert {*queries(PROMETHEUS)} == {*EXPECTED}


@pytest.mark.parametrize("panel", EXPECTED)
def test_a_panel_shows_the_known_series(url: str, panel: str) -> None:
    parameters = urlencode({"query": queries(PROMETHEUS)[panel].text, "time": AT + 10})
    with urllib.request.urlopen(f"{url}/api/v1/query?{parameters}", timeout=10) as response:
        result = json.load(response)["data"]["result"]
    assert {next(iter(one["metric"].values()), ""): float(one["value"][1]) for one in result} == EXPECTED[panel]

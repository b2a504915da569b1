"""Metrics of the packet-sensor. Of a capture they are counted when it was read."""

from prometheus_client import CollectorRegistry, Counter

from sakimori_packet_sensor.domain.sensor import Counts


class SensorMetrics:
    """What went through the sensor."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.captures_total = Counter(
            "sakimori_sensor_captures_total",
            "Captures by result: read, cut (read up to a damage), refused (no capture).",
            ["result"],
            registry=registry,
        )
        self.packets_total = Counter("sakimori_sensor_packets_total", "Packets read.", registry=registry)
        self.bytes_total = Counter("sakimori_sensor_bytes_total", "Their bytes on the wire.", registry=registry)
        self.undecoded_total = Counter(
            "sakimori_sensor_undecoded_total",
            "Packets whose headers could not be read, by reason.",
            ["reason"],
            registry=registry,
        )
        self.malformed_total = Counter(
            "sakimori_sensor_malformed_total",
            "Payloads on a protocol's port that are none of its messages, by protocol.",
            ["protocol"],
            registry=registry,
        )
        self.flows_total = Counter("sakimori_sensor_flows_total", "Flows begun.", registry=registry)
        self.flows_evicted_total = Counter(
            "sakimori_sensor_flows_evicted_total",
            "Flows reported early because there were too many at once.",
            registry=registry,
        )

    def add(self, counts: Counts) -> None:
        """Add what one capture held."""
        self.packets_total.inc(counts.packets)
        self.bytes_total.inc(counts.bytes)
        self.flows_total.inc(counts.flows)
        self.flows_evicted_total.inc(counts.evicted)
        for reason, count in counts.undecoded.items():
            self.undecoded_total.labels(reason).inc(count)
        for protocol, count in counts.malformed.items():
            self.malformed_total.labels(protocol).inc(count)

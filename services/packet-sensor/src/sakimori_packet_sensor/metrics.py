"""Metrics of the packet-sensor. Of a capture they are counted when it was read, of an interface twice a second."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from sakimori_common.bus.outbox import OutboxMetrics
from sakimori_packet_sensor.domain.tally import Tally


class SensorMetrics:
    """What went through the sensor, from captures and interfaces alike."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._traffic(registry)
        self._live(registry)
        self._output(registry)

    def _traffic(self, registry: CollectorRegistry) -> None:
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

        self.flows_shed_total = Counter(
            "sakimori_sensor_flows_shed_total",
            "Flows that were not followed since the bus was away or too slow.",
            registry=registry,
        )
        self.packets_shed_total = Counter(
            "sakimori_sensor_packets_shed_total", "Packets of those flows.", registry=registry
        )
        self.streams_given_up_total = Counter(
            "sakimori_sensor_streams_given_up_total",
            "Conversations no longer read since all together held too much.",
            registry=registry,
        )
        self.anomalies_total = Counter(
            "sakimori_sensor_anomalies_total",
            "Packets whose headers are wrong or hostile, by reason.",
            ["reason"],
            registry=registry,
        )

    def _live(self, registry: CollectorRegistry) -> None:
        self.ring_drops_total = Counter(
            "sakimori_sensor_ring_drops_total",
            "Packets that the kernel dropped since the ring was full.",
            ["interface"],
            registry=registry,
        )
        self.ring_freezes_total = Counter(
            "sakimori_sensor_ring_freezes_total",
            "Times that the ring was full.",
            ["interface"],
            registry=registry,
        )
        self.workers = Gauge(
            "sakimori_sensor_workers", "Workers that capture just now.", ["interface"], registry=registry
        )
        self.workers_wanted = Gauge(
            "sakimori_sensor_workers_wanted", "Workers that should capture.", ["interface"], registry=registry
        )
        self.worker_restarts_total = Counter(
            "sakimori_sensor_worker_restarts_total",
            "Times that a worker ended by itself and was started again.",
            ["interface"],
            registry=registry,
        )

    def _output(self, registry: CollectorRegistry) -> None:
        self.events_dropped_total = Counter(
            "sakimori_sensor_events_dropped_total",
            "Live events that are lost, by reason: spool_full, spool_error, worker (the service was too slow).",
            ["reason"],
            registry=registry,
        )
        self.events_spooled_total = Counter(
            "sakimori_sensor_events_spooled_total", "Live events that went to disk first.", registry=registry
        )
        self.spool_bytes = Gauge("sakimori_sensor_spool_bytes", "Live events on disk, in bytes.", registry=registry)
        self.outbox_events = Gauge("sakimori_sensor_outbox_events", "Live events waiting in memory.", registry=registry)
        self.is_shedding = Gauge(
            "sakimori_sensor_shedding", "1 while no new flows are followed, else 0.", registry=registry
        )
        self.devices_known = Gauge("sakimori_sensor_devices_known", "Devices in the registry.", registry=registry)
        self.device_store_failures_total = Counter(
            "sakimori_sensor_device_store_failures_total",
            "Times that the database did not take what is new of devices; it is tried again.",
            registry=registry,
        )

    @property
    def outbox(self) -> OutboxMetrics:
        """What the outbox of live events counts."""
        return OutboxMetrics(self.events_dropped_total, self.events_spooled_total, self.spool_bytes, self.outbox_events)

    def add(self, tally: Tally) -> None:
        """Add what one capture held, or came since the last time."""
        for family, total in (
            (self.packets_total, "packets"),
            (self.bytes_total, "bytes"),
            (self.streams_given_up_total, "streams_given_up"),
            (self.flows_total, "flows"),
            (self.flows_evicted_total, "flows_evicted"),
            (self.flows_shed_total, "flows_shed"),
            (self.packets_shed_total, "packets_shed"),
        ):
            family.inc(tally.totals.get(total, 0))
        for family, counts in (
            (self.undecoded_total, tally.undecoded),
            (self.malformed_total, tally.malformed),
            (self.anomalies_total, tally.anomalies),
        ):
            for label, count in counts.items():
                family.labels(label).inc(count)

    def add_live(self, interface: str, tally: Tally) -> None:
        """Add what came of an interface since the last time."""
        self.add(tally)
        self.ring_drops_total.labels(interface).inc(tally.totals.get("ring_drops", 0))
        self.ring_freezes_total.labels(interface).inc(tally.totals.get("ring_freezes", 0))
        self.events_dropped_total.labels("worker").inc(tally.totals.get("events_lost", 0))

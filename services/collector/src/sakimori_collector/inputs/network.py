"""The listening inputs that the settings ask for."""

import zoneinfo

from sakimori_collector.domain.wire.listening import parse_listeners
from sakimori_collector.domain.wire.peers import Peers, Rates, parse_networks, parse_peer_names
from sakimori_collector.inputs.gelf import GelfTcp, GelfUdp
from sakimori_collector.inputs.site import HALF_MESSAGE_SECONDS, Limits, Site
from sakimori_collector.inputs.syslog_stream import SyslogStream, server_tls
from sakimori_collector.inputs.syslog_udp import SyslogUdp
from sakimori_collector.intake import Intake
from sakimori_collector.metrics import CollectorMetrics
from sakimori_collector.ports import Input
from sakimori_collector.settings import CollectorSettings
from sakimori_common.context import ServiceContext


def network_inputs(
    settings: CollectorSettings, context: ServiceContext, intake: Intake, metrics: CollectorMetrics
) -> list[Input]:
    """Make them; none for an empty setting. Raises OSError when a file of TLS cannot be read."""
    site = Site(
        intake=intake,
        metrics=metrics,
        log=context.log,
        instance=context.instance,
        zone=zoneinfo.ZoneInfo(settings.timezone),
        peers=Peers(parse_networks(settings.peer_networks), parse_peer_names(settings.peer_names)),
        rates=Rates(settings.peer_lines_per_second),
        limits=Limits(
            message_bytes=settings.max_message_bytes,
            connections=settings.max_connections,
            idle_seconds=settings.idle_seconds,
            half_message_seconds=min(settings.idle_seconds, HALF_MESSAGE_SECONDS),
            buffer_bytes=settings.udp_buffer_bytes,
        ),
    )
    inputs: list[Input] = []
    if listeners := parse_listeners(settings.syslog_udp):
        inputs.append(SyslogUdp(site, listeners))
    if listeners := parse_listeners(settings.syslog_tcp):
        inputs.append(SyslogStream(site, listeners))
    if (listeners := parse_listeners(settings.syslog_tls)) and settings.syslog_tls_certificate is not None:
        tls = server_tls(settings.syslog_tls_certificate, settings.syslog_tls_key, settings.syslog_tls_client_ca)
        inputs.append(SyslogStream(site, listeners, tls))
    if listeners := parse_listeners(settings.gelf_udp):
        inputs.append(GelfUdp(site, listeners))
    if listeners := parse_listeners(settings.gelf_tcp):
        inputs.append(GelfTcp(site, listeners))
    return inputs

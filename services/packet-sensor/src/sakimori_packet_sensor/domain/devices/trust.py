"""How far a device is to be trusted by what the sensor sees of it, from 0 to 1, with the reasons.

A pure function. The gateway adds what it knows: findings about the device, and what an operator decided.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from sakimori_common.contracts import worth_of_quiet


class TrustParameters(msgspec.Struct, frozen=True):
    """What each thing weighs; the score is their sum, kept within 0 and 1."""

    start: float = 0.5
    known_type: float = 0.1
    unknown_type: float = -0.1
    random_mac: float = -0.05
    remote_shell: float = -0.25
    """Telnet is offered."""
    plain_files: float = -0.1
    """FTP or TFTP is offered."""
    plain_credentials: float = -0.15
    default_community: float = -0.15
    address_taken: float = -0.3
    scanning: float = -0.3
    scanning_ends: int = 30
    """Addresses and ports that did not answer within an hour, from which on it looks like a scan."""
    malformed: float = -0.1
    malformed_messages: int = 5
    anomalies: float = -0.1
    anomalous_packets: int = 5


DEFAULT: Final = TrustParameters()


class Known(msgspec.Struct, frozen=True):
    """What the sensor knows of a device that has to do with trust. `counts` are those of `device.Device`."""

    type: str = "unknown"
    is_random_mac: bool = False
    offered: Sequence[str] = ()
    counts: Mapping[str, int] = {}


class Reason(NamedTuple):
    """What adds to the score, or takes from it, in words."""

    text: str
    weight: float


class Trust(NamedTuple):
    """A score from 0 to 1 and why, the heaviest reasons first."""

    score: float
    reasons: tuple[Reason, ...]


def trust(known: Known, parameters: TrustParameters = DEFAULT) -> Trust:
    """Score a device by what it does, without regard to how long it has been quiet."""
    return _sum(parameters, _by_sight(known, parameters))


def with_quiet_days(
    trusted: Trust, now: int, first_seen: int, troubled_at: int, parameters: TrustParameters = DEFAULT
) -> Trust:
    """Add what a quiet history is worth, since the device came or last did what costs trust; times in microseconds."""
    days, worth = worth_of_quiet(max(first_seen, troubled_at), now)
    if not days:
        return trusted
    quiet = Reason(f"{days} days without trouble", worth)
    return _sum(parameters, (*trusted.reasons, quiet))


def _sum(parameters: TrustParameters, reasons: Iterable[Reason]) -> Trust:
    ordered = tuple(sorted(reasons, key=lambda reason: (-abs(reason.weight), reason.text)))
    score = parameters.start + sum(reason.weight for reason in ordered)
    return Trust(round(min(max(score, 0.0), 1.0), 4), ordered)


def _by_sight(known: Known, weights: TrustParameters) -> Iterable[Reason]:
    if known.type == "unknown":
        yield Reason("it is not known what it is", weights.unknown_type)
    else:
        yield Reason("it is known what it is", weights.known_type)
    if known.is_random_mac:
        yield Reason("its MAC address is a random one", weights.random_mac)
    yield from _by_services(known, weights)
    yield from _by_counts(known.counts, weights)


def _by_services(known: Known, weights: TrustParameters) -> Iterable[Reason]:
    ports = {service.partition(" ")[0] for service in known.offered}
    names = {name for service in known.offered for name in service.split()[1:2]}
    if "telnet" in names or ports & {"tcp/23", "tcp/2323"}:
        yield Reason("it offers Telnet", weights.remote_shell)
    if names & {"ftp", "tftp"} or ports & {"tcp/21", "udp/69"}:
        yield Reason("it offers FTP or TFTP", weights.plain_files)


def _by_counts(counts: Mapping[str, int], weights: TrustParameters) -> Iterable[Reason]:
    if counts.get("plain_credentials"):
        yield Reason("it sent credentials unencrypted", weights.plain_credentials)
    if counts.get("default_community"):
        yield Reason("it answers to a default SNMP community", weights.default_community)
    if counts.get("address_taken"):
        yield Reason("it took another device's address", weights.address_taken)
    if (ends := counts.get("unanswered", 0)) >= weights.scanning_ends:
        yield Reason(f"{ends} addresses and ports that it tried within an hour did not answer", weights.scanning)
    if counts.get("malformed", 0) >= weights.malformed_messages:
        yield Reason("it sends malformed messages", weights.malformed)
    if counts.get("anomalies", 0) >= weights.anomalous_packets:
        yield Reason("it sends packets with wrong headers", weights.anomalies)

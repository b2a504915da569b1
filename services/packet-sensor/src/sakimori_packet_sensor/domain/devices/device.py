"""What is known of one device, bounded in every direction."""

from typing import Final

import msgspec

MAX_ADDRESSES: Final = 32
MAX_SIGNS: Final = 64
"""Of one kind (`dns`, `uses`, ...): a resolver asks for thousands of names, the first ones tell as much."""
MAX_KINDS: Final = 48
MAX_SERVICES: Final = 64
MAX_PEERS: Final = 64
MAX_HOURS: Final = 48
MAX_TRIED: Final = 256
SCAN_ENDS: Final = 30
"""So many unanswered attempts within an hour are trouble."""

HOUR: Final = 3_600_000_000


class Address(msgspec.Struct, gc=False):
    """An IP address of a device: when it was seen with it, and whether the device itself claimed it."""

    first_seen: int
    last_seen: int
    is_claimed: bool


class Hour(msgspec.Struct, gc=False):
    """The traffic of an hour; bytes of IP packets, in and out as the device has it."""

    bytes_in: int = 0
    bytes_out: int = 0
    packets_in: int = 0
    packets_out: int = 0
    flows: int = 0


class Device:
    """One MAC address. Times are microseconds since the epoch, by the events' own clock."""

    __slots__ = (
        "addresses", "asked_at", "counts", "first_seen", "foreign", "has_news", "hours", "is_carrier", "is_online",
        "last_seen",
        "mac", "manufacturer", "names", "offered", "peers", "probes", "signs", "tried", "tried_since", "troubled_at",
        "used",
    )  # fmt: skip

    def __init__(self, mac: str, time: int, manufacturer: str) -> None:
        self.mac = mac
        self.manufacturer = manufacturer
        self.first_seen = self.last_seen = time
        self.addresses: dict[str, Address] = {}
        self.names: dict[str, str] = {}  # by where it was said: dhcp, mdns, nbns
        self.signs: dict[str, dict[str, None]] = {}  # by kind, in the order they came
        self.offered: dict[str, None] = {}
        self.used: dict[str, None] = {}
        self.peers: dict[str, int] = {}  # bytes by address
        self.hours: dict[int, Hour] = {}
        self.counts: dict[str, int] = {}  # what happened how often
        self.asked_at = self.probes = 0  # when it last asked for a lease; ARP probes since
        self.tried: set[str] = set()  # ends that did not answer, of the hour since tried_since
        self.tried_since = time
        self.troubled_at = 0
        self.foreign: set[str] = set()
        self.is_carrier = False
        self.has_news = False  # something that is worth an event, since this was last taken back
        self.is_online = True

    def show(self, sign: str) -> bool:
        """Add a sign; says whether it is new."""
        if not sign:
            return False
        kind = sign.partition(":")[0]
        known = self.signs.get(kind)
        if known is None:
            if len(self.signs) >= MAX_KINDS:
                return False
            known = self.signs[kind] = {}
        if sign in known or len(known) >= MAX_SIGNS:
            return False
        known[sign] = None
        self.has_news = True
        return True

    def all_signs(self) -> list[str]:
        """List the signs, kind by kind."""
        return [sign for known in self.signs.values() for sign in known]

    def hold(self, ip: str, time: int, *, is_claimed: bool) -> bool:
        """Take an address as its own; says whether that is news. The one that was silent longest makes room."""
        known = self.addresses.get(ip)
        if known is not None:
            known.last_seen = max(known.last_seen, time)
            known.first_seen = min(known.first_seen, time)
            known.is_claimed |= is_claimed
            return False
        if len(self.addresses) >= MAX_ADDRESSES:
            oldest = min(
                self.addresses, key=lambda each: (self.addresses[each].is_claimed, self.addresses[each].last_seen)
            )
            del self.addresses[oldest]
        self.addresses[ip] = Address(time, time, is_claimed)
        self.has_news = True
        return True

    def call(self, where: str, name: str) -> None:
        """Take a host name, by where it was said."""
        if self.names.get(where) != name[:255]:
            self.names[where] = name[:255]
            self.has_news = True

    def offer(self, service: str) -> bool:
        """Add a service that it offers; says whether it is new."""
        return self._add(self.offered, service)

    def use(self, service: str) -> bool:
        """Add a service that it uses; says whether it is new."""
        return self._add(self.used, service)

    def meet(self, ip: str, traffic_bytes: int) -> None:
        """Count traffic with a peer; when there are too many, the one of least traffic goes."""
        known = self.peers.get(ip)
        if known is None and len(self.peers) >= MAX_PEERS:
            del self.peers[min(self.peers, key=self.peers.__getitem__)]
        self.peers[ip] = (known or 0) + traffic_bytes

    def move(self, time: int, inward: tuple[int, int], outward: tuple[int, int]) -> None:
        """Count a flow in the hour it began in: bytes and packets to the device, and from it."""
        start = time - time % HOUR
        hour = self.hours.get(start)
        if hour is None:
            if len(self.hours) >= MAX_HOURS:
                oldest = min(self.hours)
                if start < oldest:
                    return
                del self.hours[oldest]
            hour = self.hours[start] = Hour()
        hour.bytes_in += inward[0]
        hour.packets_in += inward[1]
        hour.bytes_out += outward[0]
        hour.packets_out += outward[1]
        hour.flows += 1

    def attempt(self, end: str, time: int) -> None:
        """Count an address and port that did not answer, of the last hour; the most of an hour is kept as a count."""
        if time - self.tried_since > HOUR:
            self.tried.clear()
            self.tried_since = time
        if len(self.tried) < MAX_TRIED and end not in self.tried:
            self.tried.add(end)
            self.counts["unanswered"] = max(self.counts.get("unanswered", 0), len(self.tried))
            if len(self.tried) == SCAN_ENDS:
                self.has_news = True
                self.troubled_at = max(self.troubled_at, time)

    def count(self, what: str) -> None:
        """Count something by its name; names are few, being those of the program."""
        self.counts[what] = self.counts.get(what, 0) + 1

    def trouble(self, what: str, time: int) -> bool:
        """Count something that costs trust; says whether it is the first time."""
        self.count(what)
        self.has_news = True
        self.troubled_at = max(self.troubled_at, time)
        return self.counts[what] == 1

    def _add(self, known: dict[str, None], item: str) -> bool:
        if item in known or len(known) >= MAX_SERVICES:
            return False
        known[item] = None
        self.has_news = True
        return True

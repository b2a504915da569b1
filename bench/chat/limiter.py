"""What the gate costs a post: one script in Valkey, beside a bare PING on the same connection in the same run."""

import statistics
import time
import uuid
from dataclasses import dataclass
from typing import Final

from sakimori_chat.adapters.gate import ValkeyGate
from sakimori_chat.domain.identity import Hasher
from sakimori_chat.domain.limits import Limits
from sakimori_chat.ports import Attempt
from sakimori_common.valkey import open_valkey

CALLS: Final = 10_000
_NETWORKS: Final = 500


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds: a PING and an admission at the 50th and 99th percentile, and the script itself, as Valkey counts it."""

    ping_p50: float
    ping_p99: float
    admit_p50: float
    admit_p99: float
    script_mean: float


async def measured(valkey_url: str) -> Cost:
    """Admit so many posts of many identities, some of them over their limits, one after another."""
    valkey = open_valkey(valkey_url)
    gate, hasher = ValkeyGate(valkey, Limits()), Hasher("a key of the bench")
    clients = [hasher.client(f"198.18.{number // 250}.{number % 250}", "Firefox", "en") for number in range(_NETWORKS)]
    identities = [str(uuid.uuid4()) for _ in clients]
    pings, admissions = [], []
    await valkey.ping()
    await gate.admit(Attempt(clients[0], identities[0], "lobby"))
    await valkey.config_resetstat()
    for number in range(CALLS):
        started = time.perf_counter()
        await valkey.ping()
        between = time.perf_counter()
        await gate.admit(Attempt(clients[number % _NETWORKS], identities[number % _NETWORKS], "lobby"))
        pings.append(between - started)
        admissions.append(time.perf_counter() - between)
    stats = await valkey.info("commandstats")
    await valkey.aclose()
    ping, admit = (statistics.quantiles(found, n=100, method="inclusive") for found in (pings, admissions))
    script = float(stats["cmdstat_evalsha"]["usec_per_call"]) / 1e6
    return Cost(ping[49], ping[98], admit[49], admit[98], script)

"""The list of blocks and throttles, as the gate's scripts keep it."""

from sakimori_chat.adapters.bans import ValkeyBans
from sakimori_chat.adapters.gate import BANS_KEY, ValkeyGate
from sakimori_chat.domain.enforcement import Measure
from sakimori_chat.domain.limits import Limits
from sakimori_common.context import Valkey

MIKA = "0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e"
AT = 1_768_528_800_000_000
"""2026-01-16T02:00:00Z."""


def _measure(kind: str, entity: str, seconds: int, *, automatic: bool = True, throttle: bool = False) -> Measure:
    return Measure(kind, entity, AT, seconds * 1000, automatic, is_throttle=throttle)


async def test_what_is_in_force_is_listed_by_its_end_with_who_decided_it(valkey: Valkey) -> None:
    gate, bans = ValkeyGate(valkey, Limits()), ValkeyBans(valkey)
    assert await bans.all(10) == []
    await gate.enforce(
        [
            _measure("user", MIKA, 60, automatic=False),
            _measure("fp", "00112233445566aa", 600),
            _measure("ip", "2001:db8:1:2::/64", 300, throttle=True),
            _measure("ip", "203.0.113.7", 30),
        ]
    )
    assert [(ban.entity_type, ban.entity, ban.action, ban.by) for ban in await bans.all(10)] == [
        ("client.fingerprint", "00112233445566aa", "block", "detector"),
        ("source.ip", "2001:db8:1:2::/64", "throttle", "detector"),
        ("user.id", MIKA, "block", "operator"),
        ("source.ip", "203.0.113.7", "block", "detector"),
    ]
    assert {ban.decided_at for ban in await bans.all(10)} == {"2026-01-16T02:00:00.000Z"}
    assert [ban.entity for ban in await bans.all(1)] == ["00112233445566aa"]


async def test_what_was_lifted_or_has_ended_is_not_listed(valkey: Valkey) -> None:
    gate, bans = ValkeyGate(valkey, Limits()), ValkeyBans(valkey)
    await gate.enforce([_measure("user", MIKA, 60), _measure("ip", "203.0.113.7", 60)])
    await gate.enforce([Measure("user", MIKA, AT + 1, 0, is_automatic=False)])
    assert [ban.entity for ban in await bans.all(10)] == ["203.0.113.7"]
    await valkey.delete("block:ip:203.0.113.7")  # as when it has expired
    assert await bans.all(10) == []
    await valkey.zadd(BANS_KEY, {"block:ip:203.0.113.8": 1})
    await gate.enforce([_measure("ip", "203.0.113.9", 60)])
    assert await valkey.zscore(BANS_KEY, "block:ip:203.0.113.8") is None
    assert await valkey.pttl(BANS_KEY) > 0


async def test_the_list_is_bounded_and_loses_what_ends_soonest(valkey: Valkey) -> None:
    await valkey.zadd(BANS_KEY, {f"block:ip:{number}": 4_000_000_000_000 + number for number in range(10_000)})
    await ValkeyGate(valkey, Limits()).enforce([_measure("ip", "203.0.113.9", 60)])
    assert await valkey.zcard(BANS_KEY) == 10_000
    assert await valkey.zscore(BANS_KEY, "block:ip:203.0.113.9") is None
    assert await valkey.pttl("block:ip:203.0.113.9") > 0

"""Mutes in Valkey, as operators list them."""

from sakimori_chat.adapters.mutes import ValkeyMutes
from sakimori_chat.domain.moderation import Mute
from sakimori_common.context import Valkey

MIKA = "0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e"
REN = "1c1f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e"


def _mute(user_id: str, seconds: int) -> Mute:
    return Mute(user_id=user_id, seconds=seconds, by="aoi", reason="spam", muted_at="2026-01-16T02:00:00.000Z")


async def test_a_mute_is_found_with_what_is_left_of_it_until_it_ends(valkey: Valkey) -> None:
    mutes = ValkeyMutes(valkey)
    assert await mutes.find(MIKA) is None
    await mutes.mute(_mute(MIKA, 60))
    assert await mutes.find(MIKA) == _mute(MIKA, 60)
    await valkey.pexpire(f"mute:{MIKA}", 30_000)
    assert await mutes.find(MIKA) == _mute(MIKA, 30)
    assert [await mutes.unmute(MIKA), await mutes.unmute(MIKA)] == [True, False]
    assert await mutes.find(MIKA) is None


async def test_a_mute_anew_takes_the_place_of_the_one_before(valkey: Valkey) -> None:
    mutes = ValkeyMutes(valkey)
    for seconds in (3600, 10):
        await mutes.mute(_mute(MIKA, seconds))
    await mutes.mute(_mute(REN, 60))
    assert [mute.user_id for mute in await mutes.all(10)] == [REN, MIKA]
    assert [mute.user_id for mute in await mutes.all(1)] == [REN]


async def test_a_mute_that_was_set_by_hand_counts_though_nobody_knows_whose_it_is(valkey: Valkey) -> None:
    await valkey.set(f"mute:{MIKA}", "1", ex=60)
    assert await ValkeyMutes(valkey).find(MIKA) == Mute(user_id=MIKA, seconds=60)


async def test_what_has_ended_leaves_the_list_with_the_next_mute(valkey: Valkey) -> None:
    await valkey.zadd("chat:mutes", {REN: 1_000_000})
    mutes = ValkeyMutes(valkey)
    assert await mutes.all(10) == []
    await mutes.mute(_mute(MIKA, 60))
    assert await valkey.zrange("chat:mutes", 0, -1) == [MIKA.encode()]

"""One suite for both states of the detector: windows, findings, folds, redelivery."""

import asyncio
import dataclasses
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sakimori_common.bus import Unavailable
from sakimori_common.context import Valkey
from sakimori_common.valkey import open_valkey
from sakimori_detector.adapters.memory import MemoryState
from sakimori_detector.adapters.valkey import ValkeyState
from sakimori_detector.domain.folds import Fold, Step, Write
from sakimori_detector.ports import Batch, DetectionState
from sakimori_detector.sigma.correlations import correlation_of
from sakimori_detector.sigma.judging import Settled, Verdict, judge
from sakimori_detector.sigma.windows import Group, Sign, Window

S = 1_000_000
START = 1_768_528_800 * S

FAILURES = Window("brute_force_attack", threshold=5, timespan=300 * S, hold=300 * S)
RATE = Window("rate_limit_exceeded", threshold=101, timespan=60 * S, hold=60 * S)
SINGLE = Window("sql_injection", threshold=1, timespan=0, hold=300 * S)
PORTS = Window("port_scan", threshold=20, timespan=60 * S, hold=60 * S, counts_values=True)


EVERY_KIND = (
    SINGLE,
    Window("count", 3, 5 * S, 7 * S),
    Window("distinct", 3, 5 * S, 7 * S, counts_values=True),
    Window("sum", 7, 5 * S, 7 * S, sums_values=True),
    Window("exceeds", 7, 5 * S, 7 * S, sums_values=True, is_strict=True),
    Window("together", 2, 6 * S, 7 * S, ways=(("00", "01"), ("02", "03", "04"))),
    Window("in_order", 3, 9 * S, 9 * S, ways=(("00", "01", "02"), ("03", "04")), is_ordered=True),
)


def signs(*seconds: float, prefix: str = "e") -> list[Sign]:
    return [Sign(START + round(second * S), f"{prefix}{number}") for number, second in enumerate(seconds)]


def batch(id: str, window: Window, found: Sequence[Sign], key: str = "203.0.113.42") -> Batch:
    return Batch(id, [Group(window, key, list(found))])


async def test_four_failures_are_none(state: DetectionState) -> None:
    assert await state.apply(batch("b", FAILURES, signs(0, 1, 2, 3))) == []


async def test_the_fifth_failure_at_300_seconds_fires(state: DetectionState) -> None:
    (outcome,) = await state.apply(batch("b", FAILURES, signs(0, 60, 120, 180, 300)))
    assert (outcome.count, outcome.is_opened) == (5, True)
    assert (outcome.first, outcome.last, outcome.anchor) == (START, START + 300 * S, START + 300 * S)
    assert outcome.event_ids == ["e0", "e1", "e2", "e3", "e4"]


async def test_five_failures_over_301_seconds_are_none(state: DetectionState) -> None:
    assert await state.apply(batch("b", FAILURES, signs(0, 60, 120, 180, 301))) == []


async def test_a_millisecond_over_300_seconds_is_too_much(state: DetectionState) -> None:
    assert await state.apply(batch("b", FAILURES, signs(0, 60, 120, 180, 300.001))) == []


async def test_the_window_slides(state: DetectionState) -> None:
    outcomes = await state.apply(batch("b", FAILURES, signs(0, 60, 120, 180, 301, 350)))
    assert [(outcome.count, outcome.first) for outcome in outcomes] == [(5, START + 60 * S)]


async def test_the_hundred_and_first_request_in_a_minute_fires(state: DetectionState) -> None:
    assert await state.apply(batch("b1", RATE, signs(*(number * 0.5 for number in range(100))))) == []
    (outcome,) = await state.apply(batch("b2", RATE, signs(55, prefix="last")))
    assert (outcome.count, outcome.event_ids[-1]) == (101, "last0")


async def test_signs_of_several_batches_add_up(state: DetectionState) -> None:
    for number in range(4):
        assert await state.apply(batch(f"b{number}", FAILURES, signs(number, prefix=f"{number}-"))) == []
    assert len(await state.apply(batch("b4", FAILURES, signs(4, prefix="4-")))) == 1


async def test_keys_are_counted_apart(state: DetectionState) -> None:
    assert await state.apply(batch("b1", FAILURES, signs(0, 1, 2, 3), key="203.0.113.1")) == []
    assert await state.apply(batch("b2", FAILURES, signs(4), key="203.0.113.2")) == []


async def test_one_event_is_enough_where_the_threshold_is_one(state: DetectionState) -> None:
    (outcome,) = await state.apply(batch("b", SINGLE, signs(0)))
    assert (outcome.count, outcome.is_opened, outcome.event_id) == (1, True, "e0")


async def test_a_repeat_updates_the_finding_once_a_batch(state: DetectionState) -> None:
    (opened,) = await state.apply(batch("b1", SINGLE, signs(0)))
    (updated,) = await state.apply(batch("b2", SINGLE, signs(100, 200, 300, prefix="r")))
    assert (updated.anchor, updated.is_opened) == (opened.anchor, False)
    assert (updated.count, updated.first, updated.last) == (4, START, START + 300 * S)
    assert updated.event_ids == ["e0", "r0", "r1", "r2"]


async def test_what_comes_after_the_window_opens_the_next_finding(state: DetectionState) -> None:
    (opened,) = await state.apply(batch("b1", SINGLE, signs(0)))
    (second,) = await state.apply(batch("b2", SINGLE, signs(301, prefix="r")))
    assert second.is_opened
    assert second.anchor != opened.anchor


async def test_a_batch_that_spans_two_findings_gives_both(state: DetectionState) -> None:
    outcomes = await state.apply(batch("b", SINGLE, signs(0, 10, 301, 302)))
    assert [(outcome.count, outcome.event_ids) for outcome in outcomes] == [(2, ["e0", "e1"]), (2, ["e2", "e3"])]


async def test_distinct_values_count_repeats_of_one_do_not(state: DetectionState) -> None:
    same = [Sign(START + number * S, f"s{number}", "22") for number in range(30)]
    assert await state.apply(batch("b1", PORTS, same)) == []
    others = [Sign(START + 31 * S, f"p{port}", str(port)) for port in range(100, 119)]
    (outcome,) = await state.apply(batch("b2", PORTS, others))
    assert outcome.count == 20
    assert outcome.event_ids[0] == "s29"


async def test_a_value_that_comes_again_stays_in_the_evidence(state: DetectionState) -> None:
    window = Window("rule", threshold=1, timespan=5 * S, hold=7 * S, counts_values=True)
    values = [Sign(START + 15 * S, "e2", "1"), Sign(START + 22 * S, "e3", "1")]
    await state.apply(batch("b1", window, [Sign(START, "e0", "0")]))
    (outcome,) = await state.apply(batch("b2", window, values))
    assert (outcome.count, outcome.last, outcome.event_ids) == (1, START + 22 * S, ["e2"])


async def test_twenty_ports_over_more_than_a_minute_are_none(state: DetectionState) -> None:
    slow = [Sign(START + number * 4 * S, f"p{number}", str(number)) for number in range(40)]
    assert await state.apply(batch("b", PORTS, slow)) == []


async def test_evidence_is_bounded_and_the_newest_last(state: DetectionState) -> None:
    (outcome,) = await state.apply(batch("b", RATE, signs(*(number * 0.1 for number in range(150)))))
    assert outcome.count == 150
    assert outcome.event_ids == [f"e{number}" for number in range(130, 150)]


async def test_the_same_event_in_another_batch_counts_once(state: DetectionState) -> None:
    assert await state.apply(batch("b1", FAILURES, signs(0, 1, 2, 3))) == []
    assert await state.apply(batch("b2", FAILURES, signs(0, 1, 2, 3))) == []


async def test_a_redelivered_batch_gives_the_same_outcomes_and_changes_nothing(state: DetectionState) -> None:
    five = batch("b1", FAILURES, signs(0, 1, 2, 3, 4))
    first = await state.apply(five)
    update = await state.apply(batch("b2", FAILURES, signs(5, prefix="r")))
    assert await state.apply(five) == first
    assert update[0].count == 6
    assert (await state.apply(batch("b3", FAILURES, signs(6, prefix="s"))))[0].count == 7


async def test_an_event_out_of_order_still_counts(state: DetectionState) -> None:
    (outcome,) = await state.apply(batch("b", FAILURES, signs(10, 8, 6, 4, 2)))
    assert (outcome.first, outcome.last) == (START + 2 * S, START + 10 * S)


async def test_logs_of_an_earlier_day_start_the_window_anew(state: DetectionState) -> None:
    assert await state.apply(batch("b1", FAILURES, signs(90_000, 90_001, 90_002, prefix="today"))) == []
    (outcome,) = await state.apply(batch("b2", FAILURES, signs(0, 1, 2, 3, 4)))
    assert outcome.event_ids == ["e0", "e1", "e2", "e3", "e4"]


async def test_a_note_comes_back_with_the_outcome(state: DetectionState) -> None:
    (outcome,) = await state.apply(batch("b", SINGLE, [Sign(START, "e", note='{"a": 1}')]))
    assert outcome.note == '{"a": 1}'


async def test_strange_keys_and_values_are_only_keys_and_values(state: DetectionState) -> None:
    values = [Sign(START, f"e{number}", "x" * 5000 + str(number)) for number in range(20)]
    (outcome,) = await state.apply(batch("b", PORTS, values, key="ключ\x1f\0\n{}"))
    assert (outcome.key, outcome.count) == ("ключ\x1f\0\n{}", 20)


def counting(key: str, time: int = START) -> Fold:
    """A fold that counts its calls and gives a sign for each."""

    def _step(values: Sequence[bytes | None]) -> Step:
        count = int(values[0] or b"0") + 1
        return Step([Write(str(count).encode(), 60)], [Group(SINGLE, key, [Sign(time, f"f{count}")])])

    return Fold((key,), time, _step)


async def test_a_fold_reads_what_it_wrote_and_its_signs_count(state: DetectionState) -> None:
    (first,) = await state.apply(Batch("b1", [], [counting("k")]))
    (second,) = await state.apply(Batch("b2", [], [counting("k")]))
    assert (first.event_id, second.event_id, second.count) == ("f1", "f2", 2)


async def test_a_redelivered_fold_is_not_run_again(state: DetectionState) -> None:
    first = await state.apply(Batch("b1", [], [counting("k")]))
    assert await state.apply(Batch("b1", [], [counting("k")])) == first
    (second,) = await state.apply(Batch("b2", [], [counting("k")]))
    assert second.event_id == "f2"


async def test_a_fold_may_leave_a_key_alone(state: DetectionState) -> None:
    await state.apply(Batch("b1", [], [counting("k")]))
    await state.apply(Batch("b2", [], [Fold(("k",), START, lambda _: Step([None], []))]))
    (outcome,) = await state.apply(Batch("b3", [], [counting("k")]))
    assert outcome.event_id == "f2"


arrivals = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5)), min_size=1, max_size=150)


@given(window=st.sampled_from(EVERY_KIND), found=arrivals, cut=st.integers(1, 40), lateness=st.sampled_from([0, 4, 60]))
@example(window=SINGLE, found=[(0, 0)] * 3 + [(1, 0)] + [(0, 0)] * 4, cut=1, lateness=0)  # the newest is taken back
@example(  # taken back by one that is late
    window=SINGLE, found=[(1, 0), (0, 0), (0, 0), (1, 0), (0, 0), (0, 0), (0, 0), (1, 0)], cut=1, lateness=0
)
@example(  # late by the one that was taken back
    window=EVERY_KIND[1], found=[(second, 0) for second in (14, 10, 16, 18, 4, 2, 7, 17)], cut=1, lateness=0
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_both_states_come_to_the_same(
    valkey: Valkey, window: Window, found: list[tuple[int, int]], cut: int, lateness: int
) -> None:
    await valkey.flushall()
    counted = [
        Sign(
            START + second * S,
            f"e{number}",
            str(value) if window.sums_values else f"{value:02}",
            "n",
            replaces=f"e{number - 3}" if number % 7 == 6 else "",
        )
        for number, (second, value) in enumerate(found)
    ]
    memory, shared = MemoryState(lateness=lateness * S), ValkeyState(valkey, lateness * S)
    for number in range(0, len(counted), cut):
        part = batch(f"b{number}", window, counted[number : number + cut])
        assert await shared.apply(part) == await memory.apply(part)


SILENCE = Window("fewer_than_three", 1, 10 * S, 10 * S, is_judged=True)
FEWER = correlation_of(
    {"type": "event_count", "rules": ["login"], "timespan": "10s", "condition": {"lt": 3}, "group-by": ["source.ip"]}
)


def waiting(id: str, *seconds: float, arrived: float | None = None) -> Batch:
    at = max(seconds) if arrived is None else arrived
    found = [sign._replace(sample=f'"{sign.event_id}"') for sign in signs(*seconds, prefix=id)]
    return Batch(id, [Group(SILENCE, "203.0.113.42", found)], arrived_at=START + round(at * S))


async def judged(state: DetectionState, second: float) -> list[tuple[int, float]]:
    """Judge what is over at a second; the first sign and the count of each window that holds."""
    settled = [
        Settled(SILENCE, ripe, judge(SILENCE, FEWER, ripe, state.lateness))
        for ripe in await state.ripe(START + round(second * S))
    ]
    await state.settle(settled)
    return [((outcome.first - START) // S, outcome.observed) for each in settled for outcome in each.verdict.outcomes]


async def test_a_window_is_judged_once_it_is_over_and_late_ones_were_waited_for(state: DetectionState) -> None:
    assert await state.apply(waiting("b", 0, 4)) == []
    assert await judged(state, 70) == []
    assert await judged(state, 70.1) == [(0, 2)]
    assert await judged(state, 1000) == []


async def test_a_latecomer_counts_as_long_as_its_window_is_not_judged(state: DetectionState) -> None:
    await state.apply(waiting("b1", 0, 9))
    await state.apply(waiting("b2", 4, arrived=60))
    assert await judged(state, 1000) == []


async def test_events_that_come_faster_than_they_happened_are_judged_by_their_own_time(state: DetectionState) -> None:
    await state.apply(waiting("b1", 0, 4, 100, arrived=100_000))
    assert await judged(state, 100_000) == [(0, 2)]
    await state.apply(waiting("b2", 101, 102, arrived=100_001))
    assert await judged(state, 100_001) == []
    assert await judged(state, 200_000) == []


async def test_what_comes_after_the_judgement_waits_apart(state: DetectionState) -> None:
    await state.apply(waiting("b1", 0, 4))
    assert await judged(state, 1000) == [(0, 2)]
    await state.apply(waiting("b2", 5, arrived=1000))
    assert await judged(state, 2000) == [(5, 1)]


async def test_what_is_not_settled_is_judged_again(state: DetectionState) -> None:
    await state.apply(waiting("b", 0, 4))
    (ripe,) = await state.ripe(START + 1000 * S)
    (again,) = await state.ripe(START + 1000 * S)
    assert (ripe.id, ripe.signs) == (again.id, again.signs)
    assert await judged(state, 1000) == [(0, 2)]


async def test_two_that_judge_the_same_settle_it_once(state: DetectionState) -> None:
    await state.apply(waiting("b1", 0, 4))
    (ripe,) = await state.ripe(START + 1000 * S)
    settled = Settled(SILENCE, ripe, judge(SILENCE, FEWER, ripe, state.lateness))
    await state.apply(waiting("b2", 500, arrived=1000))
    await state.settle([settled])
    await state.settle([settled])
    assert await judged(state, 5000) == [(500, 1)]


async def test_windows_of_a_rule_that_is_gone_are_put_away(state: DetectionState) -> None:
    await state.apply(waiting("b", 0, 4))
    (ripe,) = await state.ripe(START + 1000 * S)
    await state.settle([Settled(None, ripe, Verdict([], ripe.judged, []))])
    assert await state.ripe(START + 1000 * S) == []


async def test_a_redelivered_batch_waits_once(state: DetectionState) -> None:
    await state.apply(waiting("b", 0, 4))
    await state.apply(waiting("b", 0, 4))
    await state.apply(Batch("c", waiting("b", 0, 4).groups, arrived_at=START))
    assert await judged(state, 1000) == [(0, 2)]


async def test_a_key_keeps_a_bounded_number_of_signs_that_wait(state: DetectionState) -> None:
    await state.apply(waiting("b", *(number / 1000 for number in range(2500))))
    (ripe,) = await state.ripe(START + 1000 * S)
    assert len(ripe.signs) == 2000
    assert sum(bool(sign.sample) for sign in ripe.signs) <= 8


async def test_a_sign_may_take_the_place_of_another(state: DetectionState) -> None:
    assert await state.apply(batch("b1", FAILURES, signs(10, 11, 12, 13))) == []
    moved = Sign(START + 9 * S, "again", replaces="e0")
    assert await state.apply(batch("b2", FAILURES, [moved])) == []
    (outcome,) = await state.apply(batch("b3", FAILURES, signs(14, prefix="last")))
    assert (outcome.count, outcome.first) == (5, START + 9 * S)


async def test_a_finding_is_told_anew_when_one_of_its_signs_has_moved_away(state: DetectionState) -> None:
    (opened,) = await state.apply(batch("b1", FAILURES, signs(400, 401, 402, 403, 404, 405)))
    moved = Sign(START + 350 * S, "again", replaces="e5")
    (told,) = await state.apply(batch("b2", FAILURES, [moved]))
    assert (opened.count, opened.last, told.count, told.last) == (6, START + 405 * S, 6, START + 404 * S)


async def test_an_earlier_event_moves_the_anchor_and_the_finding_says_from_where(state: DetectionState) -> None:
    (opened,) = await state.apply(batch("b1", FAILURES, signs(10, 20, 30, 40, 50)))
    (moved,) = await state.apply(batch("b2", FAILURES, signs(5, prefix="late")))
    assert (opened.anchor, opened.is_opened, opened.replaced) == (START + 50 * S, True, -1)
    assert (moved.anchor, moved.is_opened, moved.replaced) == (START + 40 * S, False, START + 50 * S)
    assert (moved.count, moved.first, moved.last) == (6, START + 5 * S, START + 50 * S)


async def test_an_event_beyond_the_lateness_moves_nothing(state: DetectionState) -> None:
    (opened,) = await state.apply(batch("b1", FAILURES, signs(0, 10, 20, 30, 40)))
    (updated,) = await state.apply(batch("b2", FAILURES, signs(200, prefix="later")))
    (late,) = await state.apply(batch("b3", FAILURES, signs(35, prefix="late")))
    assert opened.anchor == updated.anchor == late.anchor == START + 40 * S
    assert (updated.count, late.count, late.last) == (6, 7, START + 200 * S)


async def test_an_old_event_does_not_disturb_the_window_of_today(state: DetectionState) -> None:
    assert await state.apply(batch("b1", FAILURES, signs(90_000, 90_001, prefix="today"))) == []
    assert await state.apply(batch("b2", FAILURES, signs(0, prefix="old"))) == []
    (outcome,) = await state.apply(batch("b3", FAILURES, signs(90_002, 90_003, 90_004, prefix="again")))
    assert outcome.count == 5


async def test_one_old_event_is_enough_where_one_is(state: DetectionState) -> None:
    await state.apply(batch("b1", SINGLE, signs(1_000_000, prefix="today")))
    (outcome,) = await state.apply(batch("b2", SINGLE, signs(0, prefix="old")))
    assert (outcome.is_opened, outcome.first, outcome.event_id) == (True, START, "old0")


async def test_a_rule_that_counts_otherwise_since_a_reload_goes_on_with_what_is_there(state: DetectionState) -> None:
    for number, window in enumerate((FAILURES, *EVERY_KIND, FAILURES)):
        changed = dataclasses.replace(window, rule_id="brute_force_attack")
        found = [Sign(START + number * S, f"e{number}", "01")]
        await state.apply(batch(f"b{number}", changed, found))
    (outcome,) = await state.apply(batch("last", FAILURES, signs(20, 21, 22, 23, prefix="last")))
    assert outcome.count >= 5


async def test_a_sum_of_more_than_a_key_keeps_is_complete_and_its_memory_bounded(state: DetectionState) -> None:
    exfiltration = Window("exfiltration", 3000, 3600 * S, 3600 * S, sums_values=True)
    outcomes = []
    for number in range(60):
        found = [Sign(START + (number * 50 + i) * S, f"e{number}-{i}", "1") for i in range(50)]
        outcomes += await state.apply(batch(f"b{number}", exfiltration, found))
    assert [(outcome.observed, outcome.anchor) for outcome in outcomes] == [(3000, START + 2999 * S)]


async def test_a_sum_forgets_what_is_older_than_its_timespan_when_it_is_joined(state: DetectionState) -> None:
    exfiltration = Window("exfiltration", 2000, 1500 * S, 1500 * S, sums_values=True)
    for number in range(100):
        found = [Sign(START + (number * 50 + i) * S, f"e{number}-{i}", "1") for i in range(50)]
        assert await state.apply(batch(f"b{number}", exfiltration, found)) == []


async def test_keys_that_look_like_those_of_latecomers_are_keys_of_their_own(state: DetectionState) -> None:
    await state.apply(batch("b1", FAILURES, signs(90_000), key="ann"))
    await state.apply(batch("b2", FAILURES, signs(0, 1, 2, prefix="late"), key="ann"))
    assert await state.apply(batch("b3", FAILURES, signs(0, 1, 2, prefix="other"), key="ann:late")) == []


async def test_windows_outlive_a_restart_of_the_detector(valkey: Valkey) -> None:
    assert await ValkeyState(valkey).apply(batch("b1", FAILURES, signs(0, 1, 2, 3))) == []
    await ValkeyState(valkey).apply(waiting("b2", 0, 4))
    restarted = ValkeyState(valkey)
    (outcome,) = await restarted.apply(batch("b3", FAILURES, signs(4, prefix="last")))
    assert outcome.count == 5
    assert await judged(restarted, 1000) == [(0, 2)]


async def test_memory_in_valkey_is_bounded_a_key_and_expires(valkey: Valkey) -> None:
    state = ValkeyState(valkey)
    for number in range(40):
        await state.apply(
            batch(f"b{number}", RATE, signs(*(number + i / 100 for i in range(100)), prefix=f"{number}-"))
        )
    (name,) = await valkey.keys("detector:window:*")
    assert (await valkey.memory_usage(name) or 0) < 24_000
    assert 0 < await valkey.ttl(name) <= 60 + 60 + 60 + 900


async def test_memory_forgets_windows_that_are_over_and_never_exceeds_its_bound() -> None:
    state = MemoryState(max_keys=50)
    for number in range(200):
        await state.apply(batch(f"b{number}", SINGLE, signs(number * 3600, prefix=f"{number}-"), key=str(number)))
    assert len(state._windows) <= 3
    for number in range(200):
        await state.apply(batch(f"c{number}", SINGLE, signs(720_000, prefix=f"{number}-"), key=str(number)))
    assert len(state._windows) == 50


async def test_a_valkey_that_is_away_is_unavailable() -> None:
    client = open_valkey("redis://127.0.0.1:1")
    with pytest.raises(Unavailable):
        await ValkeyState(client).apply(batch("b", SINGLE, signs(0)))
    await client.aclose()


async def test_a_full_valkey_is_unavailable_and_counts_once_it_has_room(valkey: Valkey) -> None:
    state = ValkeyState(valkey)
    await valkey.config_set("maxmemory", "1mb")
    await valkey.config_set("maxmemory-policy", "noeviction")
    try:
        with pytest.raises(Unavailable):
            await state.apply(batch("b", SINGLE, signs(0)))
    finally:
        await valkey.config_set("maxmemory", "0")
    assert len(await state.apply(batch("b", SINGLE, signs(0)))) == 1


async def test_replicas_that_fold_the_same_key_at_once_lose_no_step(valkey: Valkey) -> None:
    states = [ValkeyState(valkey) for _ in range(4)]
    tasks = [states[number % 4].apply(Batch(f"b{number}", [], [counting("k")])) for number in range(12)]
    outcomes = await asyncio.gather(*tasks)
    assert sorted(each.event_id for found in outcomes for each in found) == sorted(f"f{n}" for n in range(1, 13))

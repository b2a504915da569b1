"""What windows find depends on the signs, not on their order within the lateness nor on where batches are cut."""

from collections.abc import Iterable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from sakimori_detector.sigma.sliding import KeyWindow
from sakimori_detector.sigma.windows import Group, Outcome, Sign, Window

S = 1_000_000
START = 1_768_528_800 * S
LATENESS = 6 * S

COUNT = Window("count", 3, 5 * S, 7 * S)
SINGLE = Window("single", 1, 0, 7 * S)
LONG_HOLD = Window("long", 2, 5 * S, 20 * S)
SHORT_HOLD = Window("short", 2, 9 * S, 2 * S)
DISTINCT = Window("distinct", 3, 5 * S, 7 * S, counts_values=True)
SUM = Window("sum", 7, 5 * S, 7 * S, sums_values=True)
TOGETHER = Window("together", 2, 6 * S, 7 * S, ways=(("00", "01"), ("02", "03", "04")))
IN_ORDER = Window("in order", 3, 9 * S, 9 * S, ways=(("00", "01", "02"), ("03", "04")), is_ordered=True)
WINDOWS = (COUNT, SINGLE, LONG_HOLD, SHORT_HOLD, DISTINCT, SUM, TOGETHER, IN_ORDER)

Summary = dict[int, tuple[int, int, int, float]]


def final(window: Window, outcomes: Iterable[Outcome]) -> Summary:
    """What is there in the end, by the part of the id that time decides: first, last, count and value."""
    found: Summary = {}
    for outcome in outcomes:
        if outcome.replaced >= 0:
            found.pop(outcome.replaced // window.hold, None)
        found[outcome.anchor // window.hold] = (outcome.first, outcome.last, outcome.count, outcome.observed)
    return found


def naive(window: Window, signs: Sequence[Sign]) -> Summary:
    """The same by brute force over all signs in order, nothing forgotten."""
    found: Summary = {}
    inside: list[Sign] = []
    anchor = -window.hold - 1
    ordered = sorted(signs, key=lambda sign: (sign.time, sign.value, sign.event_id))
    for place, sign in enumerate(ordered):
        if inside and sign.time <= anchor + window.hold:
            inside.append(sign)
        else:
            inside = completing(window, ordered[: place + 1])
            anchor = sign.time
        if inside:
            found[anchor // window.hold] = summary(window, inside)
    return found


def completing(window: Window, signs: Sequence[Sign]) -> list[Sign]:
    """The shortest run of the newest signs that completes the window."""
    near = [sign for sign in signs if sign.time >= signs[-1].time - window.timespan]
    for start in range(len(near) - 1, -1, -1):
        run = near[start:]
        if is_complete(window, run):
            return without_the_needless(window, run)
    return []


def is_complete(window: Window, run: Sequence[Sign]) -> bool:
    if window.is_ordered:
        return any(way[-1] == run[-1].value and has_in_order(way, run) for way in window.ways)
    if window.ways:
        return any({sign.value for sign in run} >= set(way) for way in window.ways)
    if window.counts_values:
        return len({sign.value for sign in run}) >= window.threshold
    if window.sums_values:
        return sum(float(sign.value) for sign in run) >= window.threshold
    return len(run) >= window.threshold


def has_in_order(way: Sequence[str], run: Sequence[Sign]) -> bool:
    values = iter(sign.value for sign in run)
    return all(any(value == each for each in values) for value in way)


def without_the_needless(window: Window, run: list[Sign]) -> list[Sign]:
    """Of a shortest run, what counts: of distinct values one sign each, of ways one sign for each of their rules."""
    if window.is_ordered:
        for way in window.ways:
            if way[-1] == run[-1].value and has_in_order(way, run):
                return [Sign(run[0].time, "", value) for value in way[:-1]] + [run[-1]]
    if window.ways:
        for way in window.ways:
            if {sign.value for sign in run} >= set(way):
                return [Sign(run[0].time, "", value) for value in way if value != run[-1].value] + [run[-1]]
    return run


def summary(window: Window, inside: Sequence[Sign]) -> tuple[int, int, int, float]:
    first, last = min(sign.time for sign in inside), max(sign.time for sign in inside)
    distinct = len({sign.value for sign in inside})
    if window.counts_values:
        return first, last, distinct, distinct
    if window.ways:
        return first, last, len(inside), distinct
    total = sum(float(sign.value) for sign in inside) if window.sums_values else len(inside)
    return first, last, len(inside), total


streams = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5), st.floats(0, 1)), min_size=1, max_size=60)


def made(stream: Sequence[tuple[int, int, float]], window: Window) -> list[tuple[Sign, float]]:
    """Signs, each with the time at which it arrives: at most the lateness after its own."""
    return [
        (
            Sign(START + second * S, f"e{number:02}", str(value) if window.sums_values else f"{value:02}"),
            second * S + late * window.reach(LATENESS),
        )
        for number, (second, value, late) in enumerate(stream)
    ]


@given(window=st.sampled_from(WINDOWS), stream=streams, cuts=st.lists(st.integers(1, 9), min_size=1))
@settings(max_examples=500, deadline=None)
def test_any_order_within_the_lateness_and_any_batches_come_to_the_same(
    window: Window, stream: list[tuple[int, int, float]], cuts: list[int]
) -> None:
    arrivals = [sign for sign, _ in sorted(made(stream, window), key=lambda pair: pair[1])]
    key, outcomes, at = KeyWindow(), [], 0
    while at < len(arrivals):
        size = cuts[at % len(cuts)]
        outcomes += key.observe(Group(window, "key", arrivals[at : at + size]), LATENESS)
        at += size
    assert final(window, outcomes) == naive(window, arrivals)

"""Ban evasion and the risk of chat fingerprints: who is one person and who is an office."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector_run import START, Run, S, chat, limited
from sakimori_common.contracts import Event
from sakimori_detector.domain.folds import Fold, Step, Write
from sakimori_detector.ports import Batch

BOTH = ("ban_evasion", "chat_high_risk")


def risk(run: Run, fingerprint: str = "fp") -> bytes | None:
    return run.state.value(f"risk:fp:{fingerprint}")


async def test_two_changes_after_a_limit_are_exactly_one_finding() -> None:
    run = Run("ban_evasion")
    await run.feed(chat(0, "a"), limited(10, "a"), chat(20, "b"), chat(25, "b"))
    assert run.found == []
    (found,) = await run.feed(chat(30, "c"))
    assert found.finding.details == {
        "event": "security.evasion_suspected",
        "prev_anon": "a",
        "new_anon": "c",
        "changes_10min": 2,
        "trigger_event": "chat.message_posted",
        "evidence": "follows_limit +1, during_ban +0.5",
    }
    await run.feed(chat(60, "d"))
    assert len(run.opened("ban_evasion")) == 1


async def test_an_evasion_after_the_cooldown_is_a_new_finding() -> None:
    run = Run("ban_evasion")
    await run.feed(limited(10, "a"), chat(20, "b"), chat(30, "c"), chat(200, "d"))
    assert len(run.opened("ban_evasion")) == 2


async def test_changes_without_a_limit_are_nothing() -> None:
    run = Run(*BOTH)
    await run.feed(*(chat(number, f"visitor-{number}") for number in range(20)))
    assert run.found == []
    assert risk(run) is None


async def test_two_people_behind_one_address_with_one_browser_of_whom_one_is_limited() -> None:
    run = Run(*BOTH)
    await run.feed(chat(0, "troll"), chat(1, "neighbour"), limited(10, "troll"))
    await run.feed(*(chat(11 + number, "neighbour") for number in range(30)), chat(50, "troll"))
    assert run.found == []
    assert risk(run) is None


async def test_a_second_person_who_comes_right_after_the_limit_is_not_refused() -> None:
    run = Run(*BOTH)
    await run.feed(chat(0, "troll"), limited(10, "troll"), chat(15, "neighbour"), chat(20, "neighbour"))
    assert run.found == []
    assert risk(run) == b"5"
    await run.feed(chat(45, "troll"))
    assert risk(run) == b"0"


async def test_an_office_of_five_of_whom_one_is_limited_and_one_is_new() -> None:
    run = Run(*BOTH)
    people = ["ann", "bob", "cid", "dee"]
    await run.feed(*(chat(number, name) for number, name in enumerate([*people, *people])))
    await run.feed(limited(10, "ann"), *(chat(20 + number, name) for number, name in enumerate([*people[1:], "eve"])))
    await run.feed(*(chat(60 + number, name) for number, name in enumerate([*people, "eve"])))
    assert run.found == []
    assert risk(run) == b"0"


async def test_newcomers_after_the_limited_one_waited_and_came_back_are_nobodys_disguise() -> None:
    run = Run(*BOTH)
    await run.feed(limited(0, "ann"), chat(31, "ann"), chat(40, "bob"), chat(50, "cid"), chat(60, "dee"))
    assert run.found == []
    assert risk(run) is None


async def test_newcomers_of_a_shared_fingerprint_count_only_while_the_ban_runs() -> None:
    run = Run(*BOTH)
    await run.feed(chat(0, "ann"), chat(1, "bob"), chat(2, "ann"), limited(10, "ann"))
    await run.feed(chat(100, "cid"), chat(110, "dee"), chat(120, "eve"))
    assert run.found == []
    assert risk(run) is None


async def test_a_newcomer_of_a_shared_fingerprint_counts_once_it_is_limited_itself() -> None:
    run = Run(*BOTH)
    await run.feed(chat(0, "ann"), chat(1, "bob"), chat(2, "ann"), limited(10, "ann"))
    await run.feed(chat(100, "cid"), limited(105, "cid"), chat(150, "dee"), limited(155, "dee"))
    (evasion,) = run.opened("ban_evasion")
    assert evasion.finding.details["evidence"] == "follows_limit +1, shared -0.5, limited_too +0.5"
    assert risk(run) == b"10"


async def test_colleagues_who_all_arrive_after_the_limit_are_let_in_again_as_soon_as_they_prove_to_be_several() -> None:
    run = Run(*BOTH)
    await run.feed(limited(0, "ann"), chat(40, "bob"), chat(50, "cid"))
    assert risk(run) == b"10"
    refused = "security.high_risk_block"
    (update,) = await run.feed(chat(60, "bob", refused))
    assert risk(run) == b"5"
    assert (update.outcome.is_opened, update.measure is not None and update.measure.seconds) == (False, 0)
    assert "it was another person after all" in update.finding.details["reason"]
    await run.feed(chat(70, "cid", refused), chat(80, "ann"))
    assert risk(run) == b"0"
    assert run.measures() == [None, 300, 0]


async def test_whoever_floods_under_each_identity_does_not_get_points_back_by_using_old_cookies() -> None:
    run = Run("chat_high_risk")
    await run.feed(limited(0, "a"), chat(5, "b"), limited(6, "b"), chat(10, "c"), limited(11, "c"))
    await run.feed(chat(50, "a"), chat(51, "b"), chat(52, "c"))
    assert risk(run) == b"10"
    assert run.measures() == [300]


async def test_a_cookie_older_than_the_limit_was_there_before() -> None:
    run = Run(*BOTH)
    await run.feed(limited(100, "a"))
    await run.feed(chat(110, "b", client__cookie_age_seconds=3600), chat(115, "c", client__cookie_age_seconds=16))
    assert risk(run) is None
    await run.feed(chat(120, "d", client__cookie_age_seconds=2))
    assert risk(run) == b"5"


async def test_a_cookie_given_out_after_the_limit_within_the_same_second_is_no_older_one() -> None:
    """Given out at 100.97, it is said to be a second old at 101.003: the source counts in whole seconds."""
    run = Run(*BOTH)
    await run.feed(limited(100.91, "a"), chat(101.003, "b", client__cookie_age_seconds=1))
    assert risk(run) == b"5"
    await run.feed(chat(101.91, "c", client__cookie_age_seconds=2))
    assert risk(run) == b"5"


@pytest.mark.parametrize("age", [-5, float("nan"), float("inf"), 10**15, "old", None, True])
async def test_an_age_that_is_none_says_nothing(age: Any) -> None:
    run = Run(*BOTH)
    await run.feed(limited(100, "a"), chat(110, "b", client__cookie_age_seconds=age))
    assert risk(run) == b"5"


@pytest.mark.parametrize("seconds", [-5, 0, float("nan"), float("inf"), 10**15, "long", None])
async def test_a_ban_of_strange_length_is_no_traceback(seconds: Any) -> None:
    run = Run(*BOTH)
    await run.feed(limited(100, "a", chat__block_seconds=seconds), chat(110, "b"))
    assert risk(run) == b"5"


async def test_another_language_is_another_person() -> None:
    run = Run(*BOTH)
    await run.feed(chat(0, "a", client__language_hash="ja"), limited(10, "a", client__language_hash="ja"))
    await run.feed(chat(20, "b", client__language_hash="en"), chat(21, "c", client__language_hash="ja"))
    assert risk(run) == b"5"


@pytest.mark.parametrize("scope", ["fingerprint", "address"])
async def test_a_limit_of_the_whole_fingerprint_is_nobodys_limit(scope: str) -> None:
    run = Run(*BOTH)
    await run.feed(limited(0, "a", chat__limit_scope=scope), chat(5, "b"), chat(6, "c"))
    assert run.found == []
    assert risk(run) is None


async def test_a_block_by_decision_is_nobodys_limit() -> None:
    run = Run(*BOTH)
    attempt = chat(0, "a", "security.blocked_action_attempt", chat__block_reason="decision", chat__block_seconds=300)
    await run.feed(attempt, chat(5, "b"), chat(6, "c"))
    assert run.found == []


async def test_a_change_long_after_the_limit_does_not_count() -> None:
    run = Run("ban_evasion")
    await run.feed(limited(0, "a"), chat(601, "b"), chat(602, "c"))
    assert run.found == []


async def test_changes_over_more_than_ten_minutes_do_not_add_up() -> None:
    run = Run("ban_evasion")
    await run.feed(limited(0, "a"), chat(10, "b"), limited(500, "b"), chat(620, "c"))
    assert run.found == []


async def test_another_fingerprint_is_another_person() -> None:
    run = Run("ban_evasion")
    await run.feed(limited(0, "a"), chat(10, "b", fingerprint="other"), chat(11, "c", fingerprint="third"))
    assert run.found == []


async def test_a_newcomer_who_is_refused_for_the_fingerprints_sake_is_no_change() -> None:
    run = Run("chat_high_risk")
    await run.feed(limited(0, "a"), chat(10, "b"), chat(20, "c", "security.high_risk_block"), chat(30, "c"))
    assert risk(run) == b"5"


async def test_an_event_that_arrives_late_proves_nothing() -> None:
    run = Run("chat_high_risk")
    await run.feed(limited(10, "a"), chat(20, "b"), chat(15, "a", "security.blocked_action_attempt"))
    assert risk(run) == b"5"


async def test_memory_of_a_fingerprint_is_bounded() -> None:
    run = Run("ban_evasion")
    await run.feed(*(limited(number / 10, f"{number:036}") for number in range(300)))
    kept = run.state.value("detector:identities:ban_evasion:fp")
    assert kept is not None
    assert len(kept) < 14_000
    await run.feed(chat(40, "x" * 65), chat(41, "y" * 60_000), chat(42, "z", fingerprint="f" * 65))
    assert run.state.value("detector:identities:ban_evasion:fp") == kept


users = st.sampled_from("abcd")
actions = st.sampled_from(
    ["chat.message_posted"] * 3 + ["security.rate_limit_hit", "security.high_risk_block", "security.csrf_failed"]
)


@given(steps=st.lists(st.tuples(users, actions, st.integers(-5, 60)), max_size=40))
@settings(max_examples=60, deadline=None)
async def test_whatever_happens_risk_is_never_below_none_and_never_more_than_was_given(
    steps: list[tuple[str, str, int]],
) -> None:
    run, time = Run("chat_high_risk"), 0
    for user, action, gap in steps:
        time += gap
        await run.feed(chat(time, user, action))
    score = int(risk(run) or b"0")
    assert 0 <= score <= 5 * 4 * len(steps)
    assert all(seconds in {0, 300, 3600, 86_400} for seconds in run.measures())


async def test_risk_climbs_by_five_and_crossing_eight_is_one_finding() -> None:
    run = Run("chat_high_risk")
    await run.feed(limited(0, "a"), chat(10, "b"))
    assert risk(run) == b"5"
    assert run.found == []
    (found,) = await run.feed(chat(20, "c"))
    assert risk(run) == b"10"
    assert (found.finding.details["risk_score"], found.finding.details["event"]) == (10, "security.risk_escalated")
    await run.feed(chat(25, "c"))
    assert len(run.found) == 1


@pytest.mark.parametrize(
    ("changes", "score", "measures"),
    [
        (1, b"5", []),
        (2, b"10", [300]),
        (3, b"15", [300, 3600]),
        (5, b"25", [300, 3600]),
        (6, b"30", [300, 3600, 86_400]),
    ],
)
async def test_each_rung_of_the_ladder_has_its_measure(changes: int, score: bytes, measures: list[int]) -> None:
    run = Run("chat_high_risk")
    await run.feed(limited(0, "a"), *(chat(1 + number, f"new-{number}") for number in range(changes)))
    assert risk(run) == score
    assert run.measures() == measures


async def test_risk_halves_in_half_an_hour() -> None:
    run = Run("chat_high_risk")
    await run.feed(limited(0, "a"), chat(10, "b"), chat(11, "c"))
    assert risk(run) == b"10"
    await run.feed(chat(11 + 900, "c"))
    assert risk(run) == b"7"
    await run.feed(chat(11 + 1800, "c"))
    assert risk(run) == b"5"


async def test_a_score_stands_until_chat_should_admit_again_and_never_over_an_hour() -> None:
    run = Run("chat_high_risk")
    written: list[Write] = []

    async def feed(event: Event) -> None:
        for fold in run.engine.evaluate([event]).folds:
            written.extend(
                write for write in fold.step([run.state.value(key) for key in fold.keys]).writes[1:] if write
            )
        await run.feed(event)

    for event in [limited(0, "a"), chat(10, "b"), chat(10, "c"), chat(11, "d"), chat(12, "e"), chat(13, "f")]:
        await feed(event)
    assert [(write.value, write.ttl_seconds) for write in written] == [
        (b"5", 3600),
        (b"10", 747),
        (b"15", 1799),
        (b"20", 2546),
        (b"25", 3125),
    ]


async def test_risk_is_forgotten_an_hour_after_the_last_change() -> None:
    run = Run("chat_high_risk")
    await run.feed(limited(0, "a"), chat(10, "b"), limited(3700, "b"), chat(3710, "c"))
    assert risk(run) == b"5"
    assert run.found == []


async def by_hand(run: Run, value: bytes | None, seconds: int = 0) -> None:
    write = Write(value, 3600) if value is not None else Write(b"", -1)
    fold = Fold(("risk:fp:fp",), START + seconds * S, lambda _: Step([write], []))
    await run.state.apply(Batch(f"by hand {seconds}", [], [fold]))


async def test_a_score_that_somebody_set_by_hand_counts() -> None:
    run = Run("chat_high_risk")
    await by_hand(run, b"7")
    await run.feed(limited(0, "a"))
    (found,) = await run.feed(chat(10, "b"))
    assert found.finding.details["risk_score"] == 12


@pytest.mark.parametrize("set_first", [True, False])
async def test_a_score_that_somebody_deleted_is_gone(set_first: bool) -> None:
    run = Run("chat_high_risk")
    if set_first:
        await by_hand(run, b"8")
        await run.feed(limited(0, "a"))
    else:
        await run.feed(limited(0, "a"), chat(10, "b"), chat(11, "c"))
    await by_hand(run, None, 20)
    await run.feed(chat(30, "a"))
    assert not (risk(run) or b"").strip(b"0")


@pytest.mark.parametrize("nonsense", [b"abc", b"-5", b"9" * 400, b"\xff\x00", b"1e9"])
async def test_a_score_that_is_no_number_counts_as_none(nonsense: bytes) -> None:
    run = Run("chat_high_risk")
    await by_hand(run, nonsense)
    await run.feed(limited(0, "a"), chat(10, "b"))
    assert risk(run) == b"5"

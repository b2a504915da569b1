"""The intake over real Valkey: rooms' policies, what checks object to, mutes; and what is reported of it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry

from sakimori_chat.adapters.gate import ValkeyGate
from sakimori_chat.adapters.held import KEPT, ValkeyHeld
from sakimori_chat.adapters.rooms import ValkeyRooms
from sakimori_chat.domain.checks import Check, Objection, Said
from sakimori_chat.domain.held import Held, HeldObjection
from sakimori_chat.domain.identity import Hasher
from sakimori_chat.domain.limits import Limits
from sakimori_chat.domain.occurrences import Occurrence, Origin
from sakimori_chat.domain.posting import Refusal
from sakimori_chat.domain.rooms import CheckName, CheckPolicy, Reaction, Room, RoomPolicy
from sakimori_chat.intake import Intake, Posted, Submission
from sakimori_chat.metrics import ChatMetrics
from sakimori_common.context import Valkey

MIKA = "0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e"
REN = "1c1f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e"
CLIENT = Hasher("a key of the server, long enough").client("203.0.113.7", "Firefox", "ja")


@dataclass
class Notebook:
    """A reporter that only remembers."""

    told: list[Occurrence] = field(default_factory=list)

    def report(self, occurrence: Occurrence) -> None:
        """See Reporter."""
        self.told.append(occurrence)

    @property
    def actions(self) -> list[str]:
        """Name what was reported."""
        return [occurrence.action.value for occurrence in self.told]


@dataclass(frozen=True)
class Casino:
    """A check that dislikes one word."""

    name: CheckName = CheckName.SPAM

    def objection(self, said: Said, policy: RoomPolicy) -> Objection | None:
        """See Check."""
        if "casino" not in said.text:
            return None
        return Objection(self.name, 0.93, policy.check(self.name).threshold or 0.8, ("the word 'casino'",))


@dataclass
class Counter:
    """The intake with what it works on."""

    intake: Intake
    rooms: ValkeyRooms
    held: ValkeyHeld
    notebook: Notebook

    async def say(self, text: str, policy: RoomPolicy | None = None, anon_id: str = MIKA, name: str = "") -> str:
        """Post; answers `posted` or the code of the refusal."""
        origin = Origin("trace-0001", "/chat/post", CLIENT, anon_id)
        room = Room(name="lobby", policy=policy or RoomPolicy())
        outcome = await self.intake.post(Submission(origin, anon_id, room, text, name))
        return "posted" if isinstance(outcome, Posted) else outcome.code

    async def seen_by(self, anon_id: str | None) -> list[str]:
        """Read the room as somebody."""
        return [message.text for message in (await self.rooms.after("lobby", 0, 100, anon_id)).messages]


def counter_of(valkey: Valkey, checks: Sequence[Check] = (), *, reports_text: bool = False) -> Counter:
    """Build an intake."""
    rooms, held, notebook = ValkeyRooms(valkey), ValkeyHeld(valkey), Notebook()
    intake = Intake(
        gate=ValkeyGate(valkey, Limits()),
        rooms=rooms,
        held=held,
        checks=checks,
        reporter=notebook,
        metrics=ChatMetrics(CollectorRegistry()),
        reports_text=reports_text,
    )
    return Counter(intake, rooms, held, notebook)


@pytest.fixture
async def counter(valkey: Valkey) -> AsyncIterator[Counter]:
    """An intake that dislikes casinos."""
    yield counter_of(valkey, [Casino()])


def _spam(reaction: Reaction, threshold: float | None = None) -> RoomPolicy:
    return RoomPolicy(checks={CheckName.SPAM: CheckPolicy(reaction=reaction, threshold=threshold)})


async def test_a_locked_room_takes_nothing_and_says_so(counter: Counter) -> None:
    assert await counter.say("hello", RoomPolicy(is_locked=True)) == "locked"
    assert await counter.seen_by(MIKA) == []
    (occurrence,) = counter.notebook.told
    assert occurrence.action == "security.locked_room_post"
    assert occurrence.fields["chat.room"] == "lobby"


async def test_slow_mode_lets_each_person_post_once_in_a_while(counter: Counter, valkey: Valkey) -> None:
    slow = RoomPolicy(slow_seconds=60)
    assert [await counter.say("one", slow), await counter.say("two", slow)] == ["posted", "slow"]
    assert await counter.say("somebody else", slow, REN) == "posted"
    assert await counter.say("the room was made quick again") == "posted"
    assert 59_000 < await valkey.pttl(f"slow:lobby:{MIKA}") <= 60_000
    assert counter.notebook.actions[1] == "security.slow_mode_hit"
    assert counter.notebook.told[1].fields["chat.block_seconds"] == 60


async def test_what_could_not_be_posted_does_not_start_the_wait(counter: Counter) -> None:
    slow = RoomPolicy(slow_seconds=60)
    assert [await counter.say(text, slow) for text in ("", "x" * 301, "now")] == ["empty", "too_long", "posted"]


async def test_who_hammers_at_slow_mode_is_banned(counter: Counter) -> None:
    slow = RoomPolicy(slow_seconds=60)
    codes = [await counter.say(f"{number}", slow) for number in range(7)]
    assert codes == ["posted", "slow", "slow", "slow", "slow", "rate_limited", "blocked"]


async def test_each_room_has_its_own_length(counter: Counter) -> None:
    short = RoomPolicy(max_characters=5)
    assert [await counter.say("12345", short), await counter.say("123456", short)] == ["posted", "too_long"]
    assert await counter.say("x" * 2000, RoomPolicy(max_characters=2000)) == "posted"


async def test_what_a_check_refuses_is_not_stored(counter: Counter) -> None:
    assert await counter.say("win at the casino", _spam(Reaction.REFUSE)) == "spam"
    assert await counter.seen_by(MIKA) == []
    assert counter.notebook.actions == ["security.message_flagged"]


async def test_what_a_check_holds_is_seen_by_its_author_alone_and_waits_for_an_operator(counter: Counter) -> None:
    assert await counter.say("win at the casino", _spam(Reaction.HOLD, 0.5), name="Mika") == "posted"
    assert (await counter.seen_by(MIKA), await counter.seen_by(REN), await counter.seen_by(None)) == (
        ["win at the casino"],
        [],
        [],
    )
    (waiting,) = await counter.held.waiting(10)
    objection = HeldObjection(CheckName.SPAM, 0.93, 0.5, ("the word 'casino'",))
    assert (waiting.room, waiting.author_id, waiting.name, waiting.text) == ("lobby", MIKA, "Mika", "win at the casino")
    assert waiting.objections == (objection,)
    draft = await counter.rooms.find("lobby", waiting.number)
    assert draft is not None
    assert draft.text == waiting.text


async def test_what_is_noted_is_shown_and_operators_are_told(counter: Counter) -> None:
    assert await counter.say("win at the casino", _spam(Reaction.NOTE)) == "posted"
    assert await counter.seen_by(REN) == ["win at the casino"]
    assert await counter.held.waiting(10) == []
    flagged, posted = counter.notebook.told
    assert flagged.fields["chat.check.name"] == "spam"
    assert flagged.fields["chat.check.score"] == 0.93
    assert flagged.fields["chat.check.threshold"] == 0.8
    assert flagged.fields["chat.reaction"] == "note"
    assert posted.action == "chat.message_posted"
    assert flagged.fields["chat.message.number"] == posted.fields["chat.message.number"] == 1
    assert "casino" not in str(counter.notebook.told)


async def test_a_check_that_is_off_does_not_run(counter: Counter) -> None:
    assert await counter.say("win at the casino", _spam(Reaction.OFF)) == "posted"
    assert counter.notebook.actions == ["chat.message_posted"]


async def test_who_is_muted_talks_to_nobody_and_does_not_notice(counter: Counter, valkey: Valkey) -> None:
    await valkey.set(f"mute:{MIKA}", "1", ex=60)
    assert await counter.say("can you hear me?") == "posted"
    assert await counter.say("win at the casino", _spam(Reaction.HOLD)) == "posted"
    assert await counter.seen_by(MIKA) == ["can you hear me?", "win at the casino"]
    assert await counter.seen_by(REN) == []
    assert await counter.held.waiting(10) == []
    assert counter.notebook.actions == ["security.muted_post", "security.message_flagged", "security.muted_post"]


@pytest.mark.parametrize("reports_text", [True, False])
async def test_the_text_is_in_the_event_only_where_that_was_asked_for(valkey: Valkey, reports_text: bool) -> None:
    counter = counter_of(valkey, reports_text=reports_text)
    await counter.say("a very particular text")
    (occurrence,) = counter.notebook.told
    assert ("chat.message.text" in occurrence.fields) is reports_text
    assert ("particular" in str(occurrence)) is reports_text


async def test_the_queue_is_bounded_newest_first_and_forgets_what_is_settled(valkey: Valkey) -> None:
    queue = ValkeyHeld(valkey)
    for number in range(KEPT + 5):
        at = f"2026-01-16T02:{number // 60 % 60:02}:{number % 60:02}.000Z"
        await queue.hold(Held("lobby", number, MIKA, "00112233445566aa", "", f"text {number}", at))
    waiting = await queue.waiting(KEPT + 100)
    assert [held.number for held in (waiting[0], waiting[-1])] == [KEPT + 4, 5]
    assert len(waiting) == KEPT
    assert [held.number for held in await queue.waiting(2)] == [KEPT + 4, KEPT + 3]
    assert [await queue.settle("lobby", KEPT + 4), await queue.settle("lobby", KEPT + 4)] == [True, False]
    assert (await queue.waiting(1))[0].number == KEPT + 3
    assert [await valkey.ttl(key) > 600_000 for key in ("chat:held", "chat:held:entries")] == [True, True]


async def test_a_refusal_is_one_thing_however_it_is_shown(counter: Counter) -> None:
    origin = Origin("trace-0001", "/chat/ws", CLIENT, MIKA)
    room = Room(name="lobby", policy=RoomPolicy(is_locked=True))
    outcome = await counter.intake.post(Submission(origin, MIKA, room, "hello"))
    assert isinstance(outcome, Refusal)
    assert (outcome.status, outcome.code, outcome.block_seconds) == (403, "locked", 0)
    assert counter.notebook.told[0].fields["url.path"] == "/chat/ws"

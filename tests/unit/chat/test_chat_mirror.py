"""A room in memory against a model of the store: whatever is missed, heard twice or taken away, nobody notices."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sakimori_chat.domain.messages import Draft, Page, Snapshot, is_seen_by
from sakimori_chat.domain.mirror import KEPT_MESSAGES, RoomMirror, Taken

ANN, BOB = "ann", "bob"


def _draft(text: str, author: str = ANN, *, is_private: bool = False, at: int = 0) -> Draft:
    return Draft(author, "", text, f"2026-01-01T00:00:{at % 60:02}.{at:06}Z", is_private=is_private)


@dataclass
class Store:
    """What Valkey keeps, and what it has published that the mirror has not heard yet."""

    entries: dict[int, Draft] = field(default_factory=dict)
    deleted: list[int] = field(default_factory=list)
    highest: int = 0
    moment: int = 0
    wire: list[tuple[int, Draft | None]] = field(default_factory=list)

    def say(self, author: str, *, is_private: bool) -> None:
        self.moment += 1
        self.highest += 1
        if self.highest == 1:
            self.deleted = []
        draft = _draft(f"message {self.moment}", author, is_private=is_private, at=self.moment)
        self.entries[self.highest] = draft
        for old in sorted(self.entries)[:-KEPT_MESSAGES]:
            del self.entries[old]
        self.wire.append((self.highest, draft))

    def delete(self, number: int) -> None:
        if self.entries.pop(number, None) is not None:
            self.deleted = [number, *self.deleted][:100]
            self.wire.append((number, None))

    def empty(self) -> None:
        self.entries, self.deleted, self.highest = {}, [], 0

    def snapshot(self) -> Snapshot:
        return Snapshot(list(self.entries.items()), list(self.deleted), self.highest)

    def seen(self, viewer: str) -> list[str]:
        return [draft.text for draft in self.entries.values() if is_seen_by(draft, viewer)]


@dataclass
class Screen:
    """What a browser shows: it appends what is said, takes off what is deleted, and begins anew when told to."""

    viewer: str
    told: int
    shown: dict[int, str] = field(default_factory=dict)

    def page(self, page: Page) -> None:
        if page.reset:
            self.shown = {}
        self.say((message.id, message.text) for message in page.messages)
        self.take_off(page.deleted)

    def say(self, messages: Iterator[tuple[int, str]]) -> None:
        for number, text in messages:
            assert number not in self.shown, "heard twice"
            assert number > max(self.shown, default=0), "out of order"
            self.shown[number] = text

    def take_off(self, numbers: list[int]) -> None:
        for number in numbers:
            self.shown.pop(number, None)


class Following(RuleBasedStateMachine):
    """People talk, operators delete, the subscription is cut and mended, listeners come, go and come back."""

    @initialize()
    def open(self) -> None:
        self.store = Store()
        self.mirror = RoomMirror(self.store.snapshot())
        self.is_cut = False
        self.screens: list[Screen] = []

    @rule(author=st.sampled_from([ANN, BOB]), is_private=st.booleans(), count=st.sampled_from([1, 1, 2, 5, 150]))
    def say(self, author: str, is_private: bool, count: int) -> None:
        for _ in range(count):
            self.store.say(author, is_private=is_private)

    @precondition(lambda self: self.store.entries)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        self.store.delete(data.draw(st.sampled_from(sorted(self.store.entries))))

    @rule()
    def empty(self) -> None:
        self.store.empty()
        if self.is_cut:  # not in the very moment between subscribing and reading: nobody could tell old from new then
            self.store.wire.clear()

    @precondition(lambda self: not self.is_cut)
    @rule(count=st.integers(1, 4))
    def begin_anew(self, count: int) -> None:
        self.settle()
        self.empty()
        self.say(BOB, is_private=False, count=count)
        self.settle()

    @rule()
    def cut(self) -> None:
        self.is_cut = True
        self.store.wire.clear()

    @rule(heard_twice=st.booleans())
    def mend(self, heard_twice: bool) -> None:
        """Subscribe, then read: what is published in between comes by both ways."""
        if self.is_cut:
            self.is_cut = False
            if not heard_twice:
                self.store.wire.clear()
            self.resume()

    @precondition(lambda self: not self.is_cut)
    @rule(count=st.integers(1, 300))
    def hear(self, count: int) -> None:
        heard, self.store.wire = self.store.wire[:count], self.store.wire[count:]
        for number, draft in heard:
            if draft is None:
                self.mirror.remove(number)
            elif self.mirror.take(number, draft) is Taken.UNSURE:
                self.resume()

    @rule(data=st.data())
    def tell_some(self, data: st.DataObject) -> None:
        """Tell some of the listeners; what nobody needs any more is forgotten."""
        for screen in self.screens:
            if data.draw(st.booleans()):
                self.tell(screen)
        self.mirror.forget(min((screen.told for screen in self.screens), default=self.mirror.head))

    def tell(self, screen: Screen) -> None:
        news, screen.told = self.mirror.news(screen.told), self.mirror.head
        seen = [(number, draft) for number, draft in news.messages if is_seen_by(draft, screen.viewer)]
        screen.say((number, draft.text) for number, draft in seen)
        screen.take_off(list(news.deleted))

    @precondition(lambda self: not self.is_cut)
    @rule()
    def settle(self) -> None:
        self.hear(len(self.store.wire))
        for screen in self.screens:
            self.tell(screen)

    @precondition(lambda self: not self.is_cut)
    @rule(data=st.data(), happens=st.lists(st.sampled_from(["say", "delete", "empty"]), min_size=1, max_size=5))
    def miss(self, data: st.DataObject, happens: list[str]) -> None:
        """Cut the subscription, let things happen, mend it."""
        self.settle()
        self.cut()
        for what in happens:
            if what == "say":
                self.say(ANN, is_private=False, count=1)
            elif what == "empty":
                self.empty()
            elif self.store.entries:
                self.delete(data)
        self.mend(heard_twice=data.draw(st.booleans()))
        self.settle()

    @precondition(lambda self: len(self.screens) < 4)
    @rule(viewer=st.sampled_from([ANN, BOB]))
    def join(self, viewer: str) -> None:
        screen = Screen(viewer, self.mirror.head)
        screen.page(self.mirror.page(None, KEPT_MESSAGES, viewer))
        self.screens.append(screen)

    @precondition(lambda self: self.screens)
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        """Reconnect with the number of the last frame, however long ago that was."""
        screen = data.draw(st.sampled_from(self.screens))
        after = max(screen.shown, default=0)
        page = self.mirror.page(after, KEPT_MESSAGES, screen.viewer)
        screen.told = self.mirror.head
        screen.page(page)

    def resume(self) -> None:
        if self.mirror.resume(self.store.snapshot()):
            for screen in self.screens:
                screen.told = self.mirror.head
                screen.page(self.mirror.anew(screen.viewer))

    @invariant()
    def what_is_shown_is_what_was_said_once_all_is_heard(self) -> None:
        if not hasattr(self, "store") or self.is_cut or self.store.wire:
            return
        for screen in self.screens:
            if screen.told < self.mirror.head:
                continue
            kept = self.store.seen(screen.viewer)
            shown = list(screen.shown.values())
            assert shown[len(shown) - len(kept) :] == kept


TestFollowing = Following.TestCase
TestFollowing.settings = settings(max_examples=200, stateful_step_count=20, deadline=None)


def test_a_hole_is_noticed() -> None:
    mirror = RoomMirror(Snapshot([(1, _draft("a"))], (), 1))
    assert mirror.take(3, _draft("c")) is Taken.UNSURE


def test_what_comes_twice_is_known() -> None:
    mirror = RoomMirror(Snapshot([(1, _draft("a"))], (), 1))
    assert mirror.take(1, _draft("a")) is Taken.KNOWN


def test_other_words_under_a_known_number_mean_that_the_room_began_anew() -> None:
    mirror = RoomMirror(Snapshot([(1, _draft("a"))], (), 1))
    assert mirror.take(1, _draft("b", at=1)) is Taken.UNSURE
    assert mirror.resume(Snapshot([(1, _draft("b", at=1)), (2, _draft("c", at=2))], (), 2))
    assert [message.text for message in mirror.page(None, 10, None).messages] == ["b", "c"]


def test_a_deleted_number_that_is_there_again_means_that_the_room_began_anew() -> None:
    mirror = RoomMirror(Snapshot((), (1,), 1))
    assert mirror.take(1, _draft("anew")) is Taken.UNSURE
    assert mirror.resume(Snapshot([(1, _draft("anew"))], (), 1))
    assert [message.text for message in mirror.page(None, 10, None).messages] == ["anew"]


def test_what_was_deleted_while_nobody_heard_is_news_afterwards() -> None:
    mirror = RoomMirror(Snapshot([(1, _draft("a")), (2, _draft("b"))], (), 2))
    place = mirror.head
    assert not mirror.resume(Snapshot([(2, _draft("b"))], (1,), 2))
    assert list(mirror.news(place).deleted) == [1]


def test_a_message_deleted_before_anybody_was_told_of_it_is_not_told() -> None:
    mirror = RoomMirror(Snapshot((), (), 0))
    place = mirror.head
    mirror.take(1, _draft("rude"))
    mirror.remove(1)
    news = mirror.news(place)
    assert (list(news.messages), list(news.deleted), news.next) == ([], [1], 1)


def test_each_is_told_from_its_own_place_on_and_what_all_know_is_not_kept() -> None:
    mirror = RoomMirror(Snapshot((), (), 0))
    early = mirror.head
    mirror.take(1, _draft("a"))
    later = mirror.head
    mirror.take(2, _draft("b"))
    assert [number for number, _ in mirror.news(early).messages] == [1, 2]
    assert [number for number, _ in mirror.news(later).messages] == [2]
    mirror.forget(later)
    assert (mirror.waiting, [number for number, _ in mirror.news(later).messages]) == (1, [2])
    mirror.forget(mirror.head)
    assert (mirror.waiting, mirror.news(mirror.head).messages) == (0, [])


@pytest.mark.parametrize("limit", [1, 10])
def test_who_joins_sees_the_newest_that_it_may_see(limit: int) -> None:
    entries = [(number, _draft(str(number), is_private=number > 50)) for number in range(1, 101)]
    page = RoomMirror(Snapshot(entries, (), 100)).page(None, limit, BOB)
    assert [message.id for message in page.messages] == list(range(51 - limit, 51))
    assert page.next == 100


@given(st.integers(0, 200))
def test_who_comes_back_gets_everything_after_its_number(after: int) -> None:
    entries = [(number, _draft(str(number))) for number in range(1, 101)]
    page = RoomMirror(Snapshot(entries, (), 100)).page(after, 5, BOB)
    assert page.reset is (after > 100)
    assert [message.id for message in page.messages] == list(range(1 if page.reset else after + 1, 101))

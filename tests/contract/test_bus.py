"""One suite for both buses: what services may rely on, whichever broker there is."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence

import pytest
from prometheus_client import CollectorRegistry

from sakimori_common.bus import (
    QUEUES,
    Bus,
    BusUnavailable,
    Consumer,
    Halt,
    Handler,
    Message,
    Queue,
    Reject,
    Retry,
    Subscription,
    Topic,
    Unavailable,
    dead_letters_of,
    open_bus,
)
from sakimori_common.metrics import ConsumerMetrics
from servers.eventually import eventually

HEADERS = {"schema": "1", "source": "tests"}


def message(id: str, body: bytes = b"\x90") -> Message:
    return Message(id, body, HEADERS)


class Recorder:
    """A handler that remembers what it got, and raises what it was told to."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.messages: list[Message] = []
        self.raises: dict[str, list[Exception]] = {}
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.messages]

    async def __call__(self, messages: Sequence[Message]) -> None:
        self.groups.append([each.id for each in messages])
        self.messages.extend(messages)
        await self.gate.wait()
        for each in messages:
            if planned := self.raises.get(each.id):
                raise planned.pop(0)


@pytest.fixture(params=["memory", "amqp"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    url = "memory://" if request.param == "memory" else request.getfixturevalue("rabbitmq_url")
    opened = await open_bus(url, service="tests", publish_timeout_seconds=10)
    yield opened
    await opened.close()


@pytest.fixture
async def recorder() -> Recorder:
    return Recorder()


async def start(bus: Bus, handler: Handler, queue: Queue = Queue.NOTIFY, **options: float) -> Consumer:
    return await bus.consume(Subscription(queue, handler, retry_seconds=0.01, **options))  # type: ignore[arg-type]  # ints


async def test_a_batch_arrives_as_it_was_published(bus: Bus, recorder: Recorder) -> None:
    await start(bus, recorder)
    sent = Message("batch-1", bytes(range(256)), {**HEADERS, "trace": "t-1"})
    await bus.publish(Topic.FINDINGS, sent)
    await eventually(lambda: recorder.messages)
    assert recorder.messages == [sent]


async def test_every_queue_of_a_topic_gets_the_message(bus: Bus) -> None:
    store, detect = Recorder(), Recorder()
    await start(bus, store, Queue.STORE)
    await start(bus, detect, Queue.DETECT)
    await bus.publish(Topic.EVENTS, message("one"))
    await eventually(lambda: store.ids == ["one"] and detect.ids == ["one"])


async def test_messages_are_handled_in_the_order_they_came(bus: Bus, recorder: Recorder) -> None:
    await start(bus, recorder)
    ids = [f"{number:03}" for number in range(200)]
    await asyncio.gather(*(bus.publish(Topic.FINDINGS, message(name)) for name in ids))
    await eventually(lambda: len(recorder.ids) == 200)
    assert recorder.ids == ids


async def test_competing_consumers_share_a_queue(bus: Bus) -> None:
    one, other = Recorder(), Recorder()
    await start(bus, one, prefetch=1)
    await start(bus, other, prefetch=1)
    one.gate.clear()
    waiting = [asyncio.create_task(bus.publish(Topic.FINDINGS, message(f"{number}"))) for number in range(10)]
    await eventually(lambda: len(one.ids) == 1 and len(other.ids) == 9)
    one.gate.set()
    await asyncio.gather(*waiting)
    assert sorted(one.ids + other.ids) == [f"{number}" for number in range(10)]


async def test_a_consumer_holds_no_more_than_its_prefetch(bus: Bus) -> None:
    slow, late = Recorder(), Recorder()
    slow.gate.clear()
    await start(bus, slow, prefetch=3)
    waiting = [asyncio.create_task(bus.publish(Topic.FINDINGS, message(f"{number}"))) for number in range(10)]
    await eventually(lambda: slow.ids == ["0"])
    await start(bus, late)
    await eventually(lambda: len(late.ids) == 7)
    slow.gate.set()
    await asyncio.gather(*waiting)
    assert slow.ids == ["0", "1", "2"]


async def test_a_group_is_what_arrived_within_the_linger(bus: Bus, recorder: Recorder) -> None:
    await start(bus, recorder, group=25, linger_seconds=0.3, prefetch=50)
    await asyncio.gather(*(bus.publish(Topic.FINDINGS, message(f"{number}")) for number in range(60)))
    await eventually(lambda: len(recorder.ids) == 60)
    assert [len(group) for group in recorder.groups] == [25, 25, 10]


async def test_a_settled_message_does_not_come_again(bus: Bus, recorder: Recorder) -> None:
    consumer = await start(bus, recorder)
    await bus.publish(Topic.FINDINGS, message("one"))
    await eventually(lambda: recorder.ids)
    await consumer.drain()
    again = Recorder()
    await start(bus, again)
    await bus.publish(Topic.FINDINGS, message("two"))
    await eventually(lambda: again.ids)
    assert again.ids == ["two"]


async def test_retry_comes_again_with_the_attempt_counted(bus: Bus, recorder: Recorder) -> None:
    recorder.raises["one"] = [Retry("not yet"), Retry("not yet")]
    await start(bus, recorder)
    await bus.publish(Topic.FINDINGS, message("one"))
    await eventually(lambda: len(recorder.messages) == 3)
    assert [each.attempt for each in recorder.messages] == [1, 2, 3]
    assert await bus.dead(Queue.NOTIFY, 10) == []


async def test_a_message_that_is_retried_does_not_hold_up_the_others(bus: Bus, recorder: Recorder) -> None:
    recorder.raises["one"] = [Retry("not yet")]
    await bus.consume(Subscription(Queue.NOTIFY, recorder, retry_seconds=0.5))
    await asyncio.gather(*(bus.publish(Topic.FINDINGS, message(name)) for name in ("one", "two", "three")))
    await eventually(lambda: len(recorder.ids) == 4)
    assert recorder.ids == ["one", "two", "three", "one"]


async def test_retries_beyond_the_delivery_limit_end_in_the_dead_letters(bus: Bus, recorder: Recorder) -> None:
    recorder.raises["one"] = [Retry("the channel says 500") for _ in range(9)]
    await start(bus, recorder, delivery_limit=4)
    await bus.publish(Topic.FINDINGS, message("one"))
    (letter,) = await eventually(lambda: bus.dead(Queue.NOTIFY, 10))
    assert letter.reason == "the channel says 500 (given up after 4 attempts)"
    assert recorder.ids == ["one"] * 4


async def test_unavailable_waits_for_as_long_as_it_takes(bus: Bus, recorder: Recorder) -> None:
    recorder.raises["one"] = [Unavailable("PostgreSQL is away") for _ in range(9)]
    await start(bus, recorder, delivery_limit=2, retry_limit_seconds=0.02)
    await asyncio.gather(bus.publish(Topic.FINDINGS, message("one")), bus.publish(Topic.FINDINGS, message("two")))
    await eventually(lambda: "two" in recorder.ids)
    assert recorder.ids == ["one"] * 10 + ["two"]
    assert {each.attempt for each in recorder.messages} == {1}


async def test_a_rejected_message_is_dead_with_the_reason(bus: Bus, recorder: Recorder) -> None:
    recorder.raises["one"] = [Reject("this can never be: 守")]
    await start(bus, recorder)
    before = time.time()
    await bus.publish(Topic.FINDINGS, message("one", b"the body"))
    (letter,) = await eventually(lambda: bus.dead(Queue.NOTIFY, 10))
    assert letter.message == message("one", b"the body")
    assert (letter.queue, letter.reason) == ("notifier.findings", "this can never be: 守")
    assert letter.died_at[:4] == time.strftime("%Y", time.gmtime(before))


async def test_a_bug_is_a_rejection(bus: Bus, recorder: Recorder) -> None:
    recorder.raises["one"] = [ZeroDivisionError("division by zero")]
    await start(bus, recorder)
    await bus.publish(Topic.FINDINGS, message("one"))
    (letter,) = await eventually(lambda: bus.dead(Queue.NOTIFY, 10))
    assert letter.reason.startswith("ZeroDivisionError at test_bus.py:")


async def test_one_poison_message_does_not_take_its_group_along(bus: Bus, recorder: Recorder) -> None:
    recorder.raises["2"] = [Reject("group"), Reject("poison")]
    await start(bus, recorder, group=5, linger_seconds=0.3)
    await asyncio.gather(*(bus.publish(Topic.FINDINGS, message(f"{number}")) for number in range(5)))
    (letter,) = await eventually(lambda: bus.dead(Queue.NOTIFY, 10))
    assert (letter.message.id, letter.reason) == ("2", "poison")
    await eventually(lambda: len(recorder.groups) == 6)
    assert recorder.groups == [["0", "1", "2", "3", "4"], ["0"], ["1"], ["2"], ["3"], ["4"]]


async def test_a_run_of_bugs_blows_the_fuse(bus: Bus, recorder: Recorder) -> None:
    for number in range(3):
        recorder.raises[f"{number}"] = [KeyError("bug")]
    consumer = await start(bus, recorder, fuse=3)
    await asyncio.gather(*(bus.publish(Topic.FINDINGS, message(f"{number}")) for number in range(3)))
    reason = await asyncio.wait_for(consumer.failure(), 10)
    assert isinstance(reason, Halt)
    assert "3 messages in a row met a bug" in str(reason)


async def test_a_success_between_bugs_keeps_the_fuse(bus: Bus, recorder: Recorder) -> None:
    recorder.raises = {"0": [KeyError("bug")], "2": [KeyError("bug")]}
    consumer = await start(bus, recorder, fuse=2)
    await asyncio.gather(*(bus.publish(Topic.FINDINGS, message(f"{number}")) for number in range(4)))
    await eventually(lambda: len(recorder.ids) == 4)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(consumer.failure(), 0.05)


async def test_halt_gives_back_what_is_unsettled(bus: Bus, recorder: Recorder) -> None:
    recorder.raises["one"] = [Halt("the model file is broken")]
    consumer = await start(bus, recorder)
    waiting = [asyncio.create_task(bus.publish(Topic.FINDINGS, message(name))) for name in ("one", "two")]
    reason = await asyncio.wait_for(consumer.failure(), 10)
    assert str(reason) == "the model file is broken"
    other = Recorder()
    await start(bus, other)
    await eventually(lambda: other.ids == ["one", "two"])
    await asyncio.gather(*waiting)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"source": "tests"}, "no header says the schema; this version reads schema '1'"),
        ({"schema": "99"}, "schema '99' is unknown; this version reads schema '1'"),
    ],
)
async def test_an_unknown_schema_never_reaches_the_handler(
    bus: Bus, recorder: Recorder, headers: dict[str, str], reason: str
) -> None:
    await start(bus, recorder)
    await bus.publish(Topic.FINDINGS, Message("one", b"?", headers))
    (letter,) = await eventually(lambda: bus.dead(Queue.NOTIFY, 10))
    assert letter.reason == reason
    assert recorder.ids == []


async def test_drain_finishes_what_is_handled_and_gives_back_the_rest(bus: Bus, recorder: Recorder) -> None:
    recorder.gate.clear()
    consumer = await start(bus, recorder)
    waiting = [asyncio.create_task(bus.publish(Topic.FINDINGS, message(f"{number}"))) for number in range(5)]
    await eventually(lambda: recorder.ids == ["0"])
    draining = asyncio.create_task(consumer.drain())
    other = Recorder()
    await asyncio.sleep(0)
    assert not draining.done()
    recorder.gate.set()
    await asyncio.wait_for(draining, 10)
    await start(bus, other)
    await eventually(lambda: sorted(other.ids) == ["1", "2", "3", "4"])
    await asyncio.gather(*waiting)
    assert recorder.ids == ["0"]


async def test_drain_does_not_wait_for_a_dependency_that_is_away(bus: Bus, recorder: Recorder) -> None:
    recorder.raises["one"] = [Unavailable("away") for _ in range(1000)]
    consumer = await bus.consume(Subscription(Queue.NOTIFY, recorder, retry_seconds=30, retry_limit_seconds=30))
    waiting = asyncio.create_task(bus.publish(Topic.FINDINGS, message("one")))
    await eventually(lambda: recorder.ids)
    await asyncio.wait_for(consumer.drain(), 5)
    other = Recorder()
    await start(bus, other)
    await eventually(lambda: other.ids == ["one"])
    await waiting


async def test_dead_letters_are_listed_oldest_first_and_stay(bus: Bus) -> None:
    for number in range(5):
        await bus.bury(Queue.NOTIFY, message(f"{number}"), f"reason {number}")
    for _ in range(3):
        assert [letter.message.id for letter in await bus.dead(Queue.NOTIFY, 3)] == ["0", "1", "2"]
    await eventually(lambda: _is(bus.depth(dead_letters_of(Queue.NOTIFY)), 5))
    assert await bus.dead(Queue.STORE, 3) == []


async def _is(answer: Awaitable[int], expected: int) -> bool:
    return await answer == expected


async def test_chosen_dead_letters_come_back_to_life(bus: Bus, recorder: Recorder) -> None:
    for number in range(4):
        await bus.bury(Queue.NOTIFY, message(f"{number}"), "too early")
    assert await bus.revive(Queue.NOTIFY, ["1", "3", "unknown"], 10) == 2
    await start(bus, recorder)
    await eventually(lambda: recorder.ids == ["1", "3"])
    assert recorder.messages[0] == message("1")
    await eventually(lambda: _is(bus.depth(dead_letters_of(Queue.NOTIFY)), 2))
    assert [letter.message.id for letter in await bus.dead(Queue.NOTIFY, 10)] == ["0", "2"]


async def test_all_dead_letters_come_back_up_to_the_limit(bus: Bus, recorder: Recorder) -> None:
    for number in range(4):
        await bus.bury(Queue.NOTIFY, message(f"{number}"), "too early")
    assert await bus.revive(Queue.NOTIFY, None, 3) == 3
    await start(bus, recorder)
    await eventually(lambda: recorder.ids == ["0", "1", "2"])


async def test_a_revived_message_may_die_again(bus: Bus, recorder: Recorder) -> None:
    recorder.raises["one"] = [Reject("first"), Reject("second")]
    await start(bus, recorder)
    await bus.publish(Topic.FINDINGS, message("one"))
    await eventually(lambda: bus.dead(Queue.NOTIFY, 10))
    assert await bus.revive(Queue.NOTIFY, None, 10) == 1
    (letter,) = await eventually(lambda: bus.dead(Queue.NOTIFY, 10))
    assert letter.reason == "second"


async def test_every_watcher_sees_what_is_published_from_now_on(bus: Bus, recorder: Recorder) -> None:
    await start(bus, recorder)
    await bus.publish(Topic.FINDINGS, message("before"))
    seen: tuple[list[str], list[str]] = ([], [])

    async def first(each: Message) -> None:
        seen[0].append(each.id)

    async def second(each: Message) -> None:
        seen[1].append(each.id)
        raise ValueError("a watcher holds up nothing")

    watchers = [await bus.watch(Topic.FINDINGS, first), await bus.watch(Topic.FINDINGS, second)]
    for name in ("one", "two"):
        await bus.publish(Topic.FINDINGS, message(name))
    await eventually(lambda: seen == (["one", "two"], ["one", "two"]))
    await watchers[0].drain()
    await bus.publish(Topic.FINDINGS, message("three"))
    await eventually(lambda: len(seen[1]) == 3)
    await eventually(lambda: recorder.ids == ["before", "one", "two", "three"])
    assert len(seen[0]) == 2


async def test_handlers_may_publish_to_one_another(bus: Bus) -> None:
    """Two services whose handlers publish to each other's topics must not wait for one another for ever."""
    handled: list[str] = []

    async def detect(messages: Sequence[Message]) -> None:
        for each in messages:
            if len(each.id) < 6:
                await bus.publish(Topic.DECISIONS, message(each.id + "d"))
            handled.append(each.id)

    async def enforce(messages: Sequence[Message]) -> None:
        for each in messages:
            await bus.publish(Topic.EVENTS, message(each.id + "e"))
            handled.append(each.id)

    async def store(messages: Sequence[Message]) -> None:
        pass

    await start(bus, detect, Queue.DETECT)
    await start(bus, enforce, Queue.ENFORCE)
    await start(bus, store, Queue.STORE)
    await asyncio.wait_for(bus.publish(Topic.EVENTS, message("e")), 5)
    await eventually(lambda: sorted(handled, key=len) == ["e", "ed", "ede", "eded", "edede", "ededed", "ededede"])


async def test_consumers_are_counted(bus: Bus, recorder: Recorder) -> None:
    registry = CollectorRegistry()
    recorder.raises = {"1": [Retry("again")], "2": [Reject("no")]}
    subscription = Subscription(Queue.NOTIFY, recorder, retry_seconds=0.01)
    await bus.consume(subscription, ConsumerMetrics(registry))
    await asyncio.gather(*(bus.publish(Topic.FINDINGS, message(f"{number}")) for number in range(3)))

    def value(name: str) -> float:
        return registry.get_sample_value(name, {"queue": "notifier.findings"}) or 0.0

    await eventually(lambda: value("sakimori_messages_handled_total") == 2)
    await eventually(lambda: value("sakimori_messages_dead_total") == 1)
    assert value("sakimori_messages_retried_total") == 1
    assert value("sakimori_handler_seconds_count") == 4


async def test_depth_counts_what_waits(bus: Bus, recorder: Recorder) -> None:
    waiting = [asyncio.create_task(bus.publish(Topic.FINDINGS, message(f"{number}"))) for number in range(3)]
    await eventually(lambda: _is(bus.depth(Queue.NOTIFY), 3))
    await start(bus, recorder)
    await asyncio.gather(*waiting)
    await eventually(lambda: _is(bus.depth(Queue.NOTIFY), 0))
    with pytest.raises(BusUnavailable):
        await bus.depth("no.such.queue")


async def test_the_bus_answers_a_check(bus: Bus) -> None:
    await bus.check()


def test_every_queue_stands_on_a_topic() -> None:
    assert set(QUEUES) == set(Queue)
    assert set(QUEUES.values()) <= set(Topic)

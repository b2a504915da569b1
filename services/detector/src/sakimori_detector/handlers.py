"""Events in; findings and decisions stored, then published."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from sakimori_common.bus import Bus, BusUnavailable, Message, Reject, Topic, Unavailable
from sakimori_common.contracts import DECISIONS, EVENTS, FINDINGS, SCHEMA_VERSION, Decision, Event, Finding, WireError
from sakimori_common.ids import stable_id
from sakimori_common.instants import MICROSECONDS
from sakimori_detector.detection import Found, collect, detect
from sakimori_detector.domain.clocks import timely
from sakimori_detector.domain.policy import decision_of, is_allowed
from sakimori_detector.metrics import DetectorMetrics
from sakimori_detector.ports import Clock, DetectionState, FindingStore, Replaced
from sakimori_detector.rulebook import Rulebook

_HEADERS = {"schema": SCHEMA_VERSION, "source": "detector"}


class _Batch(NamedTuple):
    message: Message
    events: list[Event]


class _Result(NamedTuple):
    message: Message
    findings: list[Finding]
    decisions: list[Decision]
    replaced: list[Replaced]


class EventsHandler:
    """Handles groups of messages of `detector.events`.

    Returns once what follows from them is stored and confirmed by the bus. Idempotent: the state gives a redelivered
    batch its old outcomes, ids are functions of what they name, and so are those of the messages that go out.
    """

    def __init__(
        self,
        rulebook: Rulebook,
        *,
        state: DetectionState,
        store: FindingStore,
        bus: Bus,
        metrics: DetectorMetrics,
        clock: Clock,
        dry_run: bool,
    ) -> None:
        self._rulebook = rulebook
        self._state = state
        self._store = store
        self._bus = bus
        self._metrics = metrics
        self._clock = clock
        self._dry_run = dry_run

    async def __call__(self, messages: Sequence[Message]) -> None:
        """Handle messages. Raises Reject for a body that holds no events, Unavailable when a server is away."""
        batches = [_decoded(message) for message in messages]
        await self._conclude([await self._detect(batch) for batch in batches])

    async def judge(self) -> None:
        """Judge the windows that are over, until there are no more. Raises Unavailable when a server is away."""
        while await self._judge(self._clock()):
            pass

    async def _judge(self, now: int) -> bool:
        found, settled = await collect(self._rulebook.engine, self._state, now, lambda _: now)
        if settled:
            ids = sorted(each.ripe.id for each in settled)
            await self._conclude([self._result(Message(stable_id("judged", *ids), b"", {}), found, now)])
            await self._state.settle(settled)
        return bool(settled)

    async def _conclude(self, results: Sequence[_Result]) -> None:
        """Store, then publish, what was found."""
        findings = [finding for result in results for finding in result.findings]
        if not findings:
            return
        decisions = [decision for result in results for decision in result.decisions]
        replaced = [each for result in results for each in result.replaced]
        kept = iter(await self._store.store(findings, decisions, replaced))
        publications = []
        for result in results:
            stored = [next(kept) for _ in result.findings]
            publications += self._publications(result, stored)
        try:
            await asyncio.gather(*publications)
        except BusUnavailable as error:
            raise Unavailable(str(error)) from error

    async def _detect(self, batch: _Batch) -> _Result:
        now = self._clock()
        events, ahead, late = timely(batch.events, now, self._state.lateness)
        found = await detect(
            self._rulebook.engine, self._state, batch.message.id, events, lambda _: now, arrived_at=now
        )
        self._metrics.events_evaluated_total.inc(len(events))
        self._metrics.events_ahead_total.inc(ahead)
        self._metrics.events_late_total.inc(late)
        return self._result(batch.message, found, now)

    def _result(self, message: Message, found: Sequence[Found], now: int) -> _Result:
        self._count(found, now)
        decisions = [decision for each in found if (decision := self._decide(each, now)) is not None]
        return _Result(message, [each.finding for each in found], decisions, self._replaced(found))

    def _replaced(self, found: Sequence[Found]) -> list[Replaced]:
        windows = self._rulebook.engine.windows
        return [
            Replaced(each.replaced, each.finding, each.outcome.anchor + windows[each.outcome.rule_id].hold)
            for each in found
            if each.replaced is not None and each.outcome.rule_id in windows
        ]

    def _decide(self, found: Found, now: int) -> Decision | None:
        finding, outcome, _, measure, _ = found
        if measure is None:
            return None
        if is_allowed(finding, self._rulebook.allowed):
            self._metrics.decisions_withheld_total.inc()
            return None
        decision = decision_of(finding, measure, outcome, now=now, dry_run=self._dry_run)
        if decision is not None:
            self._metrics.decisions_total.labels(decision.action, "dry_run" if self._dry_run else "live").inc()
        return decision

    def _count(self, found: Sequence[Found], now: int) -> None:
        for finding, outcome, event, _, _ in found:
            if outcome.is_opened:
                self._metrics.findings_total.labels(finding.rule_id, finding.severity).inc()
                self._metrics.event_to_finding_seconds.observe(max(0, now - event.time) / MICROSECONDS)
            else:
                self._metrics.finding_updates_total.labels(finding.rule_id).inc()

    def _publications(self, result: _Result, findings: list[Finding]) -> list["asyncio.Future[None]"]:
        out = []
        if findings:
            out.append((Topic.FINDINGS, FINDINGS.encode(findings)))
        if result.decisions:
            out.append((Topic.DECISIONS, DECISIONS.encode(result.decisions)))
        return [
            asyncio.ensure_future(
                self._bus.publish(
                    topic, Message(stable_id(topic, result.message.id), body, self._headers(result.message))
                )
            )
            for topic, body in out
        ]

    def _headers(self, message: Message) -> dict[str, str]:
        trace = message.headers.get("trace")
        return {**_HEADERS, "trace": trace} if trace else _HEADERS


def _decoded(message: Message) -> _Batch:
    version = message.headers.get("schema", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise Reject(f"schema version {version!r} is not known, only {SCHEMA_VERSION!r}")
    try:
        return _Batch(message, EVENTS.decode(message.body))
    except WireError as error:
        raise Reject(f"no batch of events: {error}") from None

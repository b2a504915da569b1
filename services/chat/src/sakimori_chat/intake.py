"""The one way in for what people say: gate, room, text, checks, store; in this order, whatever it came by."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sakimori_chat.domain.checking.similarity import signature
from sakimori_chat.domain.checks import Check, Judgement, Said, judge
from sakimori_chat.domain.held import Held
from sakimori_chat.domain.messages import Draft
from sakimori_chat.domain.occurrences import Action, Origin, occurred
from sakimori_chat.domain.posting import (
    Refusal,
    Report,
    flags_of,
    refusal_of_judgement,
    refusal_of_length,
    refusal_of_name,
    refusal_of_room,
    refusal_of_text,
    refusal_of_verdict,
)
from sakimori_chat.domain.rooms import Reaction, Room, RoomPolicy
from sakimori_chat.domain.text import clean_name, clean_text, is_oversized
from sakimori_chat.metrics import ChatMetrics
from sakimori_chat.ports import Admission, Attempt, Gate, HeldMessages, Reporter, Rooms
from sakimori_common.contracts import FieldValue
from sakimori_common.instants import now_text


@dataclass(frozen=True, slots=True)
class Submission:
    """What somebody wants to say, as it came."""

    origin: Origin
    anon_id: str
    room: Room
    text: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Posted:
    """It was taken. To its author a muted or held message looks like any other."""

    number: int


class Intake:
    """Takes messages of people, from the page's form and from WebSockets.

    `reports_text` puts the text of messages into their events; the default is never to.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        rooms: Rooms,
        held: HeldMessages,
        checks: Sequence[Check],
        reporter: Reporter,
        metrics: ChatMetrics,
        reports_text: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._gate = gate
        self._rooms = rooms
        self._held = held
        self._checks = checks
        self._reporter = reporter
        self._metrics = metrics
        self._reports_text = reports_text
        self._clock = clock

    async def post(self, submission: Submission) -> Posted | Refusal:
        """Take a message or say why not; either way what happened is reported. Raises StoreUnavailable."""
        outcome = await self._judged(submission)
        if isinstance(outcome, Refusal):
            self.refuse(submission.origin, outcome, submission.room.name)
        return outcome

    def refuse(self, origin: Origin, refusal: Refusal, room: str = "") -> None:
        """Report a refusal: its events, and its count."""
        self._report(origin, room, refusal.reports)
        self._metrics.posts_total.labels(refusal.code).inc()

    async def _judged(self, submission: Submission) -> Posted | Refusal:
        policy = submission.room.policy
        text, name = clean_text(submission.text), clean_name(submission.name)
        words = _refusal_of_words(submission.text, text, policy) or refusal_of_name(name)
        unfit = refusal_of_room(submission.room) or words
        admission = await self._gate.admit(_attempt(submission, is_fit=unfit is None))
        refusal = refusal_of_verdict(admission.verdict) or unfit
        if refusal is not None:
            return refusal
        said = Said(text, name, submission.anon_id, self._clock(), admission.recent)
        judgement = judge(said, policy, self._checks)
        refusal = refusal_of_judgement(judgement, policy, with_text=self._reports_text)
        return refusal or await self._store(submission, said, judgement, admission)

    async def _store(self, submission: Submission, said: Said, judgement: Judgement, admission: Admission) -> Posted:
        origin, room = submission.origin, submission.room
        is_held = judgement.reaction is Reaction.HOLD
        draft = Draft(
            said.author_id,
            said.name,
            said.text,
            now_text(),
            is_private=admission.is_muted or is_held,
            fingerprint=origin.client.fingerprint,
        )
        trace = signature(said.text) if room.policy.compares() else b""
        number = await self._rooms.append(room.name, draft, trace)
        if is_held and not admission.is_muted:
            await self._held.hold(Held.of(room.name, number, draft, judgement.objections))
        action = Action.MUTED_POST if admission.is_muted else Action.MESSAGE_POSTED
        reports = (*flags_of(judgement, with_text=self._reports_text), (action, self._details(said.text)))
        self._report(origin, room.name, reports, number)
        self._metrics.posts_total.labels(_outcome(admission, judgement)).inc()
        return Posted(number)

    def _details(self, text: str) -> dict[str, FieldValue]:
        details: dict[str, FieldValue] = {"chat.message.length": len(text)}
        return details | {"chat.message.text": text} if self._reports_text else details

    def _report(self, origin: Origin, room: str, reports: Sequence[Report], number: int = 0) -> None:
        where: dict[str, FieldValue] = {"chat.room": room} if room else {}
        if number:
            where["chat.message.number"] = number
        for action, details in reports:
            self._reporter.report(occurred(action, origin, {**where, **details}))


def _attempt(submission: Submission, *, is_fit: bool) -> Attempt:
    """Ask for the gate's word; what will be refused anyway does not make its author wait for slow mode."""
    room, client = submission.room, submission.origin.client
    slow_seconds = room.policy.slow_seconds if is_fit else 0.0
    return Attempt(client, submission.anon_id, room.name, slow_seconds, wants_recent=is_fit and room.policy.compares())


def _refusal_of_words(raw: str, text: str, policy: RoomPolicy) -> Refusal | None:
    if is_oversized(raw):
        return refusal_of_length(len(raw), policy.max_characters)
    return refusal_of_text(text, policy.max_characters)


def _outcome(admission: Admission, judgement: Judgement) -> str:
    if admission.is_muted:
        return "muted"
    return "held" if judgement.reaction is Reaction.HOLD else "posted"
